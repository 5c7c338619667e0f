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
use anyhow::{Result, bail, ensure};
use plan::{Done, Plan};
use run::{End, Session};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// The options of `harness table`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Clients at once.
    #[arg(long, value_name = "LIST", default_value = "1,2,5,10,20,50,100,200,500,1000,2000,2500,3000")]
    clients: String,
    /// Seconds per point. A client whose connection found the accept queue full tries again after 1, 3, 7, 15 s: the
    /// table was first made with 30.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// How often everything is measured; from five on an interval can be computed.
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1000))]
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
    /// The data goes to `data` below it.
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
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
    let data = args.out.join("data");
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
        reply_bytes: 0,
        cpus: Some(generator_cpus),
    };
    let session = Session { plan: &plan, webbench, load, server_cpus, host, command };
    let end = session.run(writer, &done.unwrap_or_default())?;
    finish(&path, end)
}

fn announce(plan: &Plan) {
    let rounds = if plan.rounds == 1 { "1 round".into() } else { format!("{} rounds", plan.rounds) };
    let time = minutes(plan.seconds_in_all());
    eprintln!("{} points in {rounds}; about {time}; seed {}", plan.len(), plan.seed);
    for row in &plan.rows {
        if let Err(reason) = &row.launch {
            eprintln!("skipped: {}: {reason}", row.title);
        }
    }
}

/// Prints what there is, whole or not.
fn finish(path: &Path, end: End) -> Result<ExitCode> {
    let records = read(path)?;
    let is_measured = records.iter().any(|record| record.figures.is_some());
    if is_measured {
        println!("{}", table::text(&seed_table(&records)));
        println!("data    {}", path.display());
    }
    match end {
        End::Interrupted => {
            eprintln!("interrupted; what was measured is in {}", path.display());
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
