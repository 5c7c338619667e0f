//! The binary `stage-02-threads`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(fork_per_connection::threads::run)
}
