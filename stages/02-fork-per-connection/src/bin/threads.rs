//! The binary `stage-02-threads`.

use clap::Parser;
use fork_per_connection::threads::run;
use std::process::ExitCode;

/// Stage 02's twin: accept, then start a thread.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(flatten)]
    common: kit::options::Options,
}

fn main() -> ExitCode {
    kit::start::main(|options: Options| run(options.common))
}
