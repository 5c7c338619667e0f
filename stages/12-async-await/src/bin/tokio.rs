//! The binary `stage-12-tokio`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(async_await::on_tokio::run)
}
