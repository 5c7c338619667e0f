//! The points of the table, their order, and those that an interrupted run has done.

use super::rows::Row;
use crate::generators::Tool;
use crate::host::Host;
use crate::records::{Content, Record, newest, read};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One point: a row and its number of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    /// An index into the plan's rows.
    pub(super) row: usize,
    pub(super) clients: usize,
}

/// The whole table.
pub(super) struct Plan {
    pub(super) rows: Vec<Row>,
    pub(super) clients: Vec<usize>,
    pub(super) rounds: u32,
    pub(super) seconds: u32,
    pub(super) seed: u64,
}

impl Plan {
    fn points(&self, is_measured: bool) -> Vec<Point> {
        let rows = self.rows.iter().enumerate().filter(|(_, row)| row.launch.is_ok() == is_measured);
        let points =
            rows.flat_map(|(row, _)| self.clients.iter().map(move |&clients| Point { row, clients }));
        points.collect()
    }

    /// The points of rows that cannot be measured.
    pub(super) fn skipped(&self) -> Vec<Point> {
        self.points(false)
    }

    /// The points of a round in the order in which they are run. Shuffled, so that whatever drifts on the machine hits
    /// every row and every number of clients alike; the same seed gives the same order.
    pub(super) fn round(&self, round: u32) -> Vec<Point> {
        let mut points = self.points(true);
        fastrand::Rng::with_seed(self.seed.wrapping_add(round.into())).shuffle(&mut points);
        points
    }

    /// Points in all rounds.
    pub(super) fn len(&self) -> usize {
        self.points(true).len() * self.rounds as usize
    }

    /// Seconds that a point will take.
    pub(super) fn seconds_of(&self, point: &Point) -> f64 {
        /// Waiting for a quiet machine, if it is quiet.
        const GATE: f64 = 0.25;
        /// Making one of webbench's processes and waiting for its end.
        const PROCESS: f64 = 0.000_5;
        f64::from(self.seconds) + Tool::Webbench.overhead_seconds() + GATE + PROCESS * point.clients as f64
    }

    /// Seconds that the whole table will take.
    pub(super) fn seconds_in_all(&self) -> f64 {
        let round: f64 = self.points(true).iter().map(|point| self.seconds_of(point)).sum();
        round * f64::from(self.rounds)
    }
}

/// What an interrupted run has done.
#[derive(Default)]
pub(super) struct Done {
    pub(super) seed: u64,
    pub(super) path: PathBuf,
    /// The row's title, the clients, the round.
    points: BTreeSet<(String, usize, u32)>,
    /// The same of what has no figures.
    skipped: BTreeSet<(String, usize, u32)>,
}

impl Done {
    /// The newest table, if it was made by this command on this commit with this seed. Uncommitted changes have no
    /// name, so a run with them never goes on.
    pub(super) fn find(directory: &Path, command: &str, seed: Option<u64>, host: &Host) -> Option<Self> {
        let path = newest(directory, Content::Table).ok()?;
        Self::of(path.clone(), &read(&path).ok()?, command, seed, host)
    }

    fn of(path: PathBuf, records: &[Record], command: &str, seed: Option<u64>, host: &Host) -> Option<Self> {
        let first = records.first()?;
        let is_clean = !host.dirty && !first.host.dirty;
        let is_same = first.command == command && first.host.commit == host.commit && !host.commit.is_empty();
        let has_seed = seed.is_none_or(|seed| seed == first.seed);
        let key = |record: &Record| (record.title.clone(), record.concurrency, record.round);
        // A row that cannot be measured was recorded once, in the first round; what failed is tried again.
        let points = records.iter().filter(|record| record.figures.is_some()).map(key).collect();
        let skipped = records.iter().filter(|record| record.skipped.is_some()).map(key).collect();
        (is_clean && is_same && has_seed).then_some(Self { seed: first.seed, path, points, skipped })
    }

    /// Whether the point was measured.
    pub(super) fn has(&self, plan: &Plan, point: &Point, round: u32) -> bool {
        self.points.contains(&(plan.rows[point.row].title.to_owned(), point.clients, round))
    }

    /// Whether the reason why a point of the plan cannot be measured is there.
    pub(super) fn has_reason(&self, plan: &Plan, point: &Point) -> bool {
        self.skipped.contains(&(plan.rows[point.row].title.to_owned(), point.clients, 1))
    }

    /// How many points of the plan are done.
    pub(super) fn count(&self, plan: &Plan) -> usize {
        let in_round = |round| plan.round(round).iter().filter(|point| self.has(plan, point, round)).count();
        (1..=plan.rounds).map(in_round).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::record;
    use crate::stages::Launch;

    fn plan(seed: u64) -> Plan {
        let row = |title, launch| Row { stage: "01".into(), title, options: Vec::new(), launch };
        let rows = vec![
            row("serial", Ok(Launch::new("serial"))),
            row("1 process", Err("not built yet".into())),
            row("2 processes", Ok(Launch::new("prefork"))),
        ];
        Plan { rows, clients: vec![1, 10, 3000], rounds: 2, seconds: 1, seed }
    }

    #[test]
    fn every_point_is_in_every_round_or_skipped() {
        let plan = plan(4);
        assert_eq!((plan.len(), plan.round(1).len(), plan.skipped().len()), (12, 6, 3));
        assert_eq!(plan.round(2), plan.round(2), "a seed fixes the order");
        let orders: Vec<_> = (1..=20).map(|round| plan.round(round)).collect();
        assert!(orders.iter().any(|order| *order != orders[0]), "and every round has its own");
        assert!(plan.seconds_in_all() > 12.0 * 2.0, "webbench waits for a second before it measures");
    }

    #[test]
    fn only_the_same_table_goes_on() {
        let host = |commit: &str, dirty| Host { commit: commit.into(), dirty, ..Host::default() };
        let mut measured = record("01", "webbench", 10, false, 5.0);
        (measured.title, measured.command, measured.host) =
            ("serial".into(), "table".into(), host("abc", false));
        let records = [measured];
        let find = |command: &str, seed, host| Done::of("t".into(), &records, command, seed, &host);
        let done = find("table", None, host("abc", false)).expect("the same");
        let plan = plan(done.seed);
        assert!(done.has(&plan, &Point { row: 0, clients: 10 }, 1));
        assert!(!done.has(&plan, &Point { row: 0, clients: 10 }, 2));
        assert!(!done.has(&plan, &Point { row: 2, clients: 10 }, 1));
        assert_eq!(done.count(&plan), 1);
        assert!(find("table --seconds 2", None, host("abc", false)).is_none(), "another command");
        assert!(find("table", None, host("def", false)).is_none(), "another commit");
        assert!(find("table", None, host("abc", true)).is_none(), "changes have no name");
        assert!(find("table", Some(8), host("abc", false)).is_none(), "another order");
    }
}
