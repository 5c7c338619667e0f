//! The binary `stage-01`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(blocking_echo::server::run)
}
