//! The generators' names, and what is known of each.

use super::load::Load;
use std::time::Duration;

/// The generators that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tool {
    /// ApacheBench: HTTP/1.0, one thread.
    Ab,
    /// wrk: HTTP/1.1, several threads.
    Wrk,
    /// webbench: a process per client and a connection per request.
    Webbench,
    /// `./lab load`: it checks every reply.
    Builtin,
}

impl Tool {
    /// All of them, in the order in which they are listed and drawn.
    pub const ALL: [Tool; 4] = [Tool::Ab, Tool::Wrk, Tool::Webbench, Tool::Builtin];

    /// What a user types; of the tools that others wrote, also the program's name.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Ab => "ab",
            Tool::Wrk => "wrk",
            Tool::Webbench => "webbench",
            Tool::Builtin => "builtin",
        }
    }

    /// Seconds that a run takes beside its measuring: starting, and webbench's clients sleeping first.
    pub fn overhead_seconds(self) -> f64 {
        match self {
            Tool::Ab => 0.02,
            Tool::Wrk => 0.08,
            Tool::Builtin => 0.02,
            Tool::Webbench => 1.05,
        }
    }

    /// From when to when the load is on the server, from the start of the tool.
    pub(crate) fn load_times(self, load: &Load) -> (Duration, Duration) {
        match self {
            Tool::Ab | Tool::Wrk => (Duration::ZERO, Duration::from_secs(load.whole_seconds())),
            Tool::Webbench => (Duration::from_secs(1), Duration::from_secs(1 + load.whole_seconds())),
            Tool::Builtin => (load.warm_up, load.warm_up + load.duration),
        }
    }

    /// Why the tool cannot put this load on a server, if so.
    pub fn refuses(self, load: &Load) -> Option<&'static str> {
        match self {
            Tool::Webbench if load.keep_alive => Some("webbench makes a connection per request"),
            Tool::Ab | Tool::Webbench if load.pipeline > 1 => Some("only wrk and builtin can pipeline"),
            _ if load.pipeline > 1 && !load.keep_alive => Some("pipelining needs keep-alive"),
            Tool::Ab | Tool::Wrk | Tool::Webbench if load.rate.is_some() => {
                Some("only builtin can send at a fixed rate")
            }
            Tool::Ab | Tool::Wrk | Tool::Webbench if load.mix.is_some() => {
                Some("only builtin can ask for two paths")
            }
            _ => None,
        }
    }
}
