//! How many threads.

use clap::Parser;
use kit::options::workers;

/// Stage 03: a fixed number of threads behind one locked queue.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How many threads serve connections
    #[arg(long, value_name = "N", default_value = "4", value_parser = workers)]
    pub workers: usize,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}
