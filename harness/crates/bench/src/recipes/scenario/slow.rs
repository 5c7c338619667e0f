//! `./lab scenario slow`: a few of the requests sleep.
//!
//! An open loop, since a closed one would ask less while a server stands still. What is looked at are the
//! other requests: a server that sleeps in its only loop lets them wait, one with a worker to spare does not.

use super::servers::{CLIENTS, Common};
use crate::cpus::cpus;
use crate::engine::{Method, Outcome, Setup};
use crate::generators::{Load, WARM_UP};
use crate::recipes::options::Measured;
use crate::recipes::whole_number::whole;
use anyhow::Result;
use records::{Content, Phase};
use std::time::Duration;

/// The options of `./lab scenario slow`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// How many workers, for the stages that have the option: the same for all, so that they compare.
    #[arg(long, value_name = "N", default_value_t = 4, allow_negative_numbers = true, value_parser = whole::<u16>(1..=1024))]
    workers: u16,
    /// So many per cent of the requests ask for the other path.
    #[arg(long, value_name = "PERCENT:PATH", default_value = "5:/sleep/50")]
    mix: load::Mix,
    /// Requests per second, quick and slow ones together.
    #[arg(long, value_name = "N", default_value_t = 200, allow_negative_numbers = true, value_parser = whole::<u32>(1..=1_000_000))]
    rate: u32,
    /// Clients at once, which keep their connections; a pool gets no more than it has workers.
    #[arg(long, value_name = "N", default_value_t = CLIENTS, allow_negative_numbers = true, value_parser = whole::<u32>(1..=20_000))]
    clients: u32,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Measures and records.
pub(super) fn run(args: Args) -> Result<Outcome> {
    let (server_cpus, generator_cpus) = cpus(args.common.cpus.as_deref())?;
    let load = Load {
        mix: Some(args.mix),
        concurrency: args.clients as usize,
        duration: args.common.duration(Duration::from_secs(2)),
        warm_up: WARM_UP,
        cpus: Some(generator_cpus),
        ..Load::new("/")
    };
    let how = (Phase::Slow, Method::Open(args.rate.into()));
    let (subjects, points) = args.common.by_workers(&[args.workers.into()], &load, how)?;
    let measured = Measured { content: Content::Slow, subjects, points, rounds: 5 };
    args.common.options.measure(measured, Setup::new(Vec::new(), server_cpus)?)
}
