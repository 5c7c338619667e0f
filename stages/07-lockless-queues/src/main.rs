//! The binary `stage-07`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(lockless_queues::server::run)
}
