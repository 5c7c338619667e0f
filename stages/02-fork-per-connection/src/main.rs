//! The binary `stage-02`.

use clap::Parser;
use fork_per_connection::server::run;
use std::process::ExitCode;

/// Stage 02: accept, then fork.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(flatten)]
    common: kit::options::Options,
}

fn main() -> ExitCode {
    kit::start::main(|options: Options| run(options.common))
}
