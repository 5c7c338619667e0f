//! Two servers that are asked in turns, a hundredth of a second each: see [`load::alternate`]. What disturbs
//! the machine for longer than that disturbs both, so the ratio of what they cost stays.

use super::pin::{Pinned, cpu};
use crate::report::Figure;
use crate::session::Session;
use anyhow::{Context, Result, ensure};
use bench::settled;
use lab_core::process::Usage;
use lab_core::server_process::Launch;
use load::{Args, Boundary, Mix, Turns, alternate};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a turn is, unless an experiment says otherwise.
pub(crate) const TURN: Duration = Duration::from_millis(10);

/// What the clients of a server do, in a closed loop.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// Clients at once.
    pub(crate) clients: u32,
    /// What is asked for.
    pub(crate) path: String,
    /// A connection for each request; otherwise connections are kept.
    pub(crate) is_short: bool,
    /// Requests that are sent in one write.
    pub(crate) pipeline: u64,
    /// Some of the requests ask for another path.
    pub(crate) mix: Option<Mix>,
}

impl Ask {
    /// So many clients that keep their connections and ask for `/`.
    pub(crate) fn kept(clients: u32) -> Self {
        Self { clients, path: "/".to_owned(), is_short: false, pipeline: 1, mix: None }
    }

    /// So many clients that make a connection for each request.
    pub(crate) fn short(clients: u32) -> Self {
        Self { is_short: true, ..Self::kept(clients) }
    }

    /// The same for another path.
    pub(crate) fn path(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// The options of the generator.
    pub(crate) fn of(&self, addr: SocketAddr) -> Args {
        Args {
            connections: self.clients,
            close: self.is_short,
            pipeline: self.pipeline,
            mix: self.mix.clone(),
            // Thousands of processes are not started in the usual five seconds.
            timeout: Duration::from_secs(30),
            ..Args::new(&format!("http://{addr}{}", self.path))
        }
    }
}

/// One of two servers, and what is asked of it.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    /// How it is started.
    pub(crate) launch: Launch,
    /// What is asked of it.
    pub(crate) ask: Ask,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    /// How often both servers are started anew.
    pub(crate) starts: usize,
    /// Rounds with the same processes and connections.
    pub(crate) each: usize,
    /// Turns of each server in a round.
    pub(crate) turns: u32,
    /// How long a turn is.
    pub(crate) turn: Duration,
    /// Whether the generator is bound to the second CPU; otherwise it runs where the scheduler likes.
    pub(crate) is_bound: bool,
}

impl Rounds {
    /// With new servers in each round, and the generator on the second CPU: what differs from start to start
    /// is in the interval.
    pub(crate) fn of_starts(starts: usize, turns: u32) -> Self {
        Self { starts, each: 1, turns, turn: TURN, is_bound: true }
    }
}

/// What a server did in a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    /// The server's CPU time per request, in µs.
    pub(crate) cpu_us: f64,
    /// Requests that were answered right, per second of its turns.
    pub(crate) per_second: f64,
    /// Context switches of the server per request, unless threads or processes took their count with them.
    pub(crate) switches: Option<f64>,
}

/// The costs of two servers; those of a round stand at the same place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Costs(pub(crate) [Vec<Cost>; 2]);

impl Costs {
    /// The CPU times per request of one of them, in µs.
    pub(crate) fn cpu_us(&self, at: usize) -> Vec<f64> {
        self.0[at].iter().map(|cost| cost.cpu_us).collect()
    }

    /// The requests per second of one of them.
    pub(crate) fn per_second(&self, at: usize) -> Vec<f64> {
        self.0[at].iter().map(|cost| cost.per_second).collect()
    }

    /// The context switches per request of one of them, of the rounds that know them.
    pub(crate) fn switches(&self, at: usize) -> Vec<f64> {
        self.0[at].iter().filter_map(|cost| cost.switches).collect()
    }

    /// The ratio of the CPU times per request, the first's to the second's.
    pub(crate) fn cpu_ratio(&self, name: impl Into<String>) -> Result<Figure> {
        Figure::ratio(name, &self.cpu_us(0), &self.cpu_us(1))
    }

    /// The ratio of the requests per second, the first's to the second's.
    pub(crate) fn speed_ratio(&self, name: impl Into<String>) -> Result<Figure> {
        Figure::ratio(name, &self.per_second(0), &self.per_second(1))
    }
}

/// Measures a pair. `part` is which share of the experiment this is, from and to.
///
/// # Errors
/// A server does not start or answers wrong; the user has ended the run.
pub(crate) fn in_turns(
    session: &Session,
    pair: [&Contender; 2],
    rounds: Rounds,
    part: (f64, f64),
) -> Result<Costs> {
    let mut costs = Costs::default();
    for start in 0..rounds.starts {
        let share = |done: f64| part.0 + (part.1 - part.0) * done / rounds.starts as f64;
        session.tick(share(start as f64), format_args!("start {} of {}", start + 1, rounds.starts))?;
        // Which one comes first changes from start to start.
        let order = if start % 2 == 0 { [0, 1] } else { [1, 0] };
        let both = one_start(session, order.map(|at| pair[at]), rounds)?;
        for (at, its) in order.into_iter().zip(both) {
            costs.0[at].extend(its);
        }
    }
    Ok(costs)
}

fn one_start(session: &Session, pair: [&Contender; 2], rounds: Rounds) -> Result<[Vec<Cost>; 2]> {
    let servers = [pair[0].launch.start()?, pair[1].launch.start()?];
    let _pinned = rounds.is_bound.then(|| Pinned::to(cpu(1)));
    let [first, second] = [0, 1].map(|at| pair[at].ask.of(servers[at].addr));
    // In the first turns the clients connect, some dozen in each hundredth of a second.
    let connecting = TURN * (3 + first.connections.max(second.connections) / 64);
    let warm_up = 2.max(connecting.as_millis().div_ceil(rounds.turn.as_millis()) as u32);
    let turns = Turns { length: rounds.turn, warm_up, counted: rounds.turns * rounds.each as u32 };
    let pids = servers.each_ref().map(|server| server.pid() as u32);
    let mut meter = Meter::new(pids, pair.map(|contender| contender.ask.is_short), rounds.turns);
    alternate([&first, &second], turns, &mut |boundary| {
        session.check()?;
        meter.at(boundary)
    })?;
    Ok(meter.costs)
}

/// What both have used, read where neither has anything to answer.
struct Meter {
    pids: [u32; 2],
    /// The processes of a server without connections, where these are short.
    idle: [Option<usize>; 2],
    /// Turns of each in a round.
    turns: u32,
    before: [Usage; 2],
    answered: [u64; 2],
    elapsed: [Duration; 2],
    since: Instant,
    /// Turns of the second one in this round.
    over: u32,
    costs: [Vec<Cost>; 2],
}

impl Meter {
    fn new(pids: [u32; 2], are_short: [bool; 2], turns: u32) -> Self {
        let idle = |at: usize| are_short[at].then(|| Usage::of_tree(pids[at]).processes);
        Self {
            pids,
            idle: [idle(0), idle(1)],
            turns,
            before: [Usage::default(); 2],
            answered: [0; 2],
            elapsed: [Duration::ZERO; 2],
            since: Instant::now(),
            over: 0,
            costs: Default::default(),
        }
    }

    fn at(&mut self, boundary: Boundary) -> Result<()> {
        match boundary {
            Boundary::WarmUp => self.begin(self.usages()),
            Boundary::Turn { load, answered } => {
                self.answered[load] += answered;
                self.elapsed[load] += self.since.elapsed();
                self.over += load as u32;
                if self.over == self.turns {
                    let after = self.usages();
                    for (at, after) in after.iter().enumerate() {
                        let used = after.since(&self.before[at]);
                        let cost = cost(&used, self.answered[at], self.elapsed[at]);
                        self.costs[at].push(cost.with_context(|| format!("server {}", at + 1))?);
                    }
                    self.begin(after);
                }
            }
        }
        self.since = Instant::now();
        Ok(())
    }

    fn begin(&mut self, before: [Usage; 2]) {
        (self.before, self.answered, self.elapsed, self.over) = (before, [0; 2], [Duration::ZERO; 2], 0);
    }

    fn usages(&self) -> [Usage; 2] {
        let usage = |at: usize| match self.idle[at] {
            Some(processes) => settled(self.pids[at], processes),
            None => Usage::of_tree(self.pids[at]),
        };
        [usage(0), usage(1)]
    }
}

fn cost(used: &Usage, answered: u64, elapsed: Duration) -> Result<Cost> {
    ensure!(answered > 0, "no request was answered in a round");
    let requests = answered as f64;
    Ok(Cost {
        cpu_us: used.cpu.as_secs_f64() * 1e6 / requests,
        per_second: requests / elapsed.as_secs_f64(),
        switches: used.known_context_switches().map(|switches| switches as f64 / requests),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects every ratio: the replies of a round must be divided by what was used in that round.
    #[test]
    fn a_round_ends_when_both_had_their_turns() {
        let own = std::process::id();
        let mut meter = Meter::new([own, own], [false, false], 2);
        meter.at(Boundary::WarmUp).expect("it is read");
        for round in 1..=2 {
            for turn in 1..=2 {
                for load in 0..2 {
                    assert_eq!(meter.costs[0].len(), round - 1, "turn {turn}");
                    meter.at(Boundary::Turn { load, answered: 10 }).expect("it is read");
                }
            }
            assert_eq!(meter.costs.each_ref().map(Vec::len), [round, round]);
        }
        assert_eq!(meter.answered, [0, 0]);
    }

    #[test]
    fn a_cost_is_of_a_request() {
        let used = Usage { cpu: Duration::from_millis(40), context_switches: 500, ..Usage::default() };
        let found = cost(&used, 1000, Duration::from_millis(100)).expect("requests were answered");
        assert_eq!(found, Cost { cpu_us: 40.0, per_second: 10_000.0, switches: Some(0.5) });
        let ended = Usage { cpu_of_ended: Duration::from_millis(30), ..used };
        assert_eq!(cost(&ended, 1, Duration::from_millis(1)).expect("one").switches, None);
        assert!(cost(&used, 0, Duration::from_millis(100)).is_err());
    }
}
