//! The binary `stage-13`: one of the applications on the framework.

mod apps;

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(apps::run)
}
