//! What came of a point: one structure for each kind of measurement. In the file the fields of all of them
//! stand beside those of the key and the context.

use super::Figures;
use lab_core::stats::Percentiles;
use serde::{Deserialize, Serialize};

/// What came of a point. Which one a line of a file holds is told by the field that only this kind has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a record has figures, an idle measurement, or the reason why it was skipped")]
pub enum Outcome {
    /// Nothing was measured.
    Skipped(Skip),
    /// Connections that say nothing.
    IdleMemory(IdleMemory),
    /// A closed loop beside the floor.
    Paired(Paired),
    /// An open loop.
    Latency(Box<Latency>),
    /// A closed loop.
    Throughput(Throughput),
}

/// Why there are no figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skip {
    /// The reason, in words.
    #[serde(rename = "skipped")]
    pub reason: String,
    /// No client is known to have been served. (Older records of the table and of the scenarios name all
    /// clients.)
    #[serde(flatten)]
    pub served: Served,
}

/// How many clients were served, and with what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Served {
    /// How many of the clients the server serves at the same time: counted by a run that checks every reply,
    /// before the point. 0 where there are no figures.
    #[serde(rename = "clients_served")]
    pub clients: usize,
    /// The length of a right reply's body.
    pub body_bytes: u64,
}

/// The speed under a load, by a closed loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// How many clients were served.
    #[serde(flatten)]
    pub served: Served,
}

/// The same beside the floor: in turns with it, or between two runs of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// The floor's CPU time per request, µs: in its odd turns and in its even ones, between which the
    /// server's turns lie; without `slices`, in a run before the server's and in one after it. What the floor
    /// did is a record of its own, in the phase `floor`.
    pub floor_around: [f64; 2],
    /// How many turns each of the two had. The figures are those of the server's turns: their time is that of
    /// these, and its CPU time is that of the whole pair, for in the floor's turns it has nothing to do.
    /// `None`: the floor ran before and after, as in all records of before there were turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slices: Option<u32>,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// How many clients were served.
    #[serde(flatten)]
    pub served: Served,
}

/// How long requests wait that leave at fixed times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// What was sent, and how long it took to come back.
    pub open_loop: OpenLoop,
    /// Where some of the requests asked for another path: what came of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<Mix>,
    /// Where silent connections were open beside the active ones: their memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// Where the clients give up soon: what became of their requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_timeout: Option<ClientTimeout>,
    /// Where the workers were looked at: what each had of the load; the slowed one first, then by requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_worker: Option<Vec<WorkerLoad>>,
    /// Where the workers were looked at: how long the requests beside the load took, those of all workers
    /// together. Each of their connections has its own times, where those of the load take whichever
    /// connection is free, and so avoid a worker that lets its clients wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled_us: Option<Percentiles>,
    /// Where other clients asked for long requests: what came of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_requests: Option<LongRequests>,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// How many clients were served.
    #[serde(flatten)]
    pub served: Served,
}

/// Requests beside the load that each keep a thread of the server busy for long. They come at random times,
/// those of each connection one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LongRequests {
    /// What they asked for.
    pub path: String,
    /// How many connections carried them.
    pub connections: u64,
    /// How many were to be sent in a second, all connections together, on average.
    pub rate: f64,
    /// Right answers to those that were due while the load was measured.
    pub requests: u64,
    /// How long these took from the time at which they were due. `None` if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_us: Option<Percentiles>,
}

/// What one worker of a server had of the load. Which connection it had is seen from outside: its epoll
/// instance names the sockets that it watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerLoad {
    /// Its thread.
    pub thread: i32,
    /// Whether this one was slowed down: by requests that let it sleep, or since it had all long ones.
    pub slowed: bool,
    /// Connections of the load that it had open when it was looked at. Where a connection carries one request
    /// they come and go, and this is as many as the requests.
    pub connections: u64,
    /// Requests of the load that it has served: its part of the bytes that all workers have read.
    pub requests: u64,
    /// CPU time that it used meanwhile, s.
    pub cpu_seconds: f64,
    /// Requests beside the load whose worker is known.
    pub samples: u64,
    /// How long these took: kept connections from the intended time of sending to the reply, others from
    /// that of connecting. `None` if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_us: Option<Percentiles>,
}

/// Clients that give a request up, and its connection, when they have waited so long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientTimeout {
    /// How long they wait.
    pub timeout_ms: u64,
    /// Right answers that came within this time of the intended time of sending.
    pub in_time: u64,
    /// Requests that were refused at once: any other status than the right one.
    pub refused: u64,
    /// Requests that were given up.
    pub given_up: u64,
    /// From the intended time of sending to the whole reply, of the right answers alone: what was given up is
    /// not in it. `None` if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_us: Option<Percentiles>,
}

/// What connections that say nothing cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdleMemory {
    /// The memory of each.
    pub idle: Idle,
    /// How many clients were served.
    #[serde(flatten)]
    pub served: Served,
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
    /// Requests in these latencies that took longer than 5 ms; `None` in records of before they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_5ms: Option<u64>,
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

/// Silent connections that were open while others were active.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// How many.
    pub connections: usize,
    /// Pss of the server's process tree that all of them added before any load, bytes.
    pub user_bytes: u64,
    /// Kernel memory of sockets that all of them added, both ends of each connection, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_bytes: Option<u64>,
    /// Where the kernel's memory was read, beside `/proc/net/sockstat`: `/proc/slabinfo`, or `Slab in
    /// /proc/meminfo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_source: Option<String>,
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
    /// Kernel stacks and page tables that each added while it had asked for nothing, bytes: a process and a
    /// thread have them. The machine's own counters, which other programs change too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_bytes: Option<f64>,
}

impl OpenLoop {
    /// Less than this share of the intended answers a second is another load than the one that was meant.
    const REACHED: f64 = 0.95;
    /// A loop in which more requests than this share left late was not open.
    const LATE: f64 = 0.01;

    /// Whether the rate was reached with so many right answers per second, on every path. If not, the times
    /// are no latencies at that rate, but those of a run that fell behind: lower bounds that grow with the
    /// run's length.
    pub fn is_reached(&self, answered: f64) -> bool {
        answered >= Self::REACHED * self.rate
    }

    /// The share of the requests that left late though a client was free, in so many seconds. One that waited
    /// for a free client, to the end of the run if need be, waited for the server: that is in the latencies.
    pub fn late_share(&self, seconds: f64) -> f64 {
        (self.late as f64 / (self.rate * seconds).max(1.0)).min(1.0)
    }

    /// Whether it was an open loop: at most one request of a hundred left late.
    pub fn kept_its_times(&self, seconds: f64) -> bool {
        self.late_share(seconds) <= Self::LATE
    }
}

impl Paired {
    /// Two costs of the floor that differ by more than this share are of two states of the machine.
    const STRADDLES: f64 = 0.05;

    /// Whether the machine changed its state so that the floor's two costs differ. Their mean is then no
    /// reference for what the server did between, which is left out of every median.
    pub fn straddles(&self) -> bool {
        let [one, other] = self.floor_around;
        one.max(other) > one.min(other) * (1.0 + Self::STRADDLES)
    }
}

impl Outcome {
    /// A point that was not measured, with the reason.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped(Skip { reason: reason.into(), served: Served::default() })
    }

    /// The figures, where there was load.
    pub fn figures(&self) -> Option<&Figures> {
        match self {
            Self::Throughput(run) => Some(&run.figures),
            Self::Paired(run) => Some(&run.figures),
            Self::Latency(run) => Some(&run.figures),
            Self::Skipped(_) | Self::IdleMemory(_) => None,
        }
    }

    /// The same, to change them.
    pub fn figures_mut(&mut self) -> Option<&mut Figures> {
        match self {
            Self::Throughput(run) => Some(&mut run.figures),
            Self::Paired(run) => Some(&mut run.figures),
            Self::Latency(run) => Some(&mut run.figures),
            Self::Skipped(_) | Self::IdleMemory(_) => None,
        }
    }

    /// How many clients were served, and with what.
    pub fn served(&self) -> &Served {
        match self {
            Self::Skipped(skip) => &skip.served,
            Self::IdleMemory(idle) => &idle.served,
            Self::Paired(run) => &run.served,
            Self::Latency(run) => &run.served,
            Self::Throughput(run) => &run.served,
        }
    }

    /// The same, to change it.
    pub fn served_mut(&mut self) -> &mut Served {
        match self {
            Self::Skipped(skip) => &mut skip.served,
            Self::IdleMemory(idle) => &mut idle.served,
            Self::Paired(run) => &mut run.served,
            Self::Latency(run) => &mut run.served,
            Self::Throughput(run) => &mut run.served,
        }
    }

    /// What an open loop sent, and what came of the requests for another path.
    pub fn latency(&self) -> Option<&Latency> {
        if let Self::Latency(latency) = self { Some(latency) } else { None }
    }
}
