//! The binary `stage-03`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(thread_pool::server::run)
}
