//! The options and the recipe of every command that measures each of its points once in a round.

use super::whole_number::whole;
use crate::engine::{self, Plan, Point, Recipe, Subject};
use records::{Content, Record};
use std::path::{Path, PathBuf};

/// Rounds that an interval can be computed from.
const ROUNDS: u32 = 5;

/// The options of every command that measures each of its points once in a round.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Options {
    /// How often everything is measured; from five on an interval can be computed.
    #[arg(long, value_name = "N", default_value_t = ROUNDS, allow_negative_numbers = true, value_parser = whole::<u32>(1..=1000))]
    pub(super) rounds: u32,
    /// What the order of the points is shuffled with; default: the time.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>(0..=u64::MAX))]
    seed: Option<u64>,
    /// Begin anew, even if the same command was interrupted and could go on.
    #[arg(long)]
    fresh: bool,
    /// The data goes to `data` below it [default: results; results/look for a part of what is measured by
    /// default]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Options {
    /// Whether everything is measured that the command measures by itself, as often: a look must not take the
    /// place of that.
    pub(super) fn of_run(&self, is_whole: bool) -> engine::Options {
        let is_whole = is_whole && self.rounds >= ROUNDS;
        let usual = if is_whole { "results" } else { "results/look" };
        let out = self.out.clone().unwrap_or_else(|| usual.into());
        engine::Options { out, seed: self.seed, fresh: self.fresh }
    }
}

/// A recipe of points that are each measured once in a round.
pub(super) struct InRounds<'a> {
    pub(super) content: Content,
    pub(super) subjects: Vec<Subject>,
    pub(super) points: Vec<Point>,
    pub(super) rounds: u32,
    pub(super) table: &'a dyn Fn(&[Record]) -> String,
}

impl Recipe for InRounds<'_> {
    fn content(&self) -> Content {
        self.content
    }

    fn plan(&self, seed: u64) -> Plan {
        Plan::of_points(self.subjects.clone(), self.points.clone(), self.rounds, seed)
    }

    fn tables(&self, records: &[Record]) -> Vec<String> {
        vec![(self.table)(records)]
    }

    fn hint(&self, data: &Path, out: &Path) -> Option<String> {
        Some(format!(
            "its chart: ./lab chart --data {} --out {}; on the page of the last run: ./lab report",
            data.display(),
            out.display()
        ))
    }
}
