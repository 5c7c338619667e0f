//! How many executors, and how many threads for work that blocks.

use clap::Parser;
use kit::options::workers;

/// Stage 12: async/await on an executor and a reactor of one's own.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How many executors, each in its thread [default: one for each CPU]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,

    /// How many threads do the work that blocks: sleeping, spinning, opening files
    #[arg(long, value_name = "N", default_value = "16", value_parser = workers)]
    pub blocking_threads: usize,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}
