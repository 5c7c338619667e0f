//! The binary `stage-12`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(async_await::server::run)
}
