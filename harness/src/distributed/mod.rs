//! `harness distributed`: the same load from several hosts, by Tsung, for a server that outgrows one
//! generator.
//!
//! To spread load over hosts, to start it on all of them at once and to add up what they counted is a program
//! of its own, and there are good ones. Tsung is driven here because it starts its own workers by ssh and
//! needs nothing on them but itself (Locust's must be started by hand on each host), and because Debian has
//! it (k6 it has not).
//!
//! * `scenario`: what Tsung runs, `harness/engines/tsung.xml` filled in; `report`: what it counted.

mod report;
mod scenario;

use self::scenario::{Worker, scenario, this_host};
use crate::data_name;
use anyhow::{Context as _, Result, ensure};
use bench::generators::{bounded, on_path};
use lab_core::clock::now;
use lab_core::host::Host;
use lab_core::interruption::Interruption;
use lab_core::server_process::Launch;
use lab_core::whole;
use load::Target;
use records::{Context, Key, Kind, Outcome, Phase, Record, Served, Throughput, Writer};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// What Tsung may take beyond the time of the load: starting nodes on other hosts takes seconds.
const GRACE: u64 = 60;

/// The options of `harness distributed`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Where the server listens: `http://HOST[:PORT]/PATH`.
    #[arg(value_name = "URL")]
    url: String,
    /// What the records call the server [default: HOST:PORT]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Clients at once, of all workers together.
    #[arg(long, value_name = "N", default_value = "64", value_parser = whole::<u32>(1..=1_000_000))]
    clients: u32,
    /// How long each client goes on asking.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = whole::<u32>(1..=3600))]
    duration: u32,
    /// A connection for each request (HTTP/1.0), instead of one for each client.
    #[arg(long)]
    close: bool,
    /// The hosts that make the load, each with the number of processes if it is not one: `load1=4,load2=4`.
    /// Tsung logs in there by ssh without a password [default: two processes on this host]
    #[arg(long, value_name = "HOST[=N]", value_delimiter = ',', value_parser = Worker::parse)]
    workers: Vec<Worker>,
    /// The program that logs in, in place of ssh. It gets the host and a command.
    #[arg(long, value_name = "PROGRAM", default_value = "ssh")]
    connect: String,
    /// Where the record goes: to `data` below it.
    #[arg(long, value_name = "DIR", default_value = "results/look")]
    out: PathBuf,
}

/// Runs the scenario, and records its figures or why there are none.
pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let target = Target::parse(&args.url)?;
    let addr = target.reachable()?;
    let is_local = args.workers.is_empty();
    if is_local {
        args.workers.push(Worker { host: this_host()?, processes: 2 });
    }
    let program = on_path("tsung").context("tsung is not installed: apt-get install tsung")?;
    let mut host = Host::look();
    host.tools.insert("tsung".into(), version(&program)?);
    // Before the measuring: a directory that cannot be written is said now.
    let mut writer = Writer::create(&args.out.join("data"), &data_name(&host, "distributed"))?;
    let hosts: Vec<&str> = args.workers.iter().map(|worker| worker.host.as_str()).collect();
    eprintln!(
        "{} clients on {} for {} s, and some seconds more for Tsung to start",
        args.clients,
        hosts.join(", "),
        args.duration
    );
    eprintln!("no CPU figures: the server is not ours");
    let started_at = now();
    let log = tsung(&program, &args, is_local, &scenario(&args, addr, &target));
    let figures = log.and_then(|log| report::parse(&log, args.clients).context("Tsung's log cannot be read"));
    let outcome = match &figures {
        // Tsung does not say which client was served how often; one that gave up is an error.
        Ok(figures) => Outcome::Throughput(Throughput {
            figures: figures.clone(),
            served: Served { clients: args.clients as usize, body_bytes: 0 },
        }),
        Err(error) => Outcome::skipped(format!("{error:#}")),
    };
    let context = Context {
        kind: Kind::Target,
        duration_seconds: args.duration.into(),
        round: 1,
        points_planned: 1,
        command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        started_at,
        generator_host: Some(hosts.join(",")),
        note: Some("no CPU figures: the server and the generators are not ours to look into".into()),
        host,
        ..Context::default()
    };
    writer.write(&Record { key: key(&args, &target), context, outcome })?;
    let figures = figures?;
    println!("{:.0} requests/s, {} errors", figures.requests_per_second, figures.errors);
    println!("data    {}", writer.path().display());
    ensure!(figures.requests > 0, "no request was answered with 200");
    Ok(ExitCode::SUCCESS)
}

/// Runs Tsung in a directory of its own and returns its log.
fn tsung(program: &Path, args: &Args, is_local: bool, scenario: &str) -> Result<String> {
    let interruption = Interruption::catch()?;
    let directory = tempfile::Builder::new().prefix("tsung-").tempdir()?;
    let file = directory.path().join("scenario.xml");
    fs::write(&file, scenario)?;
    let logs = directory.path().join("log");
    let mut launch = Launch::new(program);
    // Its nodes are named after the process, so that two runs do not meet; no page on a port of its own.
    launch.args = ["-n", "-i", &std::process::id().to_string(), "-r", &args.connect].map(String::from).into();
    launch.args.extend(["-f".into(), file.display().to_string(), "-l".into(), logs.display().to_string()]);
    launch.args.push("start".into());
    launch.env.push(("HOME".into(), directory.path().into()));
    if is_local {
        // The daemon that tells Erlang's nodes each other's ports need not be seen from outside.
        launch.env.push(("ERL_EPMD_ADDRESS".into(), "127.0.0.1".into()));
    }
    let limit = Duration::from_secs(u64::from(args.duration) + GRACE);
    let output =
        bounded(&mut launch.command()?, limit, &mut |_| !interruption.has_come()).context("tsung")?;
    // It ends with 0 whatever happened; the log is in a directory that is named after the time.
    let run = fs::read_dir(&logs).ok().and_then(|mut runs| runs.next()).and_then(Result::ok);
    let log = run.and_then(|run| fs::read_to_string(run.path().join("tsung.log")).ok());
    log.with_context(|| format!("tsung left no log: {}", output.last_words()))
}

fn version(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("-v").stdin(Stdio::null()).output().context("tsung -v")?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned())
}

fn key(args: &Args, target: &Target) -> Key {
    Key {
        phase: Phase::Survey,
        server: args.name.clone().unwrap_or_else(|| target.host.clone()),
        title: "already running".into(),
        tool: "tsung".into(),
        concurrency: args.clients as usize,
        keep_alive: !args.close,
        pipeline: 1,
        path: target.path.clone(),
        ..Key::default()
    }
}
