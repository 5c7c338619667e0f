//! `harness scenario`: loads under which more than one CPU, or more than one worker, shows.
//!
//! A small reply costs less than handing it to another thread, so the survey cannot tell servers with several workers from
//! those with one loop. Here a request costs something itself:
//!
//! * `spin`: every request keeps a CPU busy; how the throughput grows with the workers;
//! * `slow`: a few requests sleep; how long the quick ones beside them wait.
//!
//! `servers`: the stages, each with its workers; `table`: what is printed at the end.

mod servers;
mod slow;
mod spin;
mod table;

use crate::generators::{Installed, Tool, WARM_UP};
use anyhow::Result;
use lab_core::host::Host;
use std::process::ExitCode;

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
pub fn run(args: Args) -> Result<ExitCode> {
    match args.scenario {
        Scenario::Spin(args) => spin::run(args),
        Scenario::Slow(args) => slow::run(args),
    }
}

/// Clients at once, if the user does not say how many.
const CLIENTS: u32 = 64;
/// Starting a server, waiting for a quiet machine that is quiet, reading `/proc`.
const AROUND: f64 = 0.45;

/// Seconds that a run of the generator and what is around it take.
fn seconds(measuring: f64) -> f64 {
    measuring + WARM_UP.as_secs_f64() + Tool::Builtin.overhead_seconds() + AROUND
}

/// The one generator that knows its replies and keeps a rate, and the machine with it.
fn generator() -> Result<(Installed, Host)> {
    let builtin = Tool::Builtin.find().map_err(|build| anyhow::anyhow!("harness is not built: {build}"))?;
    let mut host = Host::look();
    host.tools.insert(builtin.tool.name().into(), builtin.version.clone());
    Ok((builtin, host))
}
