//! The binary `stage-08`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(loop_per_thread::server::run)
}
