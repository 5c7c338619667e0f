//! How much is measured: for a look, for a chart, for a claim.
//!
//! A run must end in the time that its name promises, however many servers there are. So each profile is a
//! ladder: the richest workload that fits is taken, and the run says which.

use crate::engine::USUAL_CLIENTS;
use crate::generators::Tool;
use clap::ValueEnum;
use records::Phase;
use std::time::Duration;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Profile {
    /// One short round: two minutes, for looking
    Quick,
    /// Seven or more rounds in pairs, three or more of each tool: a quarter of an hour
    Standard,
    /// Nine rounds of longer points, the servers started anew twice: hours
    Full,
}

/// One kind of load, on every server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    /// Survey, paired or idle.
    pub(super) phase: Phase,
    pub(super) tool: Tool,
    pub(super) keep_alive: bool,
    /// The numbers of clients.
    pub(super) clients: Vec<usize>,
    /// How long a point is.
    pub(super) duration: Duration,
    pub(super) rounds: u32,
}

/// What a run has.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub(super) series: Vec<Series>,
    /// How long the run is that checks every reply and counts the clients.
    pub(super) counting: Duration,
    /// How often the servers are started, all rounds together.
    pub(super) starts: u32,
}

/// Connections that say nothing.
const SILENT: usize = 1_000;

fn pairs(keep_alive: bool, millis: u64, rounds: u32) -> Series {
    let duration = Duration::from_millis(millis);
    let clients = vec![USUAL_CLIENTS];
    Series { phase: Phase::Paired, tool: Tool::Builtin, keep_alive, clients, duration, rounds }
}

/// Every tool with each kind of connection. The built-in one is measured in pairs already: here it is for
/// users that ask for it.
fn survey(clients: &[usize], seconds: u64, rounds: u32) -> impl Iterator<Item = Series> {
    let kinds = Tool::ALL.into_iter().flat_map(|tool| [true, false].map(|kept| (tool, kept)));
    let (duration, clients) = (Duration::from_secs(seconds), clients.to_vec());
    kinds.map(move |(tool, keep_alive)| Series {
        phase: Phase::Survey,
        tool,
        keep_alive,
        clients: clients.clone(),
        duration,
        rounds,
    })
}

fn idle(rounds: u32) -> Series {
    let (clients, duration) = (vec![SILENT], Duration::from_secs(1));
    Series { phase: Phase::Idle, tool: Tool::Builtin, keep_alive: true, clients, duration, rounds }
}

/// So many rounds of pairs, with kept connections and with short ones, and of each tool.
fn standard(rounds: u32, millis: u64, tools: u32) -> Workload {
    let series = [pairs(true, millis, rounds), pairs(false, millis, rounds)];
    let series = series.into_iter().chain(survey(&[USUAL_CLIENTS], 1, tools)).chain([idle(3)]);
    Workload { series: series.collect(), counting: Duration::from_millis(500), starts: 1 }
}

impl Profile {
    /// The workloads, the richest first.
    pub(super) fn workloads(self) -> Vec<Workload> {
        match self {
            Self::Quick => {
                let look = |kinds: &[bool], has_short_ab: bool, idle_rounds: u32| {
                    let pairs = kinds.iter().map(|&kept| pairs(kept, 300, 1));
                    let is_left_out = |series: &Series| series.tool == Tool::Ab && !series.keep_alive;
                    let survey = survey(&[USUAL_CLIENTS], 1, 1);
                    let survey = survey.filter(|series| has_short_ab || !is_left_out(series));
                    let idle = (0..idle_rounds).map(|_| idle(1));
                    let series = pairs.chain(survey).chain(idle).collect();
                    Workload { series, counting: Duration::from_millis(200), starts: 1 }
                };
                let both = [true, false];
                vec![
                    look(&both, true, 1),
                    look(&both, false, 1),
                    look(&both[..1], false, 1),
                    look(&both[..1], false, 0),
                ]
            }
            // Nine short pairs tell more than seven long ones, and five rounds of a tool more than three.
            Self::Standard => [(9, 800, 5), (9, 600, 5), (9, 500, 5), (9, 400, 5), (9, 400, 4), (7, 400, 3)]
                .map(|(rounds, millis, tools)| standard(rounds, millis, tools))
                .into(),
            Self::Full => {
                let series = [pairs(true, 2_000, 9), pairs(false, 2_000, 9), idle(9)];
                let series = series.into_iter().chain(survey(&[1, 8, 64, 256], 2, 9));
                vec![Workload { series: series.collect(), counting: Duration::from_secs(1), starts: 3 }]
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
