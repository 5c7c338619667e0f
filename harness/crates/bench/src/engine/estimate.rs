//! How long a plan will take.

use super::plan::Plan;
use super::point::{Method, Point};
use crate::generators::{Tool, WARM_UP};
use records::Phase;
use std::collections::{BTreeMap, BTreeSet};

impl Plan {
    /// Seconds that a point will take.
    pub fn seconds_of(&self, point: &Point) -> f64 {
        /// Reading `/proc` before and after, and waiting for the last connection's end.
        const AROUND: f64 = 0.02;
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
        let once = run + point.tool.overhead_seconds() + AROUND;
        let counting = if point.counts_clients() { self.counting_seconds() } else { 0.0 };
        match point.phase {
            _ if point.fresh => once + FRESH + counting,
            // With the run of the floor after it.
            Phase::Paired => 2.0 * once,
            _ => once,
        }
    }

    /// Seconds that the whole run will take.
    pub fn seconds(&self) -> f64 {
        /// Waiting for an idle machine, if it is idle.
        const GATE: f64 = 0.25;
        let points: f64 =
            self.points().map(|point| f64::from(self.rounds_of(point)) * self.seconds_of(point)).sum();
        // The run of the floor before the first pair of a block is one more half of a pair.
        let before = self.of(Phase::Paired).next().map_or(0.0, |point| GATE + self.seconds_of(point) / 2.0);
        points + f64::from(self.rounds) * before + f64::from(self.starts) * self.start_seconds()
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
        // A closed loop finds the peak that the rates are shares of.
        let shares = kept().filter(|point| point.share().is_some());
        let peaks: BTreeMap<usize, f64> =
            shares.map(|point| (point.subject, self.seconds_of(point) - WARM_UP.as_secs_f64())).collect();
        servers.len() as f64 * PER_SERVER
            + counts as f64 * self.counting_seconds()
            + peaks.values().sum::<f64>()
    }

    fn counting_seconds(&self) -> f64 {
        self.counting.as_secs_f64() + Tool::Builtin.overhead_seconds()
    }
}
