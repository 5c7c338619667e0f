//! How many executors, and how many threads for work that blocks.

use clap::{Parser, ValueEnum};
use kit::options::workers;
use kit::protocol::work::{Job, Work};

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

    /// Whose thread `/spin` keeps busy; on the executor's no other task of it runs meanwhile
    #[arg(long, value_enum, default_value = "pool")]
    pub spin: SpinOn,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}

/// The thread that work keeps busy which computes and does not sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SpinOn {
    /// One of those for work that blocks
    Pool,
    /// The executor's own
    Executor,
}

impl SpinOn {
    /// Whether this work is done where its task is polled.
    pub fn is_inline(self, work: &Work) -> bool {
        self == Self::Executor && matches!(work.job, Job::Spin(_))
    }
}
