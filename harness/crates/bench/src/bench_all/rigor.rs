//! How much is measured: for a look, for a chart, for a claim.
//!
//! A run must end in the time that its name promises, however many servers there are. So each rigour is a ladder:
//! the richest amount that fits is taken, and the run says which.

use crate::generators::Tool;
use clap::ValueEnum;
use std::time::Duration;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Rigor {
    /// One short round: two minutes, for looking
    Quick,
    /// Five rounds with pairs: a quarter of an hour
    Standard,
    /// Nine rounds of longer points, the servers started anew twice: hours
    Full,
}

/// The numbers of clients for each tool.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    /// wrk with keep-alive, and the built-in generator where it stands in for it.
    pub(super) kept: Vec<usize>,
    /// wrk with a connection per request.
    pub(super) closed: Vec<usize>,
    /// ab, both kinds: it would double the time and tell the same.
    pub(super) ab: Vec<usize>,
    pub(super) webbench: Vec<usize>,
}

impl Clients {
    /// What a user named holds for every tool.
    pub(super) fn same(clients: Vec<usize>) -> Self {
        Self { kept: clients.clone(), closed: clients.clone(), ab: clients.clone(), webbench: clients }
    }

    pub(super) fn of(&self, tool: Tool, keep_alive: bool) -> &[usize] {
        match (tool, keep_alive) {
            (Tool::Ab, _) => &self.ab,
            (Tool::Webbench, _) => &self.webbench,
            (Tool::Wrk | Tool::Builtin, true) => &self.kept,
            (Tool::Wrk | Tool::Builtin, false) => &self.closed,
        }
    }
}

/// What a run has.
#[derive(Clone, Debug)]
pub(super) struct Amount {
    pub(super) clients: Clients,
    /// Of a point.
    pub(super) duration: Duration,
    /// Of a point of the open loop.
    pub(super) open_loop: Duration,
    /// Of the run that checks every reply and counts the clients.
    pub(super) counting: Duration,
    pub(super) rounds: u32,
    /// ab and webbench are measured in the first of them.
    pub(super) rounds_of_others: u32,
    /// Idle connections are measured in the first of them; none leaves them out.
    pub(super) idle_rounds: u32,
    /// How often the servers are started, all rounds together.
    pub(super) starts: u32,
    pub(super) pairs: bool,
    pub(super) latency: bool,
}

impl Rigor {
    /// The amounts, the richest first.
    pub(super) fn amounts(self) -> Vec<Amount> {
        let clients = |kept: &[usize], closed: &[usize], ab: &[usize], webbench: &[usize]| Clients {
            kept: kept.into(),
            closed: closed.into(),
            ab: ab.into(),
            webbench: webbench.into(),
        };
        let standard = |clients| Amount {
            clients,
            duration: Duration::from_secs(1),
            open_loop: Duration::from_millis(600),
            counting: Duration::from_millis(500),
            rounds: 5,
            rounds_of_others: 5,
            idle_rounds: 5,
            starts: 1,
            pairs: true,
            latency: true,
        };
        let quick = |clients| Amount {
            counting: Duration::from_millis(300),
            rounds: 1,
            idle_rounds: 1,
            pairs: false,
            latency: false,
            ..standard(clients)
        };
        match self {
            Self::Quick => {
                vec![
                    quick(clients(&[1, 64], &[1, 64], &[64], &[64])),
                    quick(clients(&[64], &[64], &[64], &[64])),
                    Amount { idle_rounds: 0, ..quick(clients(&[64], &[64], &[64], &[64])) },
                ]
            }
            Self::Standard => {
                let rich = standard(clients(&[1, 8, 64, 256], &[1, 64], &[1, 64], &[64]));
                let lean = standard(clients(&[1, 64, 256], &[64], &[64], &[64]));
                vec![
                    rich.clone(),
                    Amount { rounds_of_others: 4, ..rich.clone() },
                    Amount { rounds_of_others: 3, ..rich },
                    standard(clients(&[1, 64, 256], &[1, 64], &[64], &[64])),
                    lean.clone(),
                    Amount { rounds_of_others: 4, idle_rounds: 3, ..lean.clone() },
                    Amount { rounds_of_others: 3, idle_rounds: 3, ..lean },
                ]
            }
            Self::Full => {
                let (most, others) = ([1, 8, 64, 256, 1000], [1, 8, 64, 256]);
                let full = standard(clients(&most, &most, &others, &others));
                let (duration, open_loop) = (Duration::from_secs(2), Duration::from_secs(2));
                let rounds = 9;
                let counting = Duration::from_secs(1);
                vec![Amount {
                    duration,
                    open_loop,
                    counting,
                    rounds,
                    rounds_of_others: rounds,
                    idle_rounds: rounds,
                    starts: 3,
                    ..full
                }]
            }
        }
    }

    /// The seconds that a run may take, with a little left for the charts.
    pub(super) fn budget(self) -> Option<f64> {
        match self {
            Self::Quick => Some(110.0),
            Self::Standard => Some(14.5 * 60.0),
            Self::Full => None,
        }
    }

    /// As it is written in the name of a data file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Full => "full",
        }
    }
}
