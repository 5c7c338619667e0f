//! The binary `stage-04`.

use clap::Parser;
use nonblocking_epoll::server::run;
use std::process::ExitCode;

/// Stage 04: one thread, many sockets, level-triggered.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(flatten)]
    common: kit::options::Options,
}

fn main() -> ExitCode {
    kit::start::main(|options: Options| run(options.common))
}
