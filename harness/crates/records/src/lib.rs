//! What was measured: one JSON object a line, written once and never changed; the files of `results/data`,
//! and the summaries that are computed from records.
//!
//! It does not know how a figure was measured, nor how it is drawn: who measures writes records, who draws
//! reads them.

mod cells;
mod disturbance;
mod file;
mod grades;
mod idle;
mod latencies;
mod pairs;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
mod seed_table;
mod servers;
mod slow;
mod spin;

pub use cells::{Cell, Shape, cells};
pub use disturbance::disturbance;
pub use file::{Claim, Content, Writer, ensure_room, newest, newest_first, read};
pub use grades::{Grade, Probed, grades, ungraded};
pub use idle::{IdleCost, idle};
pub use latencies::{LatencyCurve, LatencyPoint, latencies};
pub use pairs::{Pair, pairs};
pub use seed_table::{SeedCell, SeedPoint, SeedRow, SeedTable, seed_table};
pub use servers::{FLOOR, is_reference, label, order};
pub use slow::{SlowPoint, slow};
pub use spin::{SpinPoint, spin};

use lab_core::host::Host;
use lab_core::stats::Percentiles;
use serde::{Deserialize, Serialize};

/// What a point is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Speed under each load, by each tool.
    #[default]
    Survey,
    /// CPU time per request, each run between two runs of the floor.
    Paired,
    /// How long requests wait at a fixed rate: an open loop at a share of the server's peak.
    Latency,
    /// Memory of connections that say nothing.
    Idle,
    /// A row of seed 002's table: webbench with 1 to 3,000 clients.
    Table,
    /// Requests that keep a CPU busy, against the number of workers.
    Spin,
    /// Quick requests at a fixed rate beside a few that sleep.
    Slow,
}

/// What a server is to the lab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A stage or a twin.
    #[default]
    Stage,
    /// Something to compare with: the floor, nginx, h2o.
    Reference,
    /// A server that was running already, somewhere: nothing but its replies is known.
    Target,
}

/// One point of the plan in one round: measured, or skipped with the reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The server: `05`, `05-mio`, `floor`.
    pub stage: String,
    /// Its title.
    pub title: String,
    /// What it is to the lab.
    #[serde(default)]
    pub kind: Kind,
    /// The configuration that it ran with, if it is not one of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
    /// What the point is for.
    #[serde(default)]
    pub phase: Phase,
    /// The generator.
    pub tool: String,
    /// Clients at once.
    pub concurrency: usize,
    /// Whether a client kept its connection.
    pub keep_alive: bool,
    /// Requests sent before the replies are read; 1 is no pipelining.
    pub pipeline: usize,
    /// What was asked for.
    pub path: String,
    /// The length of a right reply's body.
    pub body_bytes: u64,
    /// How long the generator was told to run.
    pub duration_seconds: f64,
    /// The round, from 1.
    pub round: u32,
    /// How many points the whole run has, so that a part of it can be told.
    #[serde(default)]
    pub points_planned: usize,
    /// What the order of the points was shuffled with.
    pub seed: u64,
    /// A quick look: one short round.
    pub quick: bool,
    /// The command that made it, without what only says where the results go.
    #[serde(default)]
    pub command: String,
    /// When the point was begun, UTC.
    pub started_at: String,
    /// The CPUs that the server was bound to.
    pub server_cpus: Vec<usize>,
    /// The CPUs that the generator was bound to.
    pub generator_cpus: Vec<usize>,
    /// The host that ran the generator, where it was not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator_host: Option<String>,
    /// Of the server's `--workers`, if it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
    /// How many of the clients the server serves at the same time: counted by a run that checks every reply,
    /// before the point. 0 where there are no figures: nobody is known to have been served. (Older records of
    /// the table and of the scenarios name all clients there.)
    pub clients_served: usize,
    /// Why there are no figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What a reader of the figures should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Disturbed by other programs and measured again: kept, but left out of every summary.
    #[serde(default)]
    pub dropped: bool,
    /// In a paired point: the floor's CPU time per request in the run before and in the run after, µs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_around: Option<[f64; 2]>,
    /// In a point of an open loop: what was sent, and how long it took to come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_loop: Option<OpenLoop>,
    /// Where some of the requests asked for another path: what came of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<Mix>,
    /// In a point of the idle phase: what connections that say nothing cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Idle>,
    /// The figures; their fields stand beside the others in the file.
    #[serde(flatten)]
    pub figures: Option<Figures>,
    /// The machine.
    pub host: Host,
}

/// An open loop: requests leave at fixed times, whether answers come or not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenLoop {
    /// Requests per second that were to be sent.
    pub rate: f64,
    /// That rate over the server's peak, which a closed loop of the same generator found in the same run;
    /// `None` where the rate is the same for every server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_of_peak: Option<f64>,
    /// From the intended time of sending to the whole reply. A lower bound where the end left requests
    /// without one: those that never left are in it with the time that they had waited, and so are those that
    /// were on their way and had waited longer than 99 of 100 answered ones.
    pub latency_us: Percentiles,
    /// Requests that left more than a millisecond after their time.
    pub late: u64,
    /// Requests that never left, because every connection was waiting.
    pub never_sent: u64,
}

/// The requests that asked for another path than the others. The figures of the point are of the others
/// alone, but for the bytes and the CPU time, which are of both, and the CPU time per request, which is over
/// both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mix {
    /// How many of a hundred requests, evenly spread.
    pub percent: u64,
    /// What they asked for.
    pub path: String,
    /// Right answers.
    pub requests: u64,
    /// Failed, short and refused ones.
    pub errors: u64,
    /// In an open loop: those that never left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub never_sent: Option<u64>,
    /// In an open loop: from the intended time of sending to the whole reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<Percentiles>,
    /// From sending to the whole reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_us: Option<Percentiles>,
}

/// Connections that say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Idle {
    /// How many.
    pub connections: usize,
    /// Pss of the process tree that each added while it had asked for nothing, bytes. The kernel's own memory
    /// is not in it.
    pub silent_bytes: f64,
    /// The same after each had been served once and was kept.
    pub served_bytes: f64,
}

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
    pub limiter: Limiter,
}

/// What kept the speed of a point from being higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limiter {
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

impl OpenLoop {
    /// Less than this share of the intended answers a second is another load than the one that was meant.
    const REACHED: f64 = 0.95;

    /// Whether the rate was reached with so many right answers per second, on every path. If not, the times
    /// are no latencies at that rate, but those of a run that fell behind: lower bounds that grow with the
    /// run's length.
    pub fn is_reached(&self, answered: f64) -> bool {
        answered >= Self::REACHED * self.rate
    }
}

impl Figures {
    /// Whether something else used more than a tenth of a CPU: the speed is then lower than it could be.
    pub fn is_disturbed(&self) -> bool {
        self.other_cpu_seconds.is_some_and(|other| other > 0.10 * self.seconds)
    }
}

impl Limiter {
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
    use crate::sample::record;

    #[test]
    fn the_fields_that_readers_rely_on_have_their_names() {
        let json = serde_json::to_value(record("05", "wrk", 64, true, 50_000.0)).expect("it can be written");
        let names = "stage tool concurrency keep_alive requests_per_second errors cpu_us_per_request \
                     context_switches peak_memory_bytes limiter round seed host path body_bytes clients_served";
        for name in names.split_whitespace() {
            assert!(json.get(name).is_some(), "{name} is missing");
        }
    }

    #[test]
    fn a_point_is_the_servers_limit_only_if_the_generator_had_time_left() {
        assert_eq!(Limiter::of(0.99, 0.50, true), Limiter::Server);
        assert_eq!(Limiter::of(0.99, 0.95, true), Limiter::Generator);
        assert_eq!(Limiter::of(0.40, 0.95, true), Limiter::Generator);
        assert_eq!(Limiter::of(0.40, 0.50, true), Limiter::Neither);
        assert_eq!(Limiter::of(0.99, 0.50, false), Limiter::Clients);
    }
}
