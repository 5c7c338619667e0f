//! The options of every command that measures in rounds.

use super::ROUNDS;
use crate::whole_number::whole;
use std::path::PathBuf;
use std::time::SystemTime;

/// The options of every command that measures in rounds.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Options {
    /// How often everything is measured; from five on an interval can be computed.
    #[arg(long, value_name = "N", default_value_t = ROUNDS, allow_negative_numbers = true, value_parser = whole::<u32>(1..=1000))]
    pub(crate) rounds: u32,
    /// What the order of the points is shuffled with; default: the time.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>(0..=u64::MAX))]
    pub(super) seed: Option<u64>,
    /// Begin anew, even if the same command was interrupted and could go on.
    #[arg(long)]
    pub(super) fresh: bool,
    /// The data goes to `data` below it [default: results; results/look for a part of what is measured by default]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Options {
    pub(super) fn out(&self, is_whole: bool) -> PathBuf {
        let is_whole = is_whole && self.rounds >= ROUNDS;
        self.out.clone().unwrap_or_else(|| if is_whole { "results".into() } else { "results/look".into() })
    }

    /// The seed of a run that begins anew.
    pub(super) fn fresh_seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| {
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
        })
    }
}
