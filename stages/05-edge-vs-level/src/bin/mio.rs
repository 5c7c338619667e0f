//! The binary `stage-05-mio`.

use clap::Parser;
use edge_vs_level::on_mio::run;
use std::process::ExitCode;

/// Stage 05's twin: the same server on mio.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(flatten)]
    common: kit::options::Options,
}

fn main() -> ExitCode {
    kit::start::main(|options: Options| run(options.common))
}
