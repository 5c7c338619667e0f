//! What an interrupted run has done.

use super::plan::{Plan, Point};
use crate::earlier::Run;
use records::Record;
use std::collections::BTreeSet;
use std::path::PathBuf;

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
    pub(super) path: PathBuf,
    /// Those that were measured. What failed is tried again.
    points: BTreeSet<Key>,
    /// Those that have a reason in place of figures.
    skipped: BTreeSet<Key>,
}

impl Done {
    pub(super) fn of(run: &Run) -> Self {
        let key = |record: &Record| Key {
            stage: record.stage.clone(),
            title: record.title.clone(),
            workers: record.workers,
            clients: record.concurrency,
            round: record.round,
        };
        let records = || run.records.iter();
        Self {
            path: run.path.clone(),
            points: records().filter(|record| record.figures.is_some()).map(key).collect(),
            skipped: records().filter(|record| record.skipped.is_some()).map(key).collect(),
        }
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
    use records::sample::record;

    #[test]
    fn what_failed_is_tried_again() {
        let mut measured = record("01", "webbench", 10, false, 5.0);
        measured.title = "serial".into();
        let mut failed = measured.clone();
        (failed.concurrency, failed.figures, failed.skipped) = (3000, None, Some("it died".into()));
        let done = Done::of(&Run { seed: 7, path: "t".into(), records: vec![measured, failed] });
        let mut plan = plan(7);
        let point = |subject, clients| Point { subject, clients, seconds: 1.0 };
        assert!(done.has(&plan, &point(0, 10), 1));
        assert!(!done.has(&plan, &point(0, 10), 2));
        assert!(!done.has(&plan, &point(2, 10), 1));
        assert!(!done.has(&plan, &point(0, 3000), 1), "it failed");
        assert!(done.has_reason(&plan, &point(0, 3000)) && !done.has_reason(&plan, &point(0, 10)));
        assert_eq!(done.count(&plan), 1);
        plan.subjects[0].workers = Some(2);
        assert_eq!(done.count(&plan), 0, "another number of workers is another point");
    }
}
