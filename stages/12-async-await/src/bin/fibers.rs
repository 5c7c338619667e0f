//! The binary `stage-12-fibers`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(async_await::on_fibers::run)
}
