//! Going on with a run that was interrupted: which of the points of the plan it has.

use super::plan::Plan;
use super::point::Point;
use super::skips::is_as_it_must_be;
use crate::earlier::Run;
use records::{Phase, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What tells one point of a run from the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    phase: Phase,
    stage: String,
    tool: String,
    concurrency: usize,
    keep_alive: bool,
    /// Per cent of the peak; 0 where there is none.
    share: u32,
    round: u32,
}

/// Where an open loop was at a share of the server's own peak.
fn share_of_peak(record: &Record) -> Option<f64> {
    record.open_loop?.share_of_peak
}

impl Key {
    fn of(record: &Record) -> Self {
        Self {
            phase: record.phase,
            stage: record.stage.clone(),
            tool: record.tool.clone(),
            concurrency: record.concurrency,
            keep_alive: record.keep_alive,
            share: share_of_peak(record).map_or(0, |share| (share * 100.0).round() as u32),
            round: record.round,
        }
    }
}

/// What a run has measured already.
#[derive(Default)]
pub(super) struct Done {
    path: PathBuf,
    /// Measured, or recorded with a reason that will hold for ever. What failed is tried again.
    points: BTreeSet<Key>,
    /// Points that nobody could measure were recorded when the run began.
    skipped: BTreeSet<Key>,
    /// What the latency phase has found to be a server's peak, by server and round.
    peaks: BTreeMap<(String, u32), f64>,
}

impl Done {
    /// What the run has.
    pub(super) fn of(run: &Run) -> Self {
        let kept = || run.records.iter().filter(|record| !record.dropped);
        let has_failed =
            |record: &&Record| record.skipped.as_ref().is_some_and(|reason| !is_as_it_must_be(reason));
        let peak = |record: &Record| {
            let peak = record.open_loop?.rate / share_of_peak(record)?;
            Some(((record.stage.clone(), record.round), peak))
        };
        Self {
            path: run.path.clone(),
            points: kept().filter(|record| !has_failed(record)).map(Key::of).collect(),
            skipped: kept().filter(|record| record.skipped.is_some()).map(Key::of).collect(),
            peaks: run.records.iter().filter_map(peak).collect(),
        }
    }

    /// Whether the reason why a point of the plan cannot be measured is there.
    pub(super) fn has_reason(&self, plan: &Plan, point: &Point) -> bool {
        self.skipped.contains(&key(plan, point, 1))
    }

    /// The peaks that this start of the servers has found: rates of one start are shares of one peak.
    pub(super) fn peaks(&self, plan: &Plan, round: u32) -> BTreeMap<String, f64> {
        let same = |(_, at): &&(String, u32)| plan.start_of(*at) == plan.start_of(round);
        self.peaks
            .iter()
            .filter(|(key, _)| same(key))
            .map(|((stage, _), peak)| (stage.clone(), *peak))
            .collect()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many points of the plan are there.
    pub(super) fn count(&self, plan: &Plan) -> usize {
        let rounds = 1..=plan.rounds();
        rounds
            .map(|round| plan.blocks(round).concat().iter().filter(|p| self.has(plan, p, round)).count())
            .sum()
    }

    /// Seconds that measuring them took, about.
    pub(super) fn seconds(&self, plan: &Plan) -> f64 {
        let rounds = 1..=plan.rounds();
        let of = |round| {
            let points = plan.blocks(round).concat();
            points.iter().filter(|p| self.has(plan, p, round)).map(|p| plan.seconds_of(p)).sum::<f64>()
        };
        rounds.map(of).sum()
    }

    /// Whether the point is there.
    pub(super) fn has(&self, plan: &Plan, point: &Point, round: u32) -> bool {
        self.points.contains(&key(plan, point, round))
    }
}

fn key(plan: &Plan, point: &Point, round: u32) -> Key {
    Key {
        phase: point.phase,
        stage: plan.subjects[point.subject].name.clone(),
        tool: point.tool_name().to_owned(),
        concurrency: point.concurrency,
        keep_alive: point.keep_alive,
        share: point.share,
        round,
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::super::skips::ab_would_hang;
    use super::*;
    use crate::generators::Tool;
    use lab_core::stats::Percentiles;
    use records::OpenLoop;
    use records::sample::record;

    /// A server that failed may have been fixed, and a machine that had no room may have some.
    #[test]
    fn what_failed_is_tried_again_and_what_can_never_be_is_not() {
        let plan = plan(vec![64], 1);
        let of = |stage: &str, tool: &str, reason: Option<String>| {
            let mut record = record(stage, tool, 64, false, 1.0);
            record.figures = record.figures.filter(|_| reason.is_none());
            record.skipped = reason;
            record
        };
        let records = vec![
            of("01", "wrk", None),
            of("02", "wrk", Some("refused: the server has died".into())),
            of("03", "ab", Some(ab_would_hang(4, 64))),
        ];
        let done = Done::of(&Run { seed: 7, path: "data.jsonl".into(), records });
        let has = |subject, tool| {
            let is =
                |p: &&Point| p.subject == subject && p.tool == tool && !p.keep_alive && p.concurrency == 64;
            done.has(&plan, plan.points.iter().find(is).expect("it is planned"), 1)
        };
        assert!(has(1, Tool::Wrk) && has(3, Tool::Ab));
        assert!(!has(2, Tool::Wrk), "it failed");
        assert_eq!(done.count(&plan), 2);
    }

    #[test]
    fn the_rates_of_one_start_are_shares_of_one_peak() {
        let mut open = record("01", "builtin", 64, true, 500.0);
        let latency_us = Percentiles { p50: 1, p90: 1, p99: 1, p99_9: 1, max: 1 };
        (open.phase, open.round) = (Phase::Latency, 2);
        open.open_loop =
            Some(OpenLoop { rate: 500.0, share_of_peak: Some(0.5), latency_us, late: 0, never_sent: 0 });
        let done = Done::of(&Run { seed: 7, path: "data.jsonl".into(), records: vec![open] });
        let mut plan = plan(vec![64], 4);
        plan.amount.starts = 2;
        let peak = |round| done.peaks(&plan, round).get("01").copied();
        assert_eq!([1, 2, 3, 4].map(peak), [Some(1000.0), Some(1000.0), None, None]);
    }
}
