//! `harness scenario spin`: every request keeps a CPU busy.
//!
//! The server has all the CPUs, so the generator must have one of the same. It needs about a tenth of the time, and for
//! every server alike.

use super::servers::Servers;
use super::{CLIENTS, generator, seconds, table};
use crate::bench_all::{built_stages, numbers_up_to, shared_cpus};
use crate::count::judge as judge_clients;
use crate::generators::{Load, WARM_UP};
use crate::rounds::{self, Common, Measured, Measuring, Options, Plan};
use crate::watched::{found_in_closed_loop, run_watched};
use crate::whole_number::whole;
use anyhow::{Result, ensure};
use lab_core::server_process::Server;
use lab_core::stages::discover;
use records::{Content, Phase, spin};
use std::process::ExitCode;
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

    /// Who gets no answer in the whole time is taken for one who is never served: one worker must reach everybody.
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
pub(super) fn run(args: Args) -> Result<ExitCode> {
    let workers = numbers_up_to(&args.workers, "--workers", 1024)?;
    args.must_reach_all()?;
    let (server_cpus, generator_cpus) = shared_cpus(args.cpus.as_deref())?;
    let stages = discover()?;
    let stages = built_stages(args.stages.as_deref(), &stages)?;
    let (tool, host) = generator()?;
    let load = Load {
        addr: ([127, 0, 0, 1], 0).into(),
        host: None,
        path: format!("/spin/{}", args.spin),
        mix: None,
        concurrency: 1,
        keep_alive: true,
        pipeline: 1,
        duration: Duration::from_secs(args.seconds.into()),
        rate: None,
        warm_up: WARM_UP,
        learns_body: false,
        reply_bytes: 0,
        variable_bytes: 0,
        cpus: Some(generator_cpus),
    };
    let Servers { subjects, points } =
        Servers::of(&stages, &workers, args.clients as usize, seconds(args.seconds.into()));
    let is_whole = args.is_whole();
    let common = Common { phase: Phase::Spin, tool, load, server_cpus, host, is_whole };
    let plan = |seed| Plan { subjects, points, rounds: args.rounds.rounds, seed };
    let table = |records: &[_]| table::spin(&spin(records), args.spin);
    rounds::run(&args.rounds, Content::Spin, &common, plan, &Closed(&common), table)
}

/// A closed loop of the generator that looks at every reply. Its own warm-up, and no run before it: the requests that such a
/// run would leave behind in the sockets would be worked off, and paid for, in this one.
struct Closed<'a>(&'a Common);

impl Measuring for Closed<'_> {
    fn measure(&self, server: &Server, load: &Load, stop: &dyn Fn() -> bool) -> Result<Measured> {
        let common = self.0;
        let (report, watch) = run_watched(&common.tool, load, Some(server.pid() as u32), stop)?;
        let clients_served = judge_clients(&report)?.clients;
        let cpus = (common.server_cpus.len(), common.tool.cpus(load));
        let figures = found_in_closed_loop((&report, watch), cpus, clients_served == load.concurrency)?;
        Ok(Measured { figures, clients_served, open_loop: None, mix: None })
    }
}
