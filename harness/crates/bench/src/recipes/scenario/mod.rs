//! `./lab scenario`: loads under which more shows than in a run of everything.
//!
//! * `latency`: how long requests wait, at the same rates for every server;
//! * `clients`: what a request costs with 1 to 1,024 clients;
//! * `c10k`: what silent connections cost, and the active clients beside them;
//! * `cpus`: what a second CPU is worth;
//! * `spin`: every request keeps a CPU busy; how the throughput grows with the workers;
//! * `slow`: a few requests sleep; how long the quick ones beside them wait;
//! * `overload`: more requests than can be served; how many are answered in time;
//! * `balance`: what each worker of a server has of the load;
//! * `uring`: what each feature of io_uring is worth;
//! * `concurrency`: what a connection costs, by what holds it: a process, a thread, a fiber, a future or a
//!   state machine;
//! * `stealing`: quick requests beside long ones, by which threads have the long ones.
//!
//! `servers`: the servers of each.

mod balance;
mod c10k;
mod clients;
mod concurrency;
mod cpus;
mod latency;
mod overload;
mod servers;
mod slow;
mod spin;
mod stealing;
mod uring;

use super::options::Options;
use crate::engine::{Finished, Outcome};
use anyhow::Result;
use clap::Parser;
use std::process::ExitCode;

/// The options of `./lab scenario`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Scenario {
    /// The same requests per second for every server, in an open loop: how long they wait.
    Latency(latency::Args),
    /// CPU time per request against the number of clients, each in turns with the floor.
    Clients(clients::Args),
    /// Active clients at a fixed rate beside thousands of silent connections: tail, cost and memory.
    C10k(c10k::Args),
    /// One CPU with one worker, and two with two: requests per second.
    Cpus(cpus::Args),
    /// Every request keeps a CPU busy for a while: requests per second against workers.
    Spin(spin::Args),
    /// A few of the requests sleep: how long the quick ones beside them wait, at a fixed rate.
    Slow(slow::Args),
    /// More requests than can be served, by clients that give up: whom four policies of stage 07 serve.
    /// About 10 minutes.
    Overload(overload::Args),
    /// Connections, requests and waits of each worker, by how a connection finds one; with one worker slowed
    /// down too. About 9 minutes.
    Balance(balance::Args),
    /// CPU time per request with one feature of io_uring switched, and with epoll, by clients and by the
    /// length of the reply. About 10 minutes.
    Uring(uring::Args),
    /// What a connection costs by what holds it (process, thread, fiber, future, state machine): memory while
    /// it waits, CPU time per request beside the floor, and waits beside slow requests. About 9 minutes.
    Concurrency(concurrency::Args),
    /// Quick requests beside long ones, which keep their thread busy: how long the quick ones wait if one
    /// thread has all the long ones, with threads that steal work and with threads that do not. About 5
    /// minutes.
    Stealing(stealing::Args),
    /// All of them, one after the other.
    All(Options),
}

/// What `scenario all` runs, in this order.
const NAMES: [&str; 11] = [
    "latency",
    "clients",
    "c10k",
    "cpus",
    "spin",
    "slow",
    "overload",
    "balance",
    "uring",
    "concurrency",
    "stealing",
];

/// A scenario as it is typed after `./lab scenario`.
#[derive(clap::Parser)]
struct Typed {
    #[command(subcommand)]
    scenario: Scenario,
}

/// Measures and records; `show` shows what was found.
pub fn run(args: Args, show: &dyn Fn(&Finished) -> Result<()>) -> Result<ExitCode> {
    let Scenario::All(options) = args.scenario else { return shown(measure(args.scenario)?, show) };
    let mut status = ExitCode::SUCCESS;
    for name in NAMES {
        let mut scenario = Typed::parse_from(["scenario", name]).scenario;
        let rounds = options.rounds.map_or(String::new(), |rounds| format!(" --rounds {rounds}"));
        *scenario.options() =
            Options { command: Some(format!("scenario {name}{rounds}")), ..options.clone() };
        eprintln!("scenario {name}");
        let outcome = measure(scenario)?;
        let (is_interrupted, its) = (outcome.finished.is_none(), shown(outcome, show)?);
        if its != ExitCode::SUCCESS {
            status = its;
        }
        if is_interrupted {
            break;
        }
    }
    Ok(status)
}

fn shown(outcome: Outcome, show: &dyn Fn(&Finished) -> Result<()>) -> Result<ExitCode> {
    outcome.finished.iter().try_for_each(show)?;
    Ok(outcome.status)
}

fn measure(scenario: Scenario) -> Result<Outcome> {
    match scenario {
        Scenario::Latency(args) => latency::run(args),
        Scenario::Clients(args) => clients::run(args),
        Scenario::C10k(args) => c10k::run(args),
        Scenario::Cpus(args) => cpus::run(args),
        Scenario::Spin(args) => spin::run(args),
        Scenario::Slow(args) => slow::run(args),
        Scenario::Overload(args) => overload::run(args),
        Scenario::Balance(args) => balance::run(args),
        Scenario::Uring(args) => uring::run(args),
        Scenario::Concurrency(args) => concurrency::run(args),
        Scenario::Stealing(args) => stealing::run(args),
        Scenario::All(_) => unreachable!("it is taken apart before"),
    }
}

impl Scenario {
    fn options(&mut self) -> &mut Options {
        match self {
            Self::Latency(args) => &mut args.servers.common.options,
            Self::Clients(args) => &mut args.servers.common.options,
            Self::C10k(args) => &mut args.servers.common.options,
            Self::Cpus(args) => &mut args.servers.common.options,
            Self::Spin(args) => &mut args.common.options,
            Self::Slow(args) => &mut args.common.options,
            Self::Overload(args) => &mut args.options,
            Self::Balance(args) => &mut args.options,
            Self::Uring(args) => &mut args.options,
            Self::Concurrency(args) => &mut args.options,
            Self::Stealing(args) => &mut args.options,
            Self::All(options) => options,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects `scenario all` from a scenario that has no defaults.
    #[test]
    fn every_scenario_can_be_run_without_options() {
        for name in NAMES.into_iter().chain(["all"]) {
            let mut typed = Typed::try_parse_from(["scenario", name]).expect(name);
            typed.scenario.options().rounds = Some(2);
        }
    }
}
