//! How many workers, and the race.

use clap::Parser;
use kit::options::workers;

/// Stage 06: a reactor and workers share descriptors.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How many threads serve connections
    #[arg(long, value_name = "N", default_value = "4", value_parser = workers)]
    pub workers: usize,

    /// Show the race: without EPOLLONESHOT two workers get the same connection
    #[arg(long)]
    pub no_oneshot: bool,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}
