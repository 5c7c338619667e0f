//! The figures of a run under load, and what kept its speed from being higher.

use super::OpenLoop;
use lab_core::stats::Percentiles;
use serde::{Deserialize, Serialize};

/// The figures of one point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Right answers.
    pub requests: u64,
    /// Failed, short and refused ones.
    pub errors: u64,
    /// The time that the tool measured over.
    pub seconds: f64,
    /// The time over which the CPU times of the server and of the generator were read: between two instants
    /// inside `seconds`, the same two for both. They are scaled to `seconds`, so that their shares of it can
    /// be told. `None` where they were read over the whole run of the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<f64>,
    /// Right answers per second.
    pub requests_per_second: f64,
    /// Bytes received.
    pub bytes: u64,
    /// Server CPU time per right answer, over the whole process tree, the ended included, and over the whole
    /// run after its warm-up, of which `server_cpu_seconds` is the middle. `null` without answers.
    pub cpu_us_per_request: Option<f64>,
    /// The server's CPU time; `null` where the server is on another host.
    pub server_cpu_seconds: Option<f64>,
    /// The generator's CPU time.
    pub generator_cpu_seconds: f64,
    /// CPU time that everything else on the machine used during the run, a hypervisor's share included. Of a
    /// pair in turns, by the share of its time that was the server's; so is the steal time.
    #[serde(default)]
    pub other_cpu_seconds: Option<f64>,
    /// Context switches of the server; `null` where ended threads or processes took the count with them.
    pub context_switches: Option<u64>,
    /// The largest Pss of the server's process tree that was seen, about four looks a second.
    pub peak_memory_bytes: Option<u64>,
    /// Times that the kernel found an accept queue full (`ListenOverflows`), in the whole network namespace.
    #[serde(default)]
    pub listen_overflows: Option<u64>,
    /// Connections that it dropped for any reason while it was to queue them (`ListenDrops`).
    #[serde(default)]
    pub listen_drops: Option<u64>,
    /// CPU time that the hypervisor gave to others, all CPUs together.
    #[serde(default)]
    pub steal_seconds: Option<f64>,
    /// What the tool itself says of the time from sending to the reply. A closed loop hides the waiting: kept
    /// for the sceptic, never drawn as latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_loop_us: Option<Percentiles>,
    /// What kept the speed from being higher.
    pub limiter: Bottleneck,
}

impl Figures {
    /// Whether something else used more than a tenth of a CPU: the speed is then lower than it could be.
    pub fn is_disturbed(&self) -> bool {
        self.other_cpu_seconds.is_some_and(|other| other > 0.10 * self.seconds)
    }

    /// The shares of their CPUs that the server and the generator used; 0 for a server on another host.
    pub fn shares(&self, (server_cpus, generator_cpus): (usize, usize)) -> (f64, f64) {
        let share = |seconds: f64, cpus: usize| seconds / (self.seconds * cpus as f64).max(f64::MIN_POSITIVE);
        let server = self.server_cpu_seconds.unwrap_or(0.0);
        (share(server, server_cpus), share(self.generator_cpu_seconds, generator_cpus))
    }
}

/// What kept the speed of a point from being higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bottleneck {
    /// The server used its CPUs up and the generator did not.
    Server,
    /// The generator used its CPUs up and the server did not: the server could do more.
    Generator,
    /// Both used their CPUs up: neither could have done much more.
    Both,
    /// Some clients were not served at all.
    Clients,
    /// Neither side was busy all the time; with few clients the round trips are the limit.
    Neither,
    /// An open loop fell short of its rate though neither side was busy all the time: something else stood in
    /// the way.
    #[serde(rename = "rate not reached")]
    Unreached,
}

impl Bottleneck {
    /// A server that used at least this share of its CPUs was busy all the time.
    const SERVER_BUSY: f64 = 0.95;
    /// A generator that used more than this share of its CPUs had nothing left.
    const GENERATOR_BUSY: f64 = 0.90;

    /// Decides from the shares of their CPUs that the server and the generator used in a closed loop.
    pub fn of((server, generator): (f64, f64), all_clients_served: bool) -> Self {
        match (server >= Self::SERVER_BUSY, generator > Self::GENERATOR_BUSY) {
            _ if !all_clients_served => Self::Clients,
            (true, true) => Self::Both,
            (true, false) => Self::Server,
            (false, true) => Self::Generator,
            (false, false) => Self::Neither,
        }
    }

    /// The same for an open loop with so many right answers per second. A generator that needs no time for a
    /// request spends it on waiting for the next one: one that is busy all the time is the limit only if it
    /// could not keep its times.
    pub fn of_open_loop(
        (server, generator): (f64, f64),
        all_clients_served: bool,
        (open_loop, seconds): (&OpenLoop, f64),
        answered: f64,
    ) -> Self {
        let generator = if open_loop.kept_its_times(seconds) { 0.0 } else { generator };
        match Self::of((server, generator), all_clients_served) {
            Self::Neither if !open_loop.is_reached(answered) => Self::Unreached,
            limit => limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_has_one_of_four_limits_unless_clients_starve() {
        assert_eq!(Bottleneck::of((0.99, 0.50), true), Bottleneck::Server);
        assert_eq!(Bottleneck::of((0.99, 0.95), true), Bottleneck::Both);
        assert_eq!(Bottleneck::of((0.94, 0.95), true), Bottleneck::Generator);
        assert_eq!(Bottleneck::of((0.40, 0.50), true), Bottleneck::Neither);
        assert_eq!(Bottleneck::of((0.99, 0.50), false), Bottleneck::Clients);
    }

    #[test]
    fn a_generator_that_waits_busily_is_no_limit_while_it_keeps_its_times() {
        let latency_us = Percentiles { p50: 1, p90: 1, p99: 1, p99_9: 1, max: 1 };
        let open = |late, never_sent| OpenLoop {
            rate: 10_000.0,
            share_of_peak: Some(0.9),
            latency_us,
            over_5ms: None,
            late,
            never_sent,
        };
        let rows = [
            (open(100, 0), (0.7, 0.99), 10_000.0, true, Bottleneck::Neither),
            (open(100, 0), (0.7, 0.99), 9_000.0, true, Bottleneck::Unreached),
            (open(120, 0), (0.7, 0.99), 10_000.0, true, Bottleneck::Generator),
            (open(120, 0), (0.97, 0.99), 9_000.0, true, Bottleneck::Both),
            (open(120, 0), (0.97, 0.5), 9_000.0, true, Bottleneck::Server),
            // What never left waited for the server to the end.
            (open(60, 600), (0.97, 0.99), 9_000.0, true, Bottleneck::Server),
            (open(0, 0), (0.97, 0.99), 10_000.0, true, Bottleneck::Server),
            (open(0, 0), (0.97, 0.99), 10_000.0, false, Bottleneck::Clients),
        ];
        for (open, shares, answered, all_served, expected) in rows {
            let found = Bottleneck::of_open_loop(shares, all_served, (&open, 1.0), answered);
            assert_eq!(found, expected, "{open:?} {shares:?} {answered}");
        }
    }
}
