//! The binary `stage-01`.

use blocking_echo::server::run;
use clap::Parser;
use std::process::ExitCode;

/// Stage 01: accept, read, write, repeat.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(flatten)]
    common: kit::options::Options,
}

fn main() -> ExitCode {
    kit::start::main(|options: Options| run(options.common))
}
