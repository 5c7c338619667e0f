//! The figures of a run under load, and what kept its speed from being higher.

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
    /// Right answers per second.
    pub requests_per_second: f64,
    /// Bytes received.
    pub bytes: u64,
    /// Server CPU time per right answer, over the whole process tree, the ended included. `null` without
    /// answers.
    pub cpu_us_per_request: Option<f64>,
    /// The server's CPU time; `null` where the server is on another host.
    pub server_cpu_seconds: Option<f64>,
    /// The generator's CPU time.
    pub generator_cpu_seconds: f64,
    /// CPU time that everything else on the machine used during the run, a hypervisor's share included.
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
}

/// What kept the speed of a point from being higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bottleneck {
    /// The server used its CPUs up and the generator did not.
    Server,
    /// The generator used its CPUs up: the server could do more.
    Generator,
    /// Some clients were not served at all.
    Clients,
    /// Nobody was busy all the time; with few clients it is the way there and back.
    Neither,
    /// An open loop fell short of its rate though neither side was busy all the time: something else stood in
    /// the way.
    #[serde(rename = "rate not reached")]
    Unreached,
}

impl Bottleneck {
    /// Decides from the share of their CPUs that both sides used. A point is the server's limit only if
    /// the generator certainly had something left.
    pub fn of(server_share: f64, generator_share: f64, all_clients_served: bool) -> Self {
        if !all_clients_served {
            Self::Clients
        } else if generator_share > 0.90 {
            Self::Generator
        } else if server_share >= 0.95 {
            Self::Server
        } else {
            Self::Neither
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_the_servers_limit_only_if_the_generator_had_time_left() {
        assert_eq!(Bottleneck::of(0.99, 0.50, true), Bottleneck::Server);
        assert_eq!(Bottleneck::of(0.99, 0.95, true), Bottleneck::Generator);
        assert_eq!(Bottleneck::of(0.40, 0.95, true), Bottleneck::Generator);
        assert_eq!(Bottleneck::of(0.40, 0.50, true), Bottleneck::Neither);
        assert_eq!(Bottleneck::of(0.99, 0.50, false), Bottleneck::Clients);
    }
}
