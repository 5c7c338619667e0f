//! `harness scenario slow`: a few of the requests sleep.
//!
//! An open loop, since a closed one would ask less while a server stands still. What is looked at are the
//! other requests: a server that sleeps in its only loop lets them wait, one with a worker to spare does not.

use super::servers::{CLIENTS, Measured, Servers};
use super::tables;
use crate::cpus::cpus;
use crate::engine::{self, Method, Outcome, Rate, Setup};
use crate::generators::{Load, WARM_UP};
use crate::recipes::options::{InRounds, Options};
use crate::recipes::select::stages;
use crate::recipes::whole_number::whole;
use anyhow::Result;
use lab_core::stages::discover;
use records::{Content, Phase, Record, slow};
use std::time::Duration;

/// The options of `harness scenario slow`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// Stages, ranges and twins: `4,6-7,5-mio`. Default: every stage.
    #[arg(long, value_name = "LIST")]
    stages: Option<String>,
    /// How many workers, for the stages that have the option: the same for all, so that they compare.
    #[arg(long, value_name = "N", default_value_t = WORKERS, allow_negative_numbers = true, value_parser = whole::<u16>(1..=1024))]
    workers: u16,
    /// So many per cent of the requests ask for the other path.
    #[arg(long, value_name = "PERCENT:PATH", default_value = MIX)]
    mix: load::Mix,
    /// Requests per second, quick and slow ones together.
    #[arg(long, value_name = "N", default_value_t = RATE, allow_negative_numbers = true, value_parser = whole::<u32>(1..=1_000_000))]
    rate: u32,
    /// Clients at once, who keep their connections; a pool gets no more than it has workers.
    #[arg(long, value_name = "N", default_value_t = CLIENTS, allow_negative_numbers = true, value_parser = whole::<u32>(1..=20_000))]
    clients: u32,
    /// Seconds per point, after a warm-up.
    #[arg(long, value_name = "SECONDS", default_value = "2", allow_negative_numbers = true, value_parser = whole::<u32>(1..=3600))]
    seconds: u32,
    /// The CPUs of the servers and of the generator; default: the first one and the second one.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    cpus: Option<String>,
    #[command(flatten)]
    rounds: Options,
}

const WORKERS: u16 = 4;
const MIX: &str = "5:/sleep/50";
const RATE: u32 = 200;

impl Args {
    fn is_whole(&self) -> bool {
        let is_usual_load = self.mix.to_string() == MIX && self.rate == RATE && self.clients == CLIENTS;
        is_usual_load && self.workers == WORKERS && self.stages.is_none() && self.cpus.is_none()
    }
}

/// Measures, records, prints.
pub(super) fn run(args: Args) -> Result<Outcome> {
    let (server_cpus, generator_cpus) = cpus(args.cpus.as_deref())?;
    let all = discover()?;
    let is_whole = args.is_whole();
    let measured = Measured {
        phase: Phase::Slow,
        method: Method::Open(Rate::Fixed(args.rate.into())),
        load: Load {
            mix: Some(args.mix),
            concurrency: args.clients as usize,
            duration: Duration::from_secs(args.seconds.into()),
            warm_up: WARM_UP,
            cpus: Some(generator_cpus),
            ..Load::new("/")
        },
        rounds: args.rounds.rounds,
    };
    let Servers { subjects, points } =
        Servers::of(&stages(args.stages.as_deref(), &all)?, &[args.workers.into()], &measured);
    let setup = Setup::new(Vec::new(), server_cpus)?;
    let table = |records: &[Record]| tables::slow(&slow(records));
    let rounds = args.rounds.rounds;
    let recipe = InRounds { content: Content::Slow, subjects, points, rounds, table: &table };
    engine::run(&args.rounds.of_run(is_whole), &setup, &recipe)
}
