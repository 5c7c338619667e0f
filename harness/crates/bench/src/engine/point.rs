//! What is measured once in each round.

use crate::generators::{Load, Tool};
use records::Phase;

/// One point: a load of one tool on one server, and how it is measured.
#[derive(Clone, Debug)]
pub struct Point {
    /// The server, as an index into the plan's subjects.
    pub subject: usize,
    /// What it is for. A closed loop of the paired phase stands between two runs of the floor.
    pub phase: Phase,
    /// The generator.
    pub tool: Tool,
    /// How it is measured.
    pub method: Method,
    /// But for the address and the length of the reply, which the running server tells.
    pub load: Load,
    /// It is measured in the first of so many rounds.
    pub rounds: u32,
    /// On a server of its own, which is killed afterwards. One that had carried another load would still hold
    /// what is left of it: connections whose clients are gone keep a serial server with a short accept queue
    /// busy for seconds. Otherwise the server lives on: a restart before every point makes it differ from
    /// itself more than two stages differ.
    pub fresh: bool,
}

/// How a point is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// A closed loop.
    Closed(Clients),
    /// An open loop of the built-in generator.
    Open(Rate),
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

/// How many requests per second an open loop sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// The same for every server.
    Fixed(f64),
    /// So many per cent of the server's own peak, which a closed loop of the same generator finds once for
    /// each start of a server. Where the generator is the limit of that, it is a peak of both together; the
    /// figures say how busy the server was.
    Share(u32),
}

impl Point {
    /// The tool as it is recorded. Silent connections need no generator.
    pub fn tool_name(&self) -> &'static str {
        if self.method == Method::Idle { "connections" } else { self.tool.name() }
    }

    /// The rate as per cent of the server's peak, if it is one.
    pub(super) fn share(&self) -> Option<u32> {
        if let Method::Open(Rate::Share(share)) = self.method { Some(share) } else { None }
    }

    /// Whether a run that checks every reply counts the clients first.
    pub(super) fn counts_clients(&self) -> bool {
        matches!(self.method, Method::Closed(Clients::Counted) | Method::Open(_))
    }
}
