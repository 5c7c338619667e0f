//! `harness grade`: runs the probes, compares with what was declared, and says what is a surprise.

mod record;
mod table;

use crate::probes::{self, Expected, Finding, Outcome, PROBES, Probe, Target};
use crate::stages::{self, Stage};
use crate::wire::{Authority, first_reachable};
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// The options.
#[derive(clap::Args)]
pub struct Args {
    /// The stage or twin: 4, 04, 5-mio; or `all`: every stage with its twins and variants.
    #[arg(required_unless_present_any = ["cmd", "addr", "list"], conflicts_with_all = ["cmd", "addr"])]
    stage: Option<String>,

    /// Grade this command, which must listen on 127.0.0.1:$PORT. It is run by `sh -c "exec COMMAND"`; with
    /// $OPTIONS in it, it is also asked for what needs an option of the stages.
    #[arg(long, value_name = "COMMAND", conflicts_with = "addr")]
    cmd: Option<String>,

    /// Grade a server that runs already. What needs its process is not applicable.
    #[arg(long, value_name = "HOST:PORT")]
    addr: Option<String>,

    /// What is expected where it is not a pass, instead of what the stage declares.
    #[arg(long, value_name = "PROBE=OUTCOME", value_delimiter = ',')]
    expect: Vec<String>,

    /// Run these probes only.
    #[arg(long, value_name = "PROBE", value_delimiter = ',')]
    only: Vec<String>,

    /// Run the probes that are left out otherwise as well (idle-10000).
    #[arg(long)]
    all: bool,

    /// Write a record of each run, one JSON object a line; `-` is stdout.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,

    /// With `all`: write the same to a new file in this directory [default: results/data]. The matrix of stages and
    /// probes is drawn from it, and `bench` looks there whether a binary was graded.
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "results/data", conflicts_with = "only")]
    record: Option<PathBuf>,

    /// Run everything this many times.
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,

    /// Print each probe's name and what a server that passes does.
    #[arg(long)]
    list: bool,

    /// Options for the stage; from the first one on all are the stage's, so those of `grade` stand before.
    #[arg(value_name = "STAGE OPTIONS", allow_hyphen_values = true)]
    options: Vec<String>,
}

/// How long an address may take to accept a connection before the next one of the same name is tried.
const PATIENCE: Duration = Duration::from_secs(5);

/// What stands for every stage, twin and variant.
const EVERYTHING: &str = "all";

/// What was declared about the probes; a pass where nothing was.
type Expectations = BTreeMap<&'static str, Expected>;

/// What to grade and what to expect of it.
struct Task {
    /// `stage 05 --trigger edge`, the command, or the address.
    title: String,
    /// The stage or twin, if it is one.
    stage: Option<Graded>,
    target: Target,
    /// Why it cannot run on this machine.
    lacks: Option<String>,
    expect: Expectations,
}

/// A stage or twin that is graded.
struct Graded {
    name: String,
    title: String,
    options: Vec<String>,
}

/// Runs it.
pub fn run(args: Args) -> Result<ExitCode> {
    if args.list {
        table::print_list();
        return Ok(ExitCode::SUCCESS);
    }
    let is_all = args.stage.as_deref() == Some(EVERYTHING);
    if args.record.is_some() && !is_all {
        bail!(
            "--record keeps the grade of every stage together: harness grade all --record; for one there is --json"
        );
    }
    let chosen = choose(&args)?;
    let tasks = tasks(&args)?;
    raise_descriptor_limit();
    let mut missing = Vec::new();
    if args.stage.is_none() {
        // A server of another make: most probes ask for the lab's routes.
        for task in &tasks {
            missing.extend(probes::missing_routes(&task.target)?);
        }
    }
    let mut records = record::Writer::new(args.json.as_deref(), args.record.as_deref(), tasks.len())?;
    let mut surprises = 0;
    for task in &tasks {
        let mut runs = Vec::new();
        for round in 1..=args.repeat {
            let begun = SystemTime::now();
            let findings = probe_with_progress(&chosen, task, round, args.repeat);
            records.write(task, begun, &findings)?;
            runs.push(findings);
        }
        let rows = if tasks.len() > 1 { table::Rows::Surprises } else { table::Rows::All };
        surprises += table::print(task, &runs, rows, records.uses_stdout());
    }
    if let Some(file) = records.file() {
        eprintln!("recorded in {}", file.display());
    }
    if !missing.is_empty() {
        eprintln!(
            "the probes ask for routes that this server does not answer, so many outcomes and hints are about that:"
        );
        missing.iter().for_each(|route| eprintln!("  {route}"));
    }
    Ok(if surprises == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The probes to run.
fn choose(args: &Args) -> Result<Vec<&'static Probe>> {
    let named = args.only.iter().map(|name| probes::find(name)).collect::<Result<Vec<_>>>()?;
    let wanted = |probe: &&'static Probe| match named.is_empty() {
        true => args.all || !probe.only_on_request,
        false => named.iter().any(|other| other.name == probe.name),
    };
    Ok(PROBES.iter().filter(wanted).collect())
}

fn tasks(args: &Args) -> Result<Vec<Task>> {
    if args.stage.as_deref() != Some(EVERYTHING) {
        return Ok(vec![task(args)?]);
    }
    let given: Vec<&String> = args.options.iter().chain(&args.expect).collect();
    if let Some(first) = given.first() {
        bail!(
            "`grade all` takes each stage's own options and expectations, not `{first}`: that is for one stage"
        );
    }
    let mut tasks = Vec::new();
    for stage in stages::discover()? {
        tasks.push(stage_task(&stage, &[], Expectations::new())?);
        for variant in &stage.variants {
            tasks.push(stage_task(&stage, &variant.args, Expectations::new())?);
        }
    }
    Ok(tasks)
}

fn task(args: &Args) -> Result<Task> {
    let given = args.expect.iter().map(|text| {
        let (probe, outcome) = text.split_once('=').with_context(|| {
            format!("--expect takes PROBE=OUTCOME, for example two-clients=starved, not `{text}`")
        })?;
        Ok((probe.trim().to_owned(), outcome.to_owned()))
    });
    let given = given.collect::<Result<BTreeMap<_, _>>>()?;
    let given = expectations(&given).context("--expect")?;
    if let Some(name) = &args.stage {
        let stages = stages::discover()?;
        return stage_task(stages::find(&stages, name)?, &args.options, given);
    }
    if !args.options.is_empty() {
        bail!(
            "`{}` is no option of grade, and options for a stage need one; write those of a command into the command",
            args.options.join(" ")
        );
    }
    let (title, target) = match (&args.cmd, &args.addr) {
        (Some(command), _) if !command.contains("$PORT") && !command.contains("${PORT}") => {
            bail!("the command must contain $PORT, the port that it is told to listen on")
        }
        (Some(command), _) => {
            let target = Target::Command(command.clone());
            // Once, and not as a crash in every probe.
            target.try_start().with_context(|| format!("`{command}`"))?;
            (command.clone(), target)
        }
        (None, Some(addr)) => (addr.clone(), Target::Address(resolve(addr)?)),
        (None, None) => bail!("name a stage, or give --cmd or --addr"),
    };
    Ok(Task { title, stage: None, target, lacks: None, expect: given })
}

fn stage_task(stage: &Stage, options: &[String], given: Expectations) -> Result<Task> {
    let target = Target::stage(stage, options);
    if let Target::Stage(launch) = &target {
        // Once, and not as a crash in every probe.
        launch.command()?;
        if !options.is_empty() && stage.lacks().is_none() {
            let options = options.join(" ");
            target.try_start().with_context(|| {
                format!(
                    "stage {} does not start with `{options}` (options of grade stand before those)",
                    stage.name
                )
            })?;
        }
    }
    let mut expect = expectations(stage.expected_with(options))
        .with_context(|| format!("what stage {} declares", stage.name))?;
    expect.extend(given);
    let title = format!("stage {} {}", stage.name, options.join(" "));
    let graded = Graded { name: stage.name.clone(), title: stage.title.clone(), options: options.to_vec() };
    Ok(Task { title: title.trim().to_owned(), stage: Some(graded), target, lacks: stage.lacks(), expect })
}

fn expectations(declared: &BTreeMap<String, String>) -> Result<Expectations> {
    declared.iter().map(|(name, outcome)| Ok((probes::find(name)?.name, Expected::parse(outcome)?))).collect()
}

/// The address to probe: of a name with several the first one that accepts a connection.
fn resolve(addr: &str) -> Result<SocketAddr> {
    let authority = Authority::parse(addr, None);
    let addrs = authority.and_then(|authority| authority.resolve());
    let addrs = addrs.with_context(|| format!("--addr takes HOST:PORT, not `{addr}`"))?;
    first_reachable(&addrs, PATIENCE).context("--addr")
}

fn expected_of(expect: &Expectations, probe: &str) -> Expected {
    expect.get(probe).copied().unwrap_or(Expected::Exactly(Outcome::Pass))
}

/// A thousand clients need a thousand descriptors. Where the hard limit is too low the probe says so.
fn raise_descriptor_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

fn probe_with_progress(chosen: &[&'static Probe], task: &Task, round: u32, rounds: u32) -> Vec<Finding> {
    if let Some(reason) = &task.lacks {
        eprintln!("skipped: {}: {reason}", task.title);
        let skipped = |probe: &&'static Probe| Finding {
            probe: probe.name,
            outcome: Outcome::NotApplicable,
            detail: reason.clone(),
            seconds: 0.0,
        };
        return chosen.iter().map(skipped).collect();
    }
    // indicatif draws on stderr, and only where that is a terminal.
    let bar = ProgressBar::new(chosen.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(if rounds > 1 { format!("run {round} of {rounds}") } else { task.title.clone() });
    let findings = probes::run_all(chosen, &task.target, &|finding| {
        bar.set_message(finding.probe);
        bar.inc(1);
    });
    bar.finish_and_clear();
    findings
}
