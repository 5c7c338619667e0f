//! The binary `stage-09`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(prefork::startup::run)
}
