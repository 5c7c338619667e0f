//! `./lab scenario spin`: every request keeps a CPU busy.
//!
//! The server has all the CPUs, so the generator must have one of the same. It needs about a tenth of the
//! time, and for every server alike.

use super::servers::{CLIENTS, Common};
use crate::cpus::shared_cpus;
use crate::engine::{Clients, Method, Outcome, Setup};
use crate::generators::{Load, WARM_UP};
use crate::recipes::options::Measured;
use crate::recipes::select::numbers_up_to;
use crate::recipes::whole_number::whole;
use anyhow::{Result, ensure};
use lab_core::Usage;
use records::{Content, Phase};
use std::time::Duration;

/// The options of `./lab scenario spin`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// How many workers, for the stages that have the option.
    #[arg(long, value_name = "LIST", default_value = "1,2,4", allow_negative_numbers = true)]
    workers: String,
    /// For how many microseconds a request keeps a CPU busy.
    #[arg(long, value_name = "US", default_value_t = 100, allow_negative_numbers = true, value_parser = whole::<u32>(1..=1_000_000))]
    spin: u32,
    /// Clients at once, which keep their connections; a pool gets no more than it has workers.
    #[arg(long, value_name = "N", default_value_t = CLIENTS, allow_negative_numbers = true, value_parser = whole::<u32>(1..=20_000))]
    clients: u32,
    #[command(flatten)]
    pub(super) common: Common,
}

/// A client that gets no answer in the whole time is taken for one that is never served: one worker must
/// reach all of them.
fn must_reach_all(clients: u32, spin: u32, duration: Duration) -> Result<()> {
    let round = f64::from(clients) * f64::from(spin) / 1e6;
    let least = (2.0 * round).ceil();
    ensure!(
        duration.as_secs_f64() >= least,
        "one worker needs {round} s to answer {clients} clients once, at --spin {spin}: give --seconds {least} or more, or \
         fewer --clients"
    );
    Ok(())
}

/// Measures and records.
pub(super) fn run(args: Args) -> Result<Outcome> {
    let workers = numbers_up_to(&args.workers, "--workers", 1024)?;
    let duration = args.common.duration(Duration::from_secs(1));
    must_reach_all(args.clients, args.spin, duration).map_err(Usage::of)?;
    let (server_cpus, generator_cpus) = shared_cpus(args.common.cpus.as_deref())?;
    let load = Load {
        concurrency: args.clients as usize,
        duration,
        warm_up: WARM_UP,
        cpus: Some(generator_cpus),
        ..Load::new(format!("/spin/{}", args.spin))
    };
    let how = (Phase::Spin, Method::Closed(Clients::Reported));
    let (subjects, points) = args.common.by_workers(&workers, &load, how)?;
    let measured = Measured { content: Content::Spin, subjects, points, rounds: 5 };
    args.common.options.measure(measured, Setup::new(Vec::new(), server_cpus)?)
}
