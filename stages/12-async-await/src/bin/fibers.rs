//! The binary `stage-12-fibers`.

use async_await::on_fibers::run;
use clap::Parser;
use std::process::ExitCode;

/// Stage 12's twin: a fiber for each connection, with a stack of its own.
#[derive(Debug, Parser)]
#[command(version)]
struct Twin {
    #[command(flatten)]
    shared: async_await::options::Options,
}

fn main() -> ExitCode {
    kit::start::main(|options: Twin| run(options.shared))
}
