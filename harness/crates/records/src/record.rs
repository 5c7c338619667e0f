//! One line of a file: which point, measured under what, and what came of it.

use super::{Bottleneck, Figures, Idle, Latency, Mix, OpenLoop, Outcome, Served};
use lab_core::host::Host;
use serde::{Deserialize, Serialize};

/// What a point is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Speed under each load, by each tool.
    #[default]
    Survey,
    /// CPU time per request, beside the floor.
    Paired,
    /// How long requests wait at a fixed rate: an open loop at a share of the server's peak.
    Latency,
    /// Memory of connections that say nothing.
    Idle,
    /// A row of source 002's table: webbench with 1 to 3,000 clients.
    Table,
    /// Requests that keep a CPU busy, against the number of workers.
    Spin,
    /// Quick requests at a fixed rate beside a few that sleep.
    Slow,
    /// What the floor did beside a paired point: its turns, or a run of it before or after.
    Floor,
    /// The closed loop that finds the peak of which an open loop's rate is a share.
    Peak,
    /// CPU time per request against the number of clients, in pairs.
    Clients,
    /// Active clients at a fixed rate beside silent ones.
    C10k,
    /// The speed on one CPU and on two.
    Cpus,
    /// More requests than can be served, by clients that give up.
    Overload,
    /// What each worker of a server has of the load.
    Balance,
    /// CPU time per request with one feature of io_uring switched, beside stage 11 as it is: in such a record
    /// the floor is that one.
    Uring,
    /// Quick requests beside long ones, which keep the thread busy that serves them.
    Stealing,
}

/// Which threads of a server have the long requests, where each connection belongs to one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// There are none.
    None,
    /// Each thread has as many of their connections as any other.
    Each,
    /// One thread has all of them.
    One,
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

/// One point of the plan in one round: measured, or skipped with the reason. In the file it is one flat
/// object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which point.
    #[serde(flatten)]
    pub key: Key,
    /// Measured when, where and by which command.
    #[serde(flatten)]
    pub context: Context,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What a point is known by, whatever the round: a server under a load. (The rates of an open loop share a
/// key.)
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// What the point is for.
    #[serde(default)]
    pub phase: Phase,
    /// The server: `05`, `05-mio`, `floor`, `nginx`.
    #[serde(rename = "stage")]
    pub server: String,
    /// Its title. The rows of source 002's table differ in nothing else.
    pub title: String,
    /// The value of the server's `--workers`, if it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
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
    /// Silent connections that were open beside the active ones, if it is a point of such.
    #[serde(rename = "idle_connections", default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<usize>,
    /// How many CPUs the server had, if the point differs from others in that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<usize>,
    /// One of the server's workers was slowed down.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub slowed: bool,
    /// Which threads had the long requests, if it is a point with such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
}

/// When, where and by which command a point was measured, and what a reader must know of that.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// What the server is to the lab.
    #[serde(default)]
    pub kind: Kind,
    /// The configuration that it ran with, if it is not one of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
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
    /// What a reader of the figures should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Disturbed by other programs and measured again: kept, but left out of every summary.
    #[serde(default)]
    pub dropped: bool,
    /// CPU time of one round trip of 100 bytes over a loopback connection inside the harness, on the server's
    /// CPU, just before the point and just after it, ns. It tells in which of its clock states the machine
    /// was: see [`States`](crate::States).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ns: Option<[f64; 2]>,
    /// The machine.
    pub host: Host,
}

impl Record {
    /// The figures, where there was load.
    pub fn figures(&self) -> Option<&Figures> {
        self.outcome.figures()
    }

    /// The same, to change them.
    pub fn figures_mut(&mut self) -> Option<&mut Figures> {
        self.outcome.figures_mut()
    }

    /// How many clients were served, and with what.
    pub fn served(&self) -> &Served {
        self.outcome.served()
    }

    /// Why there are no figures.
    pub fn skipped(&self) -> Option<&str> {
        if let Outcome::Skipped(skip) = &self.outcome { Some(&skip.reason) } else { None }
    }

    /// What an open loop sent, and what came of the requests for another path.
    pub fn latency(&self) -> Option<&Latency> {
        self.outcome.latency()
    }

    /// What an open loop sent, and how long the replies took.
    pub fn open_loop(&self) -> Option<&OpenLoop> {
        self.latency().map(|latency| &latency.open_loop)
    }

    /// What came of the requests for another path.
    pub fn mix(&self) -> Option<&Mix> {
        self.latency()?.mix.as_ref()
    }

    /// Right answers per second, on every path.
    pub fn answered_per_second(&self) -> Option<f64> {
        let figures = self.figures()?;
        let mixed = self.mix().map_or(0, |mix| mix.requests);
        Some(figures.requests_per_second + mixed as f64 / figures.seconds.max(f64::MIN_POSITIVE))
    }

    /// What connections that say nothing cost.
    pub fn idle(&self) -> Option<Idle> {
        if let Outcome::IdleMemory(memory) = &self.outcome { Some(memory.idle) } else { None }
    }

    /// Whether it is a pair in which the machine changed its state: see
    /// [`Paired::straddles`](crate::Paired::straddles).
    pub fn straddles(&self) -> bool {
        matches!(&self.outcome, Outcome::Paired(paired) if paired.straddles())
    }

    /// How many CPUs the server and the generator had, where both are known and the server's CPU time is.
    pub(crate) fn cpus(&self) -> Option<(usize, usize)> {
        self.figures()?.server_cpu_seconds?;
        let Context { server_cpus, generator_cpus, generator_host: None, .. } = &self.context else {
            return None;
        };
        // ab has one thread, however many CPUs it may use.
        let generator = if self.key.tool == "ab" { 1 } else { generator_cpus.len() };
        let is_known = !server_cpus.is_empty() && !generator_cpus.is_empty();
        is_known.then_some((server_cpus.len(), generator))
    }

    /// Decides anew what kept the speed from being higher, where that can be told from what is recorded.
    /// Older records name one side only, even where both were busy.
    pub(crate) fn decide_limiter(&mut self) {
        let Some(cpus) = self.cpus() else { return };
        let Some((figures, answered)) = self.figures().zip(self.answered_per_second()) else { return };
        let (shares, all_served) = (figures.shares(cpus), self.served().clients >= self.key.concurrency);
        let limiter = match self.open_loop() {
            Some(open) => Bottleneck::of_open_loop(shares, all_served, (open, figures.seconds), answered),
            None => Bottleneck::of(shares, all_served),
        };
        self.figures_mut().expect("it has figures").limiter = limiter;
    }

    /// CPU time per request over the mean of the floor's beside it; `None` where there is no such number.
    pub fn ratio_to_floor(&self) -> Option<f64> {
        let (cost, [one, other]) = self.paired_costs()?;
        // Nothing is no multiple of nothing: a clock that stood still has measured neither.
        Some(cost / ((one + other) / 2.0)).filter(|ratio| ratio.is_finite())
    }

    /// CPU time per request, and the floor's two beside it.
    pub(crate) fn paired_costs(&self) -> Option<(f64, [f64; 2])> {
        let Outcome::Paired(paired) = &self.outcome else { return None };
        Some((paired.figures.cpu_us_per_request?, paired.floor_around))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{paired, record};

    /// Protects old files: a pair without turns keeps its meaning, and a pair in turns says that it is one.
    #[test]
    fn a_pair_says_whether_it_was_measured_in_turns() {
        let mut pair = paired(record("05", "builtin", 64, true, 50_000.0), [5.0, 6.0]);
        let old = serde_json::to_value(&pair).expect("it can be written");
        assert!(old.get("slices").is_none() && pair.straddles());
        assert_eq!(serde_json::from_value::<Record>(old).expect("it can be read"), pair);
        let Outcome::Paired(inner) = &mut pair.outcome else { panic!("a pair") };
        inner.slices = Some(80);
        let new = serde_json::to_value(&pair).expect("it can be written");
        assert_eq!(new["slices"], 80);
        assert_eq!(serde_json::from_value::<Record>(new).expect("it can be read"), pair);
    }

    #[test]
    fn the_fields_that_readers_rely_on_have_their_names() {
        let json = serde_json::to_value(record("05", "wrk", 64, true, 50_000.0)).expect("it can be written");
        let names = "stage tool concurrency keep_alive requests_per_second errors cpu_us_per_request \
                     context_switches peak_memory_bytes limiter round seed host path body_bytes clients_served";
        for name in names.split_whitespace() {
            assert!(json.get(name).is_some(), "{name} is missing");
        }
    }
}
