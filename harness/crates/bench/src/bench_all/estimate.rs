//! How long a plan will take.

use super::plan::{Plan, SHARES};
use super::point::Point;
use crate::generators::{Tool, WARM_UP};
use records::Phase;
use std::collections::BTreeSet;
use std::time::Duration;

impl Plan {
    /// How long the generator runs for a point.
    pub(super) fn duration_of(&self, point: &Point) -> Duration {
        match point.phase {
            Phase::Latency => self.amount.open_loop,
            _ => self.amount.duration,
        }
    }

    /// Seconds that a point will take.
    pub(super) fn seconds_of(&self, point: &Point) -> f64 {
        /// Reading `/proc` before and after, and waiting for the last connection's end.
        const AROUND: f64 = 0.02;
        /// A start, connecting them, asking once on each, a few looks at the memory.
        const IDLE: f64 = 0.7;
        let run = match point.tool {
            Tool::Builtin => self.duration_of(point).as_secs_f64(),
            _ => self.duration_of(point).as_secs_f64().ceil(),
        };
        let once = run + point.tool.overhead_seconds() + AROUND;
        match point.phase {
            Phase::Latency => once + WARM_UP.as_secs_f64(),
            Phase::Idle => IDLE,
            // With the run of the floor after it.
            Phase::Paired => 2.0 * once,
            _ => once,
        }
    }

    /// Seconds that the whole run will take.
    pub(super) fn seconds(&self) -> f64 {
        /// Starting a server, asking it once, stopping it.
        const PER_SERVER: f64 = 0.15;
        /// Waiting for a quiet machine, if it is quiet.
        const GATE: f64 = 0.25;
        let points: f64 =
            self.all().map(|point| f64::from(self.rounds_of(point)) * self.seconds_of(point)).sum();
        let blocks = f64::from(self.amount.rounds);
        // The run of the floor before the first pair of a block is one more half of a pair.
        let before = self.paired.first().map_or(0.0, |point| GATE + self.seconds_of(point) / 2.0);
        let count = self.amount.counting.as_secs_f64() + Tool::Builtin.overhead_seconds();
        // A closed loop finds the peak that the rates are shares of.
        let peaks: f64 = self
            .latency
            .iter()
            .filter(|point| point.share == SHARES[0])
            .map(|point| self.seconds_of(point))
            .sum();
        let starts = self.subjects.len() as f64 * PER_SERVER + self.counts() as f64 * count + peaks;
        points + blocks * before + f64::from(self.amount.starts) * starts
    }

    /// How many different loads have their clients counted, at each start.
    fn counts(&self) -> usize {
        let counted = self.all().filter(|point| point.phase != Phase::Idle).map(|point| {
            // The floor is another process for ab: it must be told what its clients expect.
            let other = point.tool == Tool::Ab && point.keep_alive && self.subjects[point.subject].is_floor();
            (point.subject, point.keep_alive, point.concurrency, other)
        });
        counted.collect::<BTreeSet<_>>().len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::{ALL, plan, plan_of};
    use super::super::rigor::Rigor;

    #[test]
    fn the_estimate_grows_with_rounds_and_covers_the_measuring() {
        let (one, three) = (plan(vec![1, 64], 1), plan(vec![1, 64], 3));
        assert!(three.seconds() > 2.5 * one.seconds() && three.seconds() < 3.0 * one.seconds() + 1e-6);
        assert!(one.seconds() > one.points.len() as f64 * 2.0);
    }

    /// 01 and 03 serve 1 and 4 clients at once; a run has these, the others, and three references.
    #[test]
    fn a_run_of_every_server_fits_into_its_time() {
        for servers in [10, 14] {
            let mut limits = vec![None; servers];
            (limits[0], limits[2]) = (Some(1), Some(4));
            for rigor in [Rigor::Quick, Rigor::Standard] {
                let plans = rigor.amounts().into_iter().map(|amount| plan_of(&limits, amount, &ALL));
                let budget = rigor.budget().expect("both have one");
                let times: Vec<f64> = plans.map(|plan| plan.seconds()).collect();
                assert!(times.iter().any(|&time| time <= budget), "{servers} servers, {rigor:?}: {times:?}");
                assert!(times.is_sorted_by(|more, less| more > less), "the richest is first: {times:?}");
            }
        }
    }
}
