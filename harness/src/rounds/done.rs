//! What an interrupted run has done.

use super::plan::{Plan, Point};
use crate::host::Host;
use crate::records::{Content, Record, newest, read};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What tells one point from the others of its run.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    stage: String,
    title: String,
    workers: Option<usize>,
    clients: usize,
    round: u32,
}

/// The points of an interrupted run.
#[derive(Default)]
pub(super) struct Done {
    pub(super) seed: u64,
    pub(super) path: PathBuf,
    /// Those that were measured. What failed is tried again.
    points: BTreeSet<Key>,
    /// Those that have a reason in place of figures.
    skipped: BTreeSet<Key>,
}

impl Done {
    /// The newest run of this kind, if it was made by this command on this commit and machine with this seed. Uncommitted changes have
    /// no name, so a run with them never goes on.
    pub(super) fn find(
        directory: &Path,
        content: Content,
        command: &str,
        seed: Option<u64>,
        host: &Host,
    ) -> Option<Self> {
        let path = newest(directory, content).ok()?;
        Self::of(path.clone(), &read(&path).ok()?, command, seed, host)
    }

    fn of(path: PathBuf, records: &[Record], command: &str, seed: Option<u64>, host: &Host) -> Option<Self> {
        let first = records.first()?;
        let is_clean = !host.dirty && !first.host.dirty;
        let is_same = first.command == command && first.host.commit == host.commit && !host.commit.is_empty();
        let is_here = first.host.is_same_machine(host);
        let has_seed = seed.is_none_or(|seed| seed == first.seed);
        let key = |record: &Record| Key {
            stage: record.stage.clone(),
            title: record.title.clone(),
            workers: record.workers,
            clients: record.concurrency,
            round: record.round,
        };
        let points = records.iter().filter(|record| record.figures.is_some()).map(key).collect();
        let skipped = records.iter().filter(|record| record.skipped.is_some()).map(key).collect();
        (is_clean && is_same && is_here && has_seed).then_some(Self {
            seed: first.seed,
            path,
            points,
            skipped,
        })
    }

    /// Whether the point was measured.
    pub(super) fn has(&self, plan: &Plan, point: &Point, round: u32) -> bool {
        self.points.contains(&key(plan, point, round))
    }

    /// Whether the reason why a point of the plan cannot be measured is there: it was recorded once, in the first round.
    pub(super) fn has_reason(&self, plan: &Plan, point: &Point) -> bool {
        self.skipped.contains(&key(plan, point, 1))
    }

    /// How many points of the plan are done.
    pub(super) fn count(&self, plan: &Plan) -> usize {
        let in_round = |round| plan.round(round).iter().filter(|point| self.has(plan, point, round)).count();
        (1..=plan.rounds).map(in_round).sum()
    }
}

fn key(plan: &Plan, point: &Point, round: u32) -> Key {
    let subject = plan.subject(point);
    Key {
        stage: subject.stage.clone(),
        title: subject.title.clone(),
        workers: subject.workers,
        clients: point.clients,
        round,
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::*;
    use crate::records::tests::record;

    #[test]
    fn only_the_same_run_goes_on() {
        let host = |commit: &str, dirty| Host { commit: commit.into(), dirty, ..Host::default() };
        let mut measured = record("01", "webbench", 10, false, 5.0);
        (measured.title, measured.command, measured.host) =
            ("serial".into(), "table".into(), host("abc", false));
        let mut failed = measured.clone();
        (failed.concurrency, failed.figures, failed.skipped) = (3000, None, Some("it died".into()));
        let records = [measured, failed];
        let find = |command: &str, seed, host| Done::of("t".into(), &records, command, seed, &host);
        let done = find("table", None, host("abc", false)).expect("the same");
        let mut plan = plan(done.seed);
        let point = |subject, clients| Point { subject, clients, seconds: 1.0 };
        assert!(done.has(&plan, &point(0, 10), 1));
        assert!(!done.has(&plan, &point(0, 10), 2));
        assert!(!done.has(&plan, &point(2, 10), 1));
        assert!(!done.has(&plan, &point(0, 3000), 1), "what failed is tried again");
        assert!(done.has_reason(&plan, &point(0, 3000)) && !done.has_reason(&plan, &point(0, 10)));
        assert_eq!(done.count(&plan), 1);
        plan.subjects[0].workers = Some(2);
        assert_eq!(done.count(&plan), 0, "another number of workers is another point");
        assert!(find("table --seconds 2", None, host("abc", false)).is_none(), "another command");
        assert!(find("table", None, host("def", false)).is_none(), "another commit");
        let elsewhere = Host { cpu: "another".into(), ..host("abc", false) };
        assert!(find("table", None, elsewhere).is_none(), "another machine");
        assert!(find("table", None, host("abc", true)).is_none(), "changes have no name");
        assert!(find("table", Some(8), host("abc", false)).is_none(), "another order");
        let mut nameless = records[0].clone();
        nameless.host.commit.clear();
        assert!(
            Done::of("t".into(), &[nameless], "table", None, &host("", false)).is_none(),
            "no commit is known"
        );
    }
}
