//! `harness table`: the table of a fellow learner, done again.
//!
//! He measured a serial server and a preforking one with webbench, from 1 to 3,000 clients, with an accept queue of
//! five, and asked why the serial one drops at ten clients. The same table is measured here, with what he had no column
//! for: how often the accept queue was full.
//!
//! * `rows`: the servers; `plan`: the points, their order, and those that are done already;
//! * `run`: point by point; `table`: what is printed at the end.

mod plan;
mod rows;
mod run;
mod table;

use crate::bench::{choose_cpus, command_line, minutes, now, numbers_of_clients};
use crate::generators::{Load, Tool};
use crate::host::Host;
use crate::records::{Writer, read, seed_table};
use crate::stages::discover;
use crate::units::count;
use anyhow::{Result, bail, ensure};
use plan::{Done, Plan};
use run::{End, Session};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// The options of `harness table`.
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Seed 002 is a web server that a fellow learner wrote step by step. Its author published this table, \
                        made with webbench and an accept queue of five, and asked why the serial server drops at ten \
                        clients. The chart shows his figures beside those measured here."
)]
pub struct Args {
    /// Clients at once.
    #[arg(long, value_name = "LIST", default_value = CLIENTS)]
    clients: String,
    /// Seconds per point. A client whose connection found the accept queue full tries again after 1, 3, 7, 15 s: the
    /// table was first made with 30.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// How often everything is measured; from five on an interval can be computed.
    #[arg(long, value_name = "N", default_value_t = ROUNDS, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How many connections may wait to be accepted; 5 as when the table was first made.
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u16).range(1..=4096))]
    backlog: u16,
    /// The CPUs of the servers and of webbench; default: the first one and the second one, also for two processes.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    cpus: Option<String>,
    /// What the order of the points is shuffled with; default: the time.
    #[arg(long)]
    seed: Option<u64>,
    /// Begin anew, even if the same table was interrupted and could go on.
    #[arg(long)]
    fresh: bool,
    /// The data goes to `data` below it [default: results; results/look for a part of the table]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What the table was first made with.
const CLIENTS: &str = "1,2,5,10,20,50,100,200,500,1000,2000,2500,3000";
/// Rounds that an interval can be computed from.
const ROUNDS: u32 = 5;

impl Args {
    /// A look must not take the place of a measurement.
    fn out(&self) -> PathBuf {
        let whole =
            self.clients == CLIENTS && self.rounds >= ROUNDS && self.backlog == 5 && self.cpus.is_none();
        self.out.clone().unwrap_or_else(|| if whole { "results".into() } else { "results/look".into() })
    }
}

/// Measures, records, prints.
pub fn run(args: Args) -> Result<ExitCode> {
    let clients = numbers_of_clients(&args.clients, "--clients")?;
    let (server_cpus, generator_cpus) = choose_cpus(args.cpus.as_deref())?;
    let webbench = match Tool::Webbench.find() {
        Ok(found) => found,
        Err(install) => bail!("webbench is not installed: {install}"),
    };
    let rows = rows::rows(&discover()?, args.backlog);
    let mut host = Host::look();
    host.tools.insert(webbench.tool.name().into(), webbench.version.clone());

    let command = command_line();
    let data = args.out().join("data");
    let done = if args.fresh { None } else { Done::find(&data, &command, args.seed, &host) };
    let seed = done.as_ref().map(|done| done.seed).or(args.seed).unwrap_or_else(|| {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
    });
    let plan = Plan { rows, clients, rounds: args.rounds, seconds: args.seconds, seed };
    let done = done.filter(|done| done.count(&plan) < plan.len());
    announce(&plan);
    ensure!(plan.len() > 0, "nothing can be measured: no server of the table is built");
    let writer = match &done {
        Some(done) => {
            let (path, count) = (done.path.display(), done.count(&plan));
            eprintln!(
                "going on with {path}: {count} of {} points are there (--fresh begins anew)",
                plan.len()
            );
            Writer::resume(&done.path)?
        }
        None => Writer::create(&data, &file_name(&host))?,
    };
    let path = writer.path().to_owned();
    let load = Load {
        addr: ([127, 0, 0, 1], 0).into(),
        path: "/".into(),
        concurrency: 1,
        keep_alive: false,
        pipeline: 1,
        duration: Duration::from_secs(args.seconds.into()),
        rate: None,
        learns_body: false,
        reply_bytes: 0,
        cpus: Some(generator_cpus),
    };
    let how = match host.dirty {
        true => "the work tree has uncommitted changes, so the same command will begin anew",
        false => "the same command goes on from there",
    };
    let session = Session { plan: &plan, webbench, load, server_cpus, host, command };
    let end = session.run(writer, &done.unwrap_or_default())?;
    finish(&path, end, how)
}

fn announce(plan: &Plan) {
    let (points, rounds) = (count(plan.len(), "point"), count(plan.rounds as usize, "round"));
    let time = minutes(plan.seconds_in_all());
    eprintln!("{points} in {rounds}; about {time}, longer on a busy machine; seed {}", plan.seed);
    for row in &plan.rows {
        if let Err(reason) = &row.launch {
            eprintln!("skipped: {}: {reason}", row.title);
        }
    }
}

/// Prints what there is, whole or not.
fn finish(path: &Path, end: End, how_to_go_on: &str) -> Result<ExitCode> {
    let records = read(path)?;
    let is_measured = records.iter().any(|record| record.figures.is_some());
    if is_measured {
        println!("{}", table::text(&seed_table(&records)));
        println!("data    {}", path.display());
        println!(
            "its chart: ./lab chart --data {}; on the page of the last run: ./lab report",
            path.display()
        );
    }
    match end {
        End::Interrupted if records.is_empty() => {
            Writer::discard(path)?;
            eprintln!("interrupted; nothing was measured yet, and nothing is kept");
            Ok(ExitCode::from(130))
        }
        End::Interrupted => {
            let what =
                if is_measured { "what was measured" } else { "nothing was measured yet; what was skipped" };
            eprintln!("interrupted; {what} is in {}; {how_to_go_on}", path.display());
            Ok(ExitCode::from(130))
        }
        _ if !is_measured => bail!("nothing was measured; {} says why", path.display()),
        End::WithFailures => Ok(ExitCode::FAILURE),
        End::Complete => Ok(ExitCode::SUCCESS),
    }
}

/// `20260102T030405Z-1234567890-table`.
fn file_name(host: &Host) -> String {
    let commit = if host.commit.is_empty() { "nocommit" } else { &host.commit };
    format!("{}-{commit}-table", now().replace(['-', ':'], ""))
}
