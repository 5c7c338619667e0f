//! How many shards.

use crate::features::Features;
use clap::Parser;
use kit::options::workers;

/// Stage 11: completion instead of readiness, with io_uring.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How many shards [default: one for each CPU]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,

    /// Which of io_uring's features are used.
    #[command(flatten)]
    pub features: Features,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}
