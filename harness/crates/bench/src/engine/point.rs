//! What is measured once in each round.

use crate::generators::{Load, Tool};
use records::{Phase, Placement};

/// One point: a load of one tool on one server, and how it is measured.
#[derive(Clone, Debug)]
pub struct Point {
    /// The server, as an index into the plan's subjects.
    pub subject: usize,
    /// What it is for. A closed loop of the paired phase stands beside the floor.
    pub phase: Phase,
    /// The generator.
    pub tool: Tool,
    /// How it is measured.
    pub method: Method,
    /// But for the address and the length of the reply, which the running server tells.
    pub load: Load,
    /// Silent connections that are open beside the clients of an open loop; their memory is measured too.
    pub idle: Option<usize>,
    /// Whether it is looked at what each of the server's workers has of an open loop.
    pub by_worker: Option<Slowed>,
    /// It is measured in the first of so many rounds.
    pub rounds: u32,
    /// On a server of its own, which is killed afterwards. One that had carried another load would still hold
    /// what is left of it: connections whose clients are gone keep a serial server with a short accept queue
    /// busy for seconds. Otherwise the server lives on: a restart before every point makes it differ from
    /// itself more than two stages differ.
    pub fresh: bool,
}

/// Which of the workers are slowed down while all are looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slowed {
    /// None.
    None,
    /// The one that has a connection whose requests let it sleep for half of the time.
    One,
    /// Those that have the long requests.
    Long(Long),
}

/// Requests that each keep the thread busy that serves them, beside an open loop. They come at random times:
/// at fixed ones they would never meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Long {
    /// Which threads have them.
    pub placement: Placement,
    /// How many connections carry them.
    pub connections: usize,
    /// How many there are in a second, on average.
    pub rate: f64,
    /// The CPU time that one takes, µs.
    pub micros: u32,
    /// How many epoll instances the server waits on: one for each worker, or a single one, and then any
    /// worker serves any connection.
    pub instances: usize,
}

/// How a point is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// A closed loop.
    Closed(Clients),
    /// An open loop of the built-in generator, at so many requests per second.
    Open(f64),
    /// The same at a share of the peak that a closed loop has found before it in the same run, so that
    /// servers which differ in one option get the same load.
    OfPeak(f64),
    /// The memory of connections that say nothing; no generator is involved.
    Idle,
}

/// How it becomes known how many of the clients are served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clients {
    /// By a run before the point that checks every reply.
    Counted,
    /// By the built-in generator's own report. The requests that a run before it leaves behind in the sockets
    /// would be worked off, and paid for, in this one.
    Reported,
    /// Not at all: all are taken for served.
    Assumed,
}

impl Point {
    /// The tool as it is recorded. Silent connections need no generator.
    pub fn tool_name(&self) -> &'static str {
        if self.method == Method::Idle { "connections" } else { self.tool.name() }
    }

    /// Whether it stands beside the floor.
    pub(super) fn is_paired(&self) -> bool {
        matches!(self.phase, Phase::Paired | Phase::Clients | Phase::Uring)
    }

    /// The rate of an open loop.
    pub(super) fn rate(&self) -> Option<f64> {
        if let Method::Open(rate) = self.method { Some(rate) } else { None }
    }

    /// What tells an open loop from the others of its key, as a whole number: its rate, or the thousandths of
    /// the peak; 0 for anything else.
    pub(super) fn rate_key(&self) -> u64 {
        match self.method {
            Method::Open(rate) => rate.round() as u64,
            Method::OfPeak(share) => (1000.0 * share).round() as u64,
            Method::Closed(_) | Method::Idle => 0,
        }
    }

    /// Whether a run that checks every reply counts the clients first.
    pub(super) fn counts_clients(&self) -> bool {
        matches!(self.method, Method::Closed(Clients::Counted) | Method::Open(_))
    }
}
