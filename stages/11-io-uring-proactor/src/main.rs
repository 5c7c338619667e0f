//! The binary `stage-11`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(io_uring_proactor::server::run)
}
