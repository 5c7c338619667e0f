//! What is true, on this machine: each of the measurements that a prediction may name.
//!
//! * `client`: a client by which most of them ask;
//! * `waiting`: who waits for whom; `replies`: how many come, and in which order;
//! * `calls`: what strace counts; `cost`: CPU time, two servers in turns; `processes`: children and memory.
//!
//! Every server is started here, on a free port of the loopback, and is gone when its measurement ends.

mod calls;
mod client;
mod cost;
mod processes;
mod replies;
mod waiting;

use anyhow::{Context, Result};
use book::predictions::Measure;
use lab_core::Usage;
use lab_core::server_process::{Launch, Server};
use lab_core::stages::{self, Stage};
use profile::Missing;
use std::path::PathBuf;
use std::time::Duration;

/// How long a server may take to notice what a client has done. What is measured behind it depends on nothing
/// finer.
const SETTLED: Duration = Duration::from_millis(200);

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// Where a number is asked for.
    pub(crate) number: Option<f64>,
    /// Where one of a few things is asked for.
    pub(crate) key: Option<String>,
    /// With what a reader may want to know beside.
    pub(crate) words: String,
}

impl Found {
    fn number(number: f64, words: impl Into<String>) -> Self {
        Self { number: Some(number), key: None, words: words.into() }
    }

    fn key(key: &str, words: impl Into<String>) -> Self {
        Self { number: None, key: Some(key.to_owned()), words: words.into() }
    }
}

/// What was found, or what is missing on this machine.
pub(crate) type Measured = Result<Found, Missing>;

/// The tree whose servers are measured.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) root: PathBuf,
    pub(crate) stages: Vec<Stage>,
}

impl Lab {
    pub(crate) fn find() -> Result<Self> {
        let stages = stages::discover()?;
        Ok(Self { root: book::root(&stages)?, stages })
    }

    /// The stage of a chapter, as a user names it.
    pub(crate) fn chapter(&self, name: &str) -> Result<&Stage> {
        let stage = stages::find(&self.stages, name)?;
        match stage.is_twin {
            true => {
                Err(Usage::new(format!("{} is a twin: its chapter is {}", stage.name, stage.number)).into())
            }
            false => Ok(stage),
        }
    }

    /// The stage or twin that the first word names.
    pub(crate) fn stage(&self, server: &str) -> Result<&Stage> {
        stages::find(&self.stages, server.split_whitespace().next().unwrap_or_default())
    }

    /// The stage or twin with its options.
    fn launch(&self, server: &str) -> Result<Launch> {
        let options: Vec<String> = server.split_whitespace().skip(1).map(str::to_owned).collect();
        Ok(self.stage(server)?.launch(&options))
    }

    fn start(&self, server: &str) -> Result<Server> {
        self.launch(server)?.start().with_context(|| format!("stage {server}"))
    }

    /// Measures. What is missing on this machine is no error.
    pub(crate) fn measure(&self, measure: &Measure) -> Result<Measured> {
        if let Some(lack) = self.lack(measure)? {
            return Ok(Err(lack));
        }
        let ms = Duration::from_millis;
        Ok(Ok(match measure {
            Measure::SecondClient { server } => waiting::second_client(self, server)?,
            Measure::CpuBesideSilent { server, silent, greeted, asking } => {
                waiting::cpu_beside_silent(self, server, (*silent, *greeted, *asking))?
            }
            Measure::SecondsBesideSilent { server, silent, greeted, leave_ms } => {
                waiting::seconds_beside_silent(self, server, (*silent, *greeted, ms(*leave_ms)))?
            }
            Measure::SecondsBesideSleep { server, sleep_ms } => {
                waiting::seconds_beside_sleep(self, server, *sleep_ms)?
            }
            Measure::SlowBesideSleep { server, sleep_ms, requests, come } => {
                waiting::slow_beside_sleep(self, server, (*sleep_ms, *requests, *come))?
            }
            Measure::SharedRequests { server, clients, requests } => {
                waiting::shared_requests(self, server, *clients, *requests)?
            }
            Measure::FewestReplies { servers } => replies::fewest(self, servers)?,
            Measure::RepliesAfterOneMore { server } => replies::after_one_more(self, server)?,
            Measure::OrderOfReplies { server } => replies::order(self, server)?,
            Measure::Probe { server, probe } => replies::probe(self, server, probe)?,
            Measure::Processes { server, clients } => processes::number(self, server, *clients)?,
            Measure::MemoryOfSilent { server, clients } => processes::memory(self, server, *clients)?,
            Measure::EndBehindADuplicate {} => processes::end_behind_a_duplicate()?,
            Measure::KilledChild { server } => processes::killed_child(self, server)?,
            Measure::StartedTwice { server } => processes::started_twice(self, server)?,
            Measure::WakeUps { server, clients } => processes::wake_ups(self, server, clients)?,
            Measure::CpuRatio { server, to, close } => cost::ratio(self, (server, to), *close)?,
            Measure::SignalsAtTheEnd { server, clients, signal } => {
                return calls::signals(self, server, *clients, signal);
            }
            Measure::CallsPerSecond { server, clients } => return calls::per_second(self, server, *clients),
            Measure::CallsPerRequest { server, clients, calls } => {
                return calls::per_request(self, server, clients, calls);
            }
            Measure::CallsMore { server, than } => return calls::more(self, server, than),
        }))
    }

    /// What the kernel of this machine lacks or forbids.
    fn lack(&self, measure: &Measure) -> Result<Option<Missing>> {
        for server in servers(measure) {
            if let Some(lack) = self.stage(server)?.lacks() {
                return Ok(Some(lack));
            }
        }
        Ok(None)
    }
}

/// The servers that a measurement starts.
pub(crate) fn servers(measure: &Measure) -> Vec<&str> {
    match measure {
        Measure::EndBehindADuplicate {} => Vec::new(),
        Measure::FewestReplies { servers } => servers.iter().map(|one| one.server.as_str()).collect(),
        Measure::CallsMore { server, than: other } | Measure::CpuRatio { server, to: other, .. } => {
            vec![server, other]
        }
        Measure::SecondClient { server }
        | Measure::CpuBesideSilent { server, .. }
        | Measure::SecondsBesideSilent { server, .. }
        | Measure::SecondsBesideSleep { server, .. }
        | Measure::SlowBesideSleep { server, .. }
        | Measure::SharedRequests { server, .. }
        | Measure::RepliesAfterOneMore { server }
        | Measure::OrderOfReplies { server }
        | Measure::Processes { server, .. }
        | Measure::MemoryOfSilent { server, .. }
        | Measure::SignalsAtTheEnd { server, .. }
        | Measure::CallsPerSecond { server, .. }
        | Measure::CallsPerRequest { server, .. }
        | Measure::Probe { server, .. }
        | Measure::WakeUps { server, .. }
        | Measure::KilledChild { server }
        | Measure::StartedTwice { server } => vec![server],
    }
}
