//! A run while it goes: block by block, and what is recorded of it.

use super::idle_gate::IdleGate;
use super::meter::{Measured, Meter};
use super::pairs::Pairs;
use super::plan::Plan;
use super::point::Point;
use super::progress::Progress;
use super::recording::{key, record};
use super::resume::{ResumePoint, peak};
use super::servers::Servers;
use anyhow::Result;
use lab_core::clock::now;
use records::{Outcome, Phase, Record, Writer};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// A pair in which the floor's two costs differ, because the machine changed its clock state, is measured
/// again, so often at most.
const STRADDLED: u32 = 3;

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
    /// Seconds that measuring again may still take: a run must end in its time on any machine.
    left_for_repeats: f64,
    failed: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(meter: &'a Meter<'a>, done: &'a ResumePoint, servers: Servers, writer: Writer) -> Self {
        let plan = meter.plan;
        let gate = IdleGate::new(Duration::from_secs_f64(plan.seconds() * plan.patience));
        let (progress, left_for_repeats) = (Progress::new(plan), plan.seconds_of_repeats());
        Self { meter, done, servers, writer, progress, gate, left_for_repeats, failed: false }
    }

    /// Runs the plan and records it point by point, but what is done already. An error is one of recording.
    pub(super) fn run(mut self) -> Result<End> {
        let plan = self.meter.plan;
        let mut seen = BTreeSet::new();
        for (point, reason) in &plan.skipped {
            // The rates of an open loop share a key.
            if seen.insert(key(plan, point)) && !self.done.has_reason(plan, point) {
                let outcome = Ok(Outcome::skipped(reason));
                self.write(point, 1, Measured { started_at: now(), outcome, round_trip_ns: None }, false)?;
            }
        }
        for round in 1..=plan.rounds {
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
        let (mut is_first, mut straddled) = (true, 0);
        while let Some(point) = points.pop_front() {
            if self.done.has(plan, point, round) {
                self.progress.skip(point);
                continue;
            }
            if stop() {
                break;
            }
            if std::mem::take(&mut is_first) && point.is_paired() || point.fresh {
                self.wait_until_idle();
            }
            self.progress.begin(point);
            if pairs.repeats_the_floor() {
                self.progress.wait("the run of the floor before it was disturbed: again");
            }
            let (measured, is_disturbed) = pairs.measure(point, &mut self.servers);
            for (floor, measured) in std::mem::take(&mut pairs.floors) {
                self.write(&floor, round, measured, false)?;
            }
            if stop() {
                break;
            }
            self.failed |= measured.outcome.is_err();
            let straddles = matches!(&measured.outcome, Ok(Outcome::Paired(pair)) if pair.straddles());
            if straddles && straddled < STRADDLED && self.may_repeat(point) {
                straddled += 1;
                self.write(point, round, measured, true)?;
                self.progress
                    .wait("the machine changed its clock state, and the floor's cost with it: again");
                points.push_front(point);
            } else if is_disturbed && again > 0 && self.may_repeat(point) {
                again -= 1;
                self.write(point, round, measured, true)?;
                self.progress.repeat(point);
                points.push_back(point);
                self.wait_until_idle();
            } else {
                straddled = 0;
                let record = self.write(point, round, measured, false)?;
                self.progress.end(point, &record);
            }
        }
        Ok(())
    }

    /// Whether there is time to measure a point again; if so it is spent.
    fn may_repeat(&mut self, point: &Point) -> bool {
        let seconds = self.meter.plan.seconds_of(point);
        let may = seconds <= self.left_for_repeats;
        if may {
            self.left_for_repeats -= seconds;
        }
        may
    }

    /// Records a point; `dropped`: it is measured again.
    fn write(&mut self, point: &Point, round: u32, measured: Measured, dropped: bool) -> Result<Record> {
        let mut record = record((self.meter.plan, self.meter.setup), (point, round), measured);
        record.context.dropped = dropped;
        self.writer.write(&record)?;
        if self.meter.peak.get().is_none() {
            self.meter.peak.set(peak(&record));
        }
        Ok(record)
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
