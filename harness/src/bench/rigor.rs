//! How much is measured: for a look, for a chart, for a claim.

use clap::ValueEnum;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Rigor {
    /// One short round: two minutes, for looking
    Quick,
    /// Five rounds with pairs: a quarter of an hour
    Standard,
    /// Nine rounds of longer points: hours
    Full,
}

/// What that means.
pub(super) struct Amount {
    pub(super) concurrency: Vec<usize>,
    /// For the tools beside wrk: they would double the time and tell the same.
    pub(super) concurrency_of_others: Vec<usize>,
    pub(super) seconds: u32,
    /// The servers are started anew for each.
    pub(super) rounds: u32,
    pub(super) pairs: bool,
}

impl Rigor {
    pub(super) fn amount(self) -> Amount {
        let (concurrency, others, seconds, rounds) = match self {
            Self::Quick => (vec![1, 64], vec![1, 64], 1, 1),
            Self::Standard => (vec![1, 8, 64, 256], vec![1, 64], 1, 5),
            Self::Full => (vec![1, 8, 64, 256, 1000], vec![1, 8, 64, 256], 2, 9),
        };
        Amount { concurrency, concurrency_of_others: others, seconds, rounds, pairs: self != Self::Quick }
    }

    /// As it is written in the name of a data file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Full => "full",
        }
    }
}
