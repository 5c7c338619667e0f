//! `harness scenario slow`: a few of the requests sleep.
//!
//! An open loop, since a closed one would ask less while a server stands still. What is looked at are the other requests:
//! a server that sleeps in its only loop lets them wait, one with a worker to spare does not.

use super::servers::Servers;
use super::{CLIENTS, generator, seconds, table};
use crate::bench_all::{built_stages, choose_cpus};
use crate::count::count as count_clients;
use crate::generators::{Load, Tool, WARM_UP};
use crate::rounds::{self, Common, Measured, Measuring, Options, Plan};
use crate::smoke::smoke;
use crate::watched::{found_in_open_loop, run_watched};
use crate::whole_number::whole;
use anyhow::{Context, Result, ensure};
use lab_core::server_process::Server;
use lab_core::stages::discover;
use load::{self, Report};
use records::{Content, Figures, Mix, Phase, slow};
use std::process::ExitCode;
use std::time::{Duration, Instant};

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

/// How long each server is asked for the quick path alone, and every reply checked, to see how many clients it serves.
const COUNTING: Duration = Duration::from_millis(300);
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
pub(super) fn run(args: Args) -> Result<ExitCode> {
    let (server_cpus, generator_cpus) = choose_cpus(args.cpus.as_deref())?;
    let stages = discover()?;
    let stages = built_stages(args.stages.as_deref(), &stages)?;
    let (tool, host) = generator()?;
    let (rate, is_whole) = (f64::from(args.rate), args.is_whole());
    let load = Load {
        addr: ([127, 0, 0, 1], 0).into(),
        host: None,
        path: "/".into(),
        mix: Some(args.mix),
        concurrency: 1,
        keep_alive: true,
        pipeline: 1,
        duration: Duration::from_secs(args.seconds.into()),
        rate: Some(rate),
        warm_up: WARM_UP,
        learns_body: false,
        reply_bytes: 0,
        variable_bytes: 0,
        cpus: Some(generator_cpus),
    };
    let counting = COUNTING.as_secs_f64() + Tool::Builtin.overhead_seconds();
    let seconds = counting + seconds(f64::from(args.seconds));
    let Servers { subjects, points } =
        Servers::of(&stages, &[args.workers.into()], args.clients as usize, seconds);
    let common = Common { phase: Phase::Slow, tool, load, server_cpus, host, is_whole };
    let plan = |seed| Plan { subjects, points, rounds: args.rounds.rounds, seed };
    let table = |records: &[_]| table::slow(&slow(records));
    rounds::run(&args.rounds, Content::Slow, &common, plan, &Open { common: &common, rate }, table)
}

/// An open loop, after the clients were counted.
struct Open<'a> {
    common: &'a Common,
    rate: f64,
}

impl Measuring for Open<'_> {
    fn measure(&self, server: &Server, load: &Load, stop: &dyn Fn() -> bool) -> Result<Measured> {
        let tool = &self.common.tool;
        let mixed = load.mix.as_ref().context("only one path is asked for")?;
        let slow = time_of(server, mixed.path())?;
        must_be_short(slow, mixed, load.duration)?;
        let quick =
            Load { rate: None, mix: None, warm_up: Duration::ZERO, duration: COUNTING, ..load.clone() };
        let clients_served = count_clients(tool, &quick, stop)??.clients;
        let (report, watch) = run_watched(tool, load, Some(server.pid() as u32), stop)?;
        let cpus = (self.common.server_cpus.len(), tool.cpus(load));
        let all_served = clients_served == load.concurrency;
        let (figures, open_loop) = found_in_open_loop((&report, watch), self.rate, cpus, all_served)?;
        let mix = mix(mixed, &report)?;
        let answered = figures.requests + mix.requests;
        let per_request = |seconds: f64| (answered > 0).then(|| seconds * 1e6 / answered as f64);
        let cpu_us_per_request = figures.server_cpu_seconds.and_then(per_request);
        let figures = Figures { cpu_us_per_request, ..figures };
        Ok(Measured { figures, clients_served, open_loop: Some(open_loop), mix: Some(mix) })
    }
}

/// How long a right reply on the other path takes, when nobody else asks.
fn time_of(server: &Server, path: &str) -> Result<Duration> {
    let start = Instant::now();
    smoke(server.addr, path).with_context(|| format!("the path that is mixed in, {path}"))?;
    Ok(start.elapsed())
}

/// The end cuts off the requests that are on their way. They must be few, both of all requests (or the rate would seem not
/// to be reached) and of the slow ones (or their times would be those of the ones that came early).
fn must_be_short(slow: Duration, mix: &load::Mix, duration: Duration) -> Result<()> {
    let least = 10.0 * slow.as_secs_f64() * (mix.percent() as f64 / 20.0).max(1.0);
    ensure!(
        duration.as_secs_f64() >= least,
        "{} takes {:.2} s, so the end of the run would cut off too many of these requests: give --seconds {} or more",
        mix.path(),
        slow.as_secs_f64(),
        least.ceil()
    );
    Ok(())
}

fn mix(mix: &load::Mix, report: &Report) -> Result<Mix> {
    let mixed = report.mix.as_ref().context("the generator asked for one path only")?;
    Ok(Mix {
        percent: mix.percent(),
        path: mix.path().to_owned(),
        requests: mixed.requests,
        errors: mixed.failed(),
        never_sent: mixed.never_sent,
        latency_us: mixed.latency_us,
        service_us: mixed.service_us,
    })
}
