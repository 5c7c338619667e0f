//! Going on with a run that was interrupted: which of the points of the plan it has.

use super::interrupted::Run;
use super::meter::LASTING;
use super::plan::Plan;
use super::point::Point;
use super::recording;
use records::{Key, Phase, Record};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What tells one point of a run from the others: its key, the requests per second of an open loop, the
/// round.
type PointKey = (Key, u64, u32);

/// Where an interrupted run can go on.
#[derive(Default)]
pub(super) struct ResumePoint {
    path: PathBuf,
    /// Measured, or recorded with a reason that will hold for ever. What failed is tried again.
    points: BTreeSet<PointKey>,
    /// Points that cannot be measured; they were recorded when the run began.
    skipped: BTreeSet<PointKey>,
    /// Requests per second of the peak that open loops have their shares of.
    pub(super) peak: Option<f64>,
}

impl ResumePoint {
    /// After everything that the run has.
    pub(super) fn of(run: &Run) -> Self {
        let kept = || run.records.iter().filter(|record| !record.context.dropped);
        // Whether trying again could change it.
        let is_lasting = |reason: &str| LASTING.iter().any(|lasting| reason.starts_with(lasting));
        let has_failed = |record: &&Record| record.skipped().is_some_and(|reason| !is_lasting(reason));
        Self {
            path: run.path.clone(),
            points: kept().filter(|record| !has_failed(record)).map(of_record).collect(),
            skipped: kept().filter(|record| record.skipped().is_some()).map(of_record).collect(),
            peak: kept().find_map(peak),
        }
    }

    /// Whether the reason why a point of the plan cannot be measured is there.
    pub(super) fn has_reason(&self, plan: &Plan, point: &Point) -> bool {
        self.skipped.contains(&(recording::key(plan, point), 0, 1))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many points of the plan are there, and about how many seconds measuring them took.
    pub(super) fn progress(&self, plan: &Plan) -> (usize, f64) {
        let of = |round| plan.round(round).concat().into_iter().filter(move |p| self.has(plan, p, round));
        let points = (1..=plan.rounds).flat_map(of);
        points.fold((0, 0.0), |(count, seconds), point| (count + 1, seconds + plan.seconds_of(point)))
    }

    /// Whether the point is there.
    pub(super) fn has(&self, plan: &Plan, point: &Point, round: u32) -> bool {
        // An open loop that was skipped has no rate: none of its rates can be measured.
        let skipped = (recording::key(plan, point), 0, round);
        self.points.contains(&of_point(plan, point, round)) || self.points.contains(&skipped)
    }
}

/// The peak, if it is a record of one.
pub(super) fn peak(record: &Record) -> Option<f64> {
    record.figures().filter(|_| record.key.phase == Phase::Peak).map(|figures| figures.requests_per_second)
}

fn of_record(record: &Record) -> PointKey {
    let rate =
        record.open_loop().map_or(0.0, |open| open.share_of_peak.map_or(open.rate, |share| 1000.0 * share));
    (record.key.clone(), rate.round() as u64, record.context.round)
}

fn of_point(plan: &Plan, point: &Point, round: u32) -> PointKey {
    (recording::key(plan, point), point.rate_key(), round)
}

#[cfg(test)]
mod tests {
    use super::super::meter::ab_would_hang;
    use super::super::plan::tests::plan;
    use super::*;
    use crate::generators::Tool;
    use lab_core::stats::Percentiles;
    use records::OpenLoop;
    use records::sample::{self, record, skipped};

    #[test]
    fn what_failed_is_tried_again_and_what_had_to_be_skipped_is_not() {
        let plan = plan(1);
        let of = |server: &str, tool: &str, reason: Option<&str>| {
            let record = record(server, tool, 64, true, 1.0);
            match reason {
                Some(reason) => skipped(record, reason),
                None => record,
            }
        };
        let mut dropped = of("00", "wrk", None);
        dropped.context.dropped = true;
        let records = vec![
            dropped,
            of("01", "wrk", None),
            of("02", "wrk", Some("refused: the server has died")),
            of("03", "ab", Some(&ab_would_hang(4, 64))),
        ];
        let mut done = ResumePoint::of(&Run { seed: 7, path: "data.jsonl".into(), records });
        let has = |done: &ResumePoint, subject, tool, round| {
            let is = |p: &&Point| p.subject == subject && p.tool == tool && p.load.concurrency == 64;
            done.has(&plan, plan.of(Phase::Survey).find(is).expect("it is planned"), round)
        };
        assert!(has(&done, 1, Tool::Wrk, 1) && has(&done, 3, Tool::Ab, 1));
        assert!(!has(&done, 1, Tool::Wrk, 2), "another round");
        assert!(!has(&done, 0, Tool::Wrk, 1), "it was disturbed");
        assert!(!has(&done, 2, Tool::Wrk, 1), "it failed");
        let failed = plan.of(Phase::Survey).filter(|p| p.load.concurrency == 64 && p.tool == Tool::Wrk);
        let reasons: Vec<bool> = failed.map(|point| done.has_reason(&plan, point)).collect();
        assert_eq!(reasons, [false, false, true, false]);
        assert_eq!(done.progress(&plan).0, 2);
        done.points =
            done.points.into_iter().map(|(key, ..)| (Key { workers: Some(2), ..key }, 0, 1)).collect();
        assert_eq!(done.progress(&plan).0, 0, "another number of workers is another point");
    }

    #[test]
    fn each_rate_of_an_open_loop_is_a_point() {
        let latency_us = Percentiles { p50: 1, p90: 1, p99: 1, p99_9: 1, max: 1 };
        let open_loop = OpenLoop {
            rate: 5000.0,
            share_of_peak: None,
            latency_us,
            over_5ms: None,
            late: 0,
            never_sent: 0,
        };
        let mut open = sample::open(record("01", "builtin", 64, true, 5000.0), open_loop);
        open.context.round = 2;
        let of = |records| Run { seed: 7, path: "data.jsonl".into(), records };
        let done = ResumePoint::of(&of(vec![open.clone()]));
        let plan = plan(4);
        let has = |done: &ResumePoint, rate, round| {
            let is = |p: &&Point| p.subject == 1 && p.rate() == Some(rate);
            done.has(&plan, plan.of(Phase::Latency).find(is).expect("it is planned"), round)
        };
        assert!(has(&done, 5000.0, 2) && !has(&done, 9000.0, 2) && !has(&done, 5000.0, 1));
        let reason = format!("{}: 10000 of them are not tried", LASTING[1]);
        let done = ResumePoint::of(&of(vec![skipped(open.clone(), &reason)]));
        assert!(has(&done, 5000.0, 2) && has(&done, 9000.0, 2), "no rate can be measured");
        let done = ResumePoint::of(&of(vec![skipped(open, "refused: it has died")]));
        assert!(!has(&done, 5000.0, 2), "it is tried again");
    }
}
