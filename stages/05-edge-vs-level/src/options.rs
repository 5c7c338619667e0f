//! The two flags, and how much a read takes.

use crate::trigger::{Drain, Trigger};
use clap::Parser;

/// Stage 05: edge-triggered or level-triggered, reading once or until it would block.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How epoll reports that a socket is ready
    #[arg(long, value_enum, default_value = "edge")]
    pub trigger: Trigger,

    /// How far a turn reads
    #[arg(long, value_enum, default_value = "until-would-block")]
    pub drain: Drain,

    /// How much one read takes, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 16 * 1024, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub read_buffer: u32,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}
