//! `harness scenario`: loads under which more than one CPU, or more than one worker, shows.
//!
//! A small reply costs less than handing it to another thread, so the survey cannot tell servers with several
//! workers from those with one loop. Here a request costs something itself:
//!
//! * `spin`: every request keeps a CPU busy; how the throughput grows with the workers;
//! * `slow`: a few requests sleep; how long the quick ones beside them wait.
//!
//! `servers`: the stages, each with its workers; `tables`: what is printed at the end.

mod servers;
mod slow;
mod spin;
mod tables;

use crate::engine::Outcome;
use anyhow::Result;

/// The options of `harness scenario`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Scenario {
    /// Every request keeps a CPU busy for a while: requests per second against workers.
    Spin(spin::Args),
    /// A few of the requests sleep: how long the quick ones beside them wait, at a fixed rate.
    Slow(slow::Args),
}

/// Measures, records, prints.
pub fn run(args: Args) -> Result<Outcome> {
    match args.scenario {
        Scenario::Spin(args) => spin::run(args),
        Scenario::Slow(args) => slow::run(args),
    }
}
