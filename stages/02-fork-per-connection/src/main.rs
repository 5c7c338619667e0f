//! The binary `stage-02`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(fork_per_connection::server::run)
}
