//! How connections get from the reactor to the workers.

use crate::dispatch::DispatchOptions;
use clap::Parser;

/// Stage 07: a queue per worker instead of one for all.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How connections get from the reactor to the workers.
    #[command(flatten)]
    pub dispatching: DispatchOptions,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}
