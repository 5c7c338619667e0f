//! The binary `stage-06`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(oneshot::server::run)
}
