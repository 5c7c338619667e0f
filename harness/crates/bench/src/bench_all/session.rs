//! A run while it goes: block by block, and what is recorded of it.

use super::measure::{Bench, Outcome};
use super::pairs::Pairs;
use super::plan::Plan;
use super::point::Point;
use super::progress::Progress;
use super::resume::Done;
use super::rigor::Rigor;
use super::servers::Servers;
use crate::quiet::Quiet;
use anyhow::Result;
use lab_core::clock::now;
use records::{Phase, Writer};
use std::collections::VecDeque;
use std::time::Duration;

/// Of the whole time, so much may be spent on waiting for a quiet machine.
const PATIENCE: f64 = 0.03;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    /// Every point was measured or skipped as planned.
    Complete,
    /// A server or a generator failed; the rest is measured.
    WithFailures,
    /// By the user.
    Interrupted,
}

/// A run.
pub(super) struct Session<'a> {
    bench: &'a Bench<'a>,
    /// What an earlier run has measured.
    done: &'a Done,
    servers: Servers,
    writer: Writer,
    progress: Progress<'a>,
    quiet: Quiet,
    stop: &'a dyn Fn() -> bool,
    failed: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        bench: &'a Bench<'a>,
        done: &'a Done,
        servers: Servers,
        writer: Writer,
        stop: &'a dyn Fn() -> bool,
    ) -> Self {
        let patience = Duration::from_secs_f64(bench.plan.seconds() * PATIENCE);
        let progress = Progress::new(bench.plan);
        Self { bench, done, servers, writer, progress, quiet: Quiet::new(patience), stop, failed: false }
    }

    /// Runs the plan and records it point by point, but what is done already. An error is one of recording.
    pub(super) fn run(mut self) -> Result<End> {
        let plan = self.bench.plan;
        for (point, reason) in &plan.skipped {
            if !self.done.has_reason(plan, point) {
                self.writer.write(&self.bench.record(point, 1, Outcome::Skipped(reason.clone())))?;
            }
        }
        for round in 1..=plan.rounds() {
            self.servers.expect_peaks(self.done.peaks(plan, round));
            for block in plan.blocks(round) {
                self.block(block, round)?;
                if (self.stop)() {
                    return Ok(End::Interrupted);
                }
            }
            if plan.ends_a_start(round) {
                self.stop_servers();
            }
        }
        if let Some(line) = self.quiet.summary() {
            self.progress.complain(&line);
        }
        Ok(if self.failed { End::WithFailures } else { End::Complete })
    }

    /// Measures the points of one phase in one round.
    fn block(&mut self, points: Vec<Point>, round: u32) -> Result<()> {
        let (bench, stop) = (self.bench, self.stop);
        let mut points: VecDeque<Point> = points.into();
        let mut again = repeats(bench.rigor, &points);
        let mut pairs = Pairs::new(bench);
        let mut is_first = true;
        while let Some(point) = points.pop_front() {
            if self.done.has(bench.plan, &point, round) {
                self.progress.skip(&point);
                continue;
            }
            if stop() {
                break;
            }
            let is_paired = point.phase == Phase::Paired;
            if std::mem::take(&mut is_first) && is_paired {
                self.quiet.wait(stop, &|line| self.progress.wait(line));
            }
            self.progress.begin(&point);
            if is_paired && pairs.repeats_the_floor() {
                self.progress.wait("the run of the floor before it was disturbed: again");
            }
            let started_at = now();
            let outcome = if is_paired {
                pairs.measure(&point, &mut self.servers, stop)
            } else {
                bench.measure(&point, &mut self.servers, stop)
            };
            if stop() {
                break;
            }
            self.failed |= matches!(outcome, Outcome::Failed(_));
            let disturbed = matches!(&outcome, Outcome::Measured(measured) if measured.disturbed);
            let mut record = bench.record(&point, round, outcome);
            record.started_at = started_at;
            record.dropped = disturbed && again > 0;
            self.writer.write(&record)?;
            if record.dropped {
                again -= 1;
                points.push_back(point);
                self.progress.repeat(&point);
                self.quiet.wait(stop, &|line| self.progress.wait(line));
            } else {
                self.progress.end(&point, &record);
            }
        }
        Ok(())
    }

    fn stop_servers(&mut self) {
        for complaint in self.servers.stop() {
            self.progress.complain(&complaint);
            self.failed = true;
        }
    }
}

/// How many points of a block may be measured again because something disturbed them: what is compared may have a tenth
/// of them, at least two. The survey has so many points that a twentieth is enough to wait for.
fn repeats(rigor: Rigor, points: &VecDeque<Point>) -> usize {
    let share = match (rigor, points.front().map(|point| point.phase)) {
        (Rigor::Quick, _) | (_, None) => return 0,
        (_, Some(Phase::Survey)) => 20,
        _ => 10,
    };
    points.len().div_ceil(share).max(2)
}

impl Plan {
    /// Which start of the servers a round belongs to.
    pub(super) fn start_of(&self, round: u32) -> u32 {
        (round - 1) / self.rounds().div_ceil(self.amount.starts.max(1)).max(1)
    }

    /// Whether the servers are stopped after this round: the last one of a start.
    fn ends_a_start(&self, round: u32) -> bool {
        round == self.rounds() || self.start_of(round) != self.start_of(round + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::*;

    #[test]
    fn few_points_are_measured_again_and_none_in_a_quick_look() {
        let plan = plan(vec![1, 64], 1);
        let [paired, survey, ..] = plan.blocks(1).map(VecDeque::from);
        assert_eq!(repeats(Rigor::Standard, &paired), 2, "at least two");
        assert_eq!(repeats(Rigor::Quick, &paired), 0);
        assert_eq!(repeats(Rigor::Standard, &VecDeque::new()), 0);
        let many: VecDeque<Point> = survey.iter().copied().cycle().take(100).collect();
        assert_eq!(repeats(Rigor::Full, &many), 5);
        let many: VecDeque<Point> = paired.iter().copied().cycle().take(100).collect();
        assert_eq!(repeats(Rigor::Full, &many), 10);
    }

    #[test]
    fn servers_live_as_long_as_the_amount_says() {
        let ends = |rounds, starts| {
            let mut plan = plan(vec![64], rounds);
            plan.amount.starts = starts;
            (1..=rounds).filter(|&round| plan.ends_a_start(round)).collect::<Vec<_>>()
        };
        assert_eq!(ends(5, 1), [5]);
        assert_eq!(ends(9, 3), [3, 6, 9]);
        assert_eq!(ends(2, 3), [1, 2]);
        assert_eq!(ends(1, 1), [1]);
    }
}
