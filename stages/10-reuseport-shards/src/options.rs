//! How many shards, and which of them gets a connection.

use crate::steering::Steer;
use clap::Parser;
use kit::options::workers;

/// Stage 10: a listener, an epoll instance and a CPU for every thread.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How many shards [default: one for each CPU]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,

    /// Which shard gets a connection
    #[arg(long, value_enum, default_value = "hash")]
    pub steer: Steer,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}
