//! What is asked of a generator, and what it says.

use lab_core::stats::Percentiles;
use load::{Mix, Report};
use std::net::SocketAddr;
use std::time::Duration;

/// The load to put on a server.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where the server listens.
    pub addr: SocketAddr,
    /// What the Host header says, where it is not the address: a server of several names has a site for each.
    pub host: Option<String>,
    /// What is asked for, from the `/` on.
    pub path: String,
    /// So many of the requests ask for another path. For the built-in generator only.
    pub mix: Option<Mix>,
    /// Clients at once.
    pub concurrency: usize,
    /// Whether a client keeps its connection, or makes one per request.
    pub keep_alive: bool,
    /// Requests that a client sends before it reads the replies; 1 is no pipelining.
    pub pipeline: usize,
    /// How long. Only the built-in generator takes parts of a second: the others run for the next whole one.
    pub duration: Duration,
    /// Requests per second, all clients together, whether answers come or not; `None` is a closed loop. For
    /// the built-in generator only.
    pub rate: Option<f64>,
    /// Whether the generator looks at its sockets all the time, so that a request leaves on time though its
    /// CPU has little to do. For the built-in generator in an open loop, on a CPU of its own.
    pub spins: bool,
    /// How long before it counts. For the built-in generator only.
    pub warm_up: Duration,
    /// When a client gives a request up, and its connection; `None`: after the generator's usual time. For
    /// the built-in generator only.
    pub timeout: Option<Duration>,
    /// Whether the first body is taken for right, because nothing is known of the server. For the built-in
    /// generator.
    pub learns_body: bool,
    /// The length of a right reply, head included, for tools that do not look at what they read.
    pub reply_bytes: u64,
    /// How much longer or shorter a right reply may be for another client: interim replies, and what frames
    /// chunks.
    pub variable_bytes: u64,
    /// The CPUs that the generator is bound to; `None` leaves it free.
    pub cpus: Option<Vec<usize>>,
}

/// The usual warm-up: without one, a server that forks for each connection would be measured while it makes
/// its processes.
pub const WARM_UP: Duration = Duration::from_millis(200);

impl Load {
    /// A closed loop of one client that keeps its connection, for a second, on any CPU.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            addr: ([127, 0, 0, 1], 0).into(),
            host: None,
            path: path.into(),
            mix: None,
            concurrency: 1,
            keep_alive: true,
            pipeline: 1,
            duration: Duration::from_secs(1),
            rate: None,
            spins: false,
            warm_up: Duration::ZERO,
            timeout: None,
            learns_body: false,
            reply_bytes: 0,
            variable_bytes: 0,
            cpus: None,
        }
    }

    /// The URL by the address, so that every tool measures the same one of a host's addresses.
    pub(super) fn url(&self) -> String {
        format!("http://{}{}", self.addr, self.path)
    }

    /// The duration in whole seconds, rounded up.
    pub fn whole_seconds(&self) -> u64 {
        self.duration.as_secs() + u64::from(self.duration.subsec_nanos() > 0)
    }
}

/// What a generator counted. Failed and short replies are errors, never part of the speed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measurement {
    /// Requests that were answered right, as far as the tool can tell.
    pub requests: u64,
    /// Requests that were not.
    pub errors: u64,
    /// The time that the tool measured over.
    pub seconds: f64,
    /// Bytes received, heads included.
    pub bytes: u64,
    /// CPU time of the generator and its children.
    pub generator_cpu_seconds: f64,
    /// What the tool says of the time from sending to the reply, if that can be believed: a closed loop hides
    /// the waiting.
    pub closed_loop_us: Option<Percentiles>,
    /// All that the built-in generator says; no other tool does.
    pub(crate) report: Option<Box<Report>>,
}

impl Measurement {
    /// Right answers per second.
    pub fn requests_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.requests as f64 / self.seconds } else { 0.0 }
    }
}
