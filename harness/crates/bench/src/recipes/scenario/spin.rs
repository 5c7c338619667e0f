//! `harness scenario spin`: every request keeps a CPU busy.
//!
//! The server has all the CPUs, so the generator must have one of the same. It needs about a tenth of the
//! time, and for every server alike.

use super::servers::{CLIENTS, Measured, Servers};
use super::tables;
use crate::cpus::shared_cpus;
use crate::engine::{self, Clients, Method, Outcome, Setup};
use crate::generators::{Load, WARM_UP};
use crate::recipes::options::{InRounds, Options};
use crate::recipes::select::{numbers_up_to, stages};
use crate::recipes::whole_number::whole;
use anyhow::{Result, ensure};
use lab_core::stages::discover;
use records::{Content, Phase, Record, spin};
use std::time::Duration;

/// The options of `harness scenario spin`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// Stages, ranges and twins: `4,6-7,5-mio`. Default: every stage.
    #[arg(long, value_name = "LIST")]
    stages: Option<String>,
    /// How many workers, for the stages that have the option.
    #[arg(long, value_name = "LIST", default_value = WORKERS, allow_negative_numbers = true)]
    workers: String,
    /// For how many microseconds a request keeps a CPU busy.
    #[arg(long, value_name = "US", default_value_t = SPIN, allow_negative_numbers = true, value_parser = whole::<u32>(1..=1_000_000))]
    spin: u32,
    /// Clients at once, who keep their connections; a pool gets no more than it has workers.
    #[arg(long, value_name = "N", default_value_t = CLIENTS, allow_negative_numbers = true, value_parser = whole::<u32>(1..=20_000))]
    clients: u32,
    /// Seconds per point.
    #[arg(long, value_name = "SECONDS", default_value = "1", allow_negative_numbers = true, value_parser = whole::<u32>(1..=3600))]
    seconds: u32,
    /// The CPUs of the servers and of the generator; default: the first two, for both.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    cpus: Option<String>,
    #[command(flatten)]
    rounds: Options,
}

const WORKERS: &str = "1,2,4";
const SPIN: u32 = 100;

impl Args {
    fn is_whole(&self) -> bool {
        let is_usual = self.workers == WORKERS && self.spin == SPIN && self.clients == CLIENTS;
        is_usual && self.stages.is_none() && self.cpus.is_none()
    }

    /// Who gets no answer in the whole time is taken for one who is never served: one worker must reach
    /// everybody.
    fn must_reach_all(&self) -> Result<()> {
        let round = f64::from(self.clients) * f64::from(self.spin) / 1e6;
        let least = (2.0 * round).ceil();
        ensure!(
            f64::from(self.seconds) >= least,
            "one worker needs {round} s to answer {} clients once, at --spin {}: give --seconds {least} or more, or fewer --clients",
            self.clients,
            self.spin
        );
        Ok(())
    }
}

/// Measures, records, prints.
pub(super) fn run(args: Args) -> Result<Outcome> {
    let workers = numbers_up_to(&args.workers, "--workers", 1024)?;
    args.must_reach_all()?;
    let (server_cpus, generator_cpus) = shared_cpus(args.cpus.as_deref())?;
    let all = discover()?;
    let measured = Measured {
        phase: Phase::Spin,
        method: Method::Closed(Clients::Reported),
        load: Load {
            concurrency: args.clients as usize,
            duration: Duration::from_secs(args.seconds.into()),
            warm_up: WARM_UP,
            cpus: Some(generator_cpus),
            ..Load::new(format!("/spin/{}", args.spin))
        },
        rounds: args.rounds.rounds,
    };
    let Servers { subjects, points } =
        Servers::of(&stages(args.stages.as_deref(), &all)?, &workers, &measured);
    let table = |records: &[Record]| tables::spin(&spin(records), args.spin);
    let rounds = args.rounds.rounds;
    let recipe = InRounds { content: Content::Spin, subjects, points, rounds, table: &table };
    let setup = Setup::new(Vec::new(), server_cpus)?;
    engine::run(&args.rounds.of_run(args.is_whole()), &setup, &recipe)
}
