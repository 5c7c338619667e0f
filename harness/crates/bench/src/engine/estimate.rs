//! How long a plan will take.

use super::plan::Plan;
use super::point::{Method, Point};
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
        /// The share of the pairs that are measured again.
        const AGAIN: f64 = 0.15;
        /// Opening a silent connection, and seeing what it costs.
        const SILENT: f64 = 0.000_4;
        let once = run + point.tool.overhead_seconds() + AROUND + SILENT * point.idle.unwrap_or(0) as f64;
        let counting = if point.counts_clients() { self.counting_seconds() } else { 0.0 };
        match point.fresh {
            true => once + FRESH + counting,
            // With the run of the floor after it.
            false if point.is_paired() => 2.0 * once * (1.0 + AGAIN),
            false => once,
        }
    }

    /// Seconds that the whole run will take.
    pub fn seconds(&self) -> f64 {
        /// Waiting for an idle machine, if it is idle.
        const GATE: f64 = 0.25;
        let points: f64 =
            self.points().map(|point| f64::from(self.rounds_of(point)) * self.seconds_of(point)).sum();
        // The run of the floor before the first pair of a block is one more half of a pair.
        let blocks = self.blocks.iter().filter_map(|block| block.first().filter(|point| point.is_paired()));
        let before = |point: &Point| f64::from(self.rounds_of(point)) * (GATE + self.seconds_of(point) / 2.0);
        points + blocks.map(before).sum::<f64>() + f64::from(self.starts) * self.start_seconds()
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
        servers.len() as f64 * PER_SERVER + counts as f64 * self.counting_seconds()
    }

    fn counting_seconds(&self) -> f64 {
        self.counting.as_secs_f64() + Tool::Builtin.overhead_seconds()
    }
}
