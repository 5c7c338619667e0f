//! A run while it goes: block by block, and what is recorded of it.

use super::idle_gate::IdleGate;
use super::meter::Meter;
use super::pairs::Pairs;
use super::plan::Plan;
use super::point::Point;
use super::progress::Progress;
use super::recording::record;
use super::resume::ResumePoint;
use super::servers::Servers;
use anyhow::Result;
use lab_core::clock::now;
use records::{Outcome, Phase, Writer};
use std::collections::VecDeque;
use std::time::Duration;

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
    meter: &'a Meter<'a>,
    /// What an earlier run has measured.
    done: &'a ResumePoint,
    servers: Servers,
    writer: Writer,
    progress: Progress<'a>,
    gate: IdleGate,
    failed: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(meter: &'a Meter<'a>, done: &'a ResumePoint, servers: Servers, writer: Writer) -> Self {
        let plan = meter.plan;
        let gate = IdleGate::new(Duration::from_secs_f64(plan.seconds() * plan.patience));
        Self { meter, done, servers, writer, progress: Progress::new(plan), gate, failed: false }
    }

    /// Runs the plan and records it point by point, but what is done already. An error is one of recording.
    pub(super) fn run(mut self) -> Result<End> {
        let plan = self.meter.plan;
        for (point, reason) in &plan.skipped {
            if !self.done.has_reason(plan, point) {
                let outcome = Outcome::skipped(reason);
                self.writer.write(&record((plan, self.meter.setup), (point, 1), now(), outcome))?;
            }
        }
        for round in 1..=plan.rounds {
            self.servers.expect_peaks(self.done.peaks(plan, round));
            for block in plan.round(round) {
                self.block(block.into(), round)?;
                if (self.meter.stop)() {
                    return Ok(End::Interrupted);
                }
            }
            if plan.ends_a_start(round) {
                self.stop_servers();
            }
        }
        if let Some(line) = self.gate.summary() {
            self.progress.complain(&line);
        }
        Ok(if self.failed { End::WithFailures } else { End::Complete })
    }

    /// Measures the points of one block in one round.
    fn block(&mut self, mut points: VecDeque<&Point>, round: u32) -> Result<()> {
        let (plan, stop) = (self.meter.plan, self.meter.stop);
        let mut again = repeats(plan, &points);
        let mut pairs = Pairs::new(self.meter);
        let mut is_first = true;
        while let Some(point) = points.pop_front() {
            if self.done.has(plan, point, round) {
                self.progress.skip(point);
                continue;
            }
            if stop() {
                break;
            }
            if std::mem::take(&mut is_first) && point.phase == Phase::Paired || point.fresh {
                self.wait_until_idle();
            }
            self.progress.begin(point);
            if pairs.repeats_the_floor(point) {
                self.progress.wait("the run of the floor before it was disturbed: again");
            }
            let started_at = now();
            let measured = pairs.measure(point, &mut self.servers);
            if stop() {
                break;
            }
            self.failed |= measured.is_err();
            let (outcome, disturbed) =
                measured.unwrap_or_else(|error| (Outcome::skipped(format!("{error:#}")), false));
            let mut record = record((plan, self.meter.setup), (point, round), started_at, outcome);
            record.context.dropped = disturbed && again > 0;
            self.writer.write(&record)?;
            if record.context.dropped {
                again -= 1;
                points.push_back(point);
                self.progress.repeat(point);
                self.wait_until_idle();
            } else {
                self.progress.end(point, &record);
            }
        }
        Ok(())
    }

    fn wait_until_idle(&mut self) {
        self.gate.wait_until_idle(self.meter.stop, &|line| self.progress.wait(line));
    }

    fn stop_servers(&mut self) {
        for complaint in self.servers.stop() {
            self.progress.complain(&complaint);
            self.failed = true;
        }
    }
}

/// How many points of a block may be measured again because something disturbed them: what is compared may
/// have a tenth of them, at least two. The survey has so many points that a twentieth is enough to wait for.
fn repeats(plan: &Plan, points: &VecDeque<&Point>) -> usize {
    let share = match points.front().map(|point| point.phase) {
        Some(Phase::Survey) if plan.repeats => 20,
        Some(_) if plan.repeats => 10,
        _ => return 0,
    };
    points.len().div_ceil(share).max(2)
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::*;

    #[test]
    fn few_points_are_measured_again_and_none_in_a_quick_look() {
        let plan = plan(1);
        let blocks: Vec<VecDeque<&Point>> = plan.round(1).into_iter().map(VecDeque::from).collect();
        assert_eq!(repeats(&plan, &blocks[0]), 2, "at least two");
        assert_eq!(repeats(&Plan { repeats: false, ..plan.clone() }, &blocks[0]), 0);
        assert_eq!(repeats(&plan, &VecDeque::new()), 0);
        let many = |block: usize| blocks[block].iter().copied().cycle().take(100).collect();
        assert_eq!((repeats(&plan, &many(1)), repeats(&plan, &many(0))), (5, 10));
    }
}
