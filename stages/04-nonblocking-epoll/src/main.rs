//! The binary `stage-04`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(nonblocking_epoll::server::run)
}
