//! How long a plan will take.

use super::plan::Plan;
use super::point::{Method, Point};
use super::turns::{TURN, WARM_UP, turns_in};
use crate::generators::Tool;
use std::collections::BTreeSet;

impl Plan {
    /// Seconds that a point will take.
    pub fn seconds_of(&self, point: &Point) -> f64 {
        /// Reading `/proc` before and after, waiting for the last connection's end, the round trips.
        const AROUND: f64 = 0.05;
        /// A start, connecting them, asking once on each, a few looks at the memory.
        const IDLE: f64 = 0.7;
        /// Starting a server, and waiting for an idle machine, if it is idle.
        const FRESH: f64 = 0.43;
        /// Making one of webbench's processes and waiting for its end.
        const PROCESS: f64 = 0.000_5;
        if point.method == Method::Idle {
            return IDLE;
        }
        let run = match point.tool {
            Tool::Builtin => point.load.duration.as_secs_f64() + point.load.warm_up.as_secs_f64(),
            Tool::Webbench => point.load.whole_seconds() as f64 + PROCESS * point.load.concurrency as f64,
            Tool::Ab | Tool::Wrk => point.load.whole_seconds() as f64,
        };
        /// Waiting for the last replies of each turn, over the time of the turns.
        const LAST_REPLIES: f64 = 0.05;
        /// The two looks into `/proc` and the round trips around a pair in turns.
        const AROUND_TURNS: f64 = 0.08;
        /// Opening a silent connection, and seeing what it costs.
        const SILENT: f64 = 0.000_4;
        let once = run + point.tool.overhead_seconds() + AROUND + SILENT * point.idle.unwrap_or(0) as f64;
        let counting = if point.counts_clients() { self.counting_seconds() } else { 0.0 };
        match point.fresh {
            true => once + FRESH + counting,
            false if point.takes_turns() => {
                let turns = f64::from(WARM_UP + turns_in(point.load.duration));
                2.0 * turns * TURN.as_secs_f64() * (1.0 + LAST_REPLIES) + AROUND_TURNS
            }
            // With the run of the floor after it.
            false if point.is_paired() => 2.0 * once,
            false => once,
        }
    }

    /// Seconds that measuring points again may take, all together: no more than is announced.
    pub(super) fn seconds_of_repeats(&self) -> f64 {
        /// Of the time of the points that may be measured again.
        const REPEATS: f64 = 0.05;
        let may_be_repeated = |point: &&Point| self.repeats || point.is_paired();
        REPEATS
            * self.points().filter(may_be_repeated).map(|point| self.seconds_of_rounds(point)).sum::<f64>()
    }

    fn seconds_of_rounds(&self, point: &Point) -> f64 {
        f64::from(self.rounds_of(point)) * self.seconds_of(point)
    }

    /// Seconds that the whole run will take.
    pub fn seconds(&self) -> f64 {
        /// Waiting for an idle machine, if it is idle.
        const GATE: f64 = 0.25;
        let points: f64 = self.points().map(|point| self.seconds_of_rounds(point)).sum();
        // Where the floor runs before and after, its run before the first pair of a block is half a pair.
        let blocks = self.blocks.iter().filter_map(|block| block.first().filter(|point| point.is_paired()));
        let before = |point: &Point| {
            let run = if point.takes_turns() { 0.0 } else { self.seconds_of(point) / 2.0 };
            f64::from(self.rounds_of(point)) * (GATE + run)
        };
        let starts = f64::from(self.starts) * self.start_seconds();
        points + blocks.map(before).sum::<f64>() + starts + self.seconds_of_repeats()
    }

    /// Seconds that a start of the servers that live on takes, with what is found out of them once.
    fn start_seconds(&self) -> f64 {
        /// Starting a server, asking it once, stopping it.
        const PER_SERVER: f64 = 0.15;
        let kept = || self.points().filter(|point| !point.fresh);
        let servers: BTreeSet<usize> = kept().map(|point| point.subject).collect();
        let counted = kept().filter(|point| point.counts_clients()).map(|point| {
            // The floor is another process for ab: it must be told what its clients expect.
            let other = point.tool == Tool::Ab && point.load.keep_alive && self.subject(point).is_floor();
            (point.subject, point.load.keep_alive, point.load.concurrency, other)
        });
        let counts = counted.collect::<BTreeSet<_>>().len();
        // The floor of pairs in turns is a process of its own, with as many clients as each server has.
        let turns = kept().filter(|point| point.takes_turns());
        let beside = turns.map(|point| (point.load.keep_alive, point.load.concurrency));
        let beside = beside.collect::<BTreeSet<_>>().len();
        servers.len() as f64 * PER_SERVER + (counts + beside) as f64 * self.counting_seconds()
    }

    fn counting_seconds(&self) -> f64 {
        self.counting.as_secs_f64() + Tool::Builtin.overhead_seconds()
    }
}
