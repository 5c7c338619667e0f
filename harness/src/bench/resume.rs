//! Going on with a run that was interrupted: the same command on the same commit finds its file and its order.

use super::{Plan, Point};
use crate::host::Host;
use crate::records::{Content, Phase, Record, newest, read};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Options that do not change what is measured.
const ELSEWHERE: [&str; 2] = ["--out", "--seed"];

/// The command line as it is recorded: without the program, and without what only says where the results go.
pub(super) fn command() -> String {
    let mut words = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if ELSEWHERE.contains(&arg.as_str()) {
            args.next();
        } else if arg != "--fresh" && !ELSEWHERE.iter().any(|option| arg.starts_with(&format!("{option}="))) {
            words.push(arg);
        }
    }
    words.join(" ")
}

/// A run that may be unfinished.
pub(super) struct Run {
    pub(super) seed: u64,
    path: PathBuf,
    records: Vec<Record>,
}

/// The newest run, if it was made by this command on this commit. Uncommitted changes have no name, so a run
/// with them never goes on.
pub(super) fn candidate(directory: &Path, command: &str, host: &Host) -> Option<Run> {
    let path = newest(directory, Content::Run).ok()?;
    let records = read(&path).ok()?;
    let first = records.first()?;
    let clean = !host.dirty && !first.host.dirty;
    let (same, seed) = (first.command == command && first.host.commit == host.commit && clean, first.seed);
    same.then_some(Run { seed, path, records })
}

/// What tells one point of a run from the others.
type Key = (Phase, String, String, usize, bool, u32);

/// What a run has measured already.
#[derive(Default)]
pub(super) struct Done {
    path: PathBuf,
    points: BTreeSet<Key>,
    /// The rounds whose block of pairs is whole.
    paired_rounds: BTreeSet<u32>,
}

impl Done {
    /// What of `plan` the run has measured.
    pub(super) fn of(run: &Run, plan: &Plan) -> Self {
        let measured = run.records.iter().filter(|record| record.figures.is_some() && !record.dropped);
        let key = |record: &Record| {
            let (stage, tool) = (record.stage.clone(), record.tool.clone());
            (record.phase, stage, tool, record.concurrency, record.keep_alive, record.round)
        };
        let points: BTreeSet<Key> = measured.map(key).collect();
        let paired =
            |round: u32| points.iter().filter(|key| key.0 == Phase::Paired && key.5 == round).count();
        let paired_rounds = (1..=plan.rounds).filter(|&round| paired(round) == plan.paired.len()).collect();
        Self { path: run.path.clone(), points, paired_rounds }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many points are measured.
    pub(super) fn count(&self) -> usize {
        self.points.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Whether the round's block of pairs is whole: a part of one is no use, since its order is part of it.
    pub(super) fn has_pairs(&self, round: u32) -> bool {
        self.paired_rounds.contains(&round)
    }

    /// Whether the survey has this point.
    pub(super) fn has(&self, plan: &Plan, point: &Point, round: u32) -> bool {
        let (stage, tool) = (plan.subjects[point.subject].name.clone(), point.tool.name().to_owned());
        self.points.contains(&(Phase::Survey, stage, tool, point.concurrency, point.keep_alive, round))
    }
}
