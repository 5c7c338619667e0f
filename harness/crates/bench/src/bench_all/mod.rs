//! `harness bench-all`: measure the stages with other people's load generators.
//!
//! * `choose` and `select`: what the user asked for;
//! * `rigor`: how much is measured; `point` and `plan`: what, in which order; `skips`: what is left out, and
//!   why; `estimate`: for how long;
//! * `subject`: what is measured; `servers`: the processes, for as long as the run lasts;
//! * `session`: the run while it goes; `resume`: going on with one that was interrupted;
//! * `measure`: one point, from before to after; `pairs`, `latency`, `idle`: points of another kind;
//! * `target`: servers and generators on other machines;
//! * `progress`, `summary`, `table`: what the user sees.

mod choose;
mod estimate;
mod graded;
mod idle;
mod latency;
mod measure;
mod pairs;
mod plan;
mod point;
mod progress;
mod resume;
mod rigor;
mod select;
mod servers;
mod session;
mod skips;
mod subject;
mod summary;
mod table;
mod target;

// Seed 002's table and the scenarios take the same words.
pub(crate) use choose::{built as built_stages, cpus as choose_cpus, shared_cpus};
pub(crate) use select::{amounts as numbers_up_to, clients as numbers_of_clients};

use crate::earlier::{Earlier, command_line, earlier};
use crate::generators::{Load, Tool};
use crate::whole_number::whole;
use anyhow::{Result, ensure};
use clap::ValueEnum;
use lab_core::clock::now;
use lab_core::host::Host;
use lab_core::interruption::Interruption;
use lab_core::stages::discover;
use lab_core::wire::Authority;
use measure::Bench;
use plan::{Axes, Plan};
use records::{Claim, Content, Phase, Record, Writer, ensure_room, read};
use resume::Done;
use rigor::{Amount, Clients, Rigor};
use servers::Servers;
use session::{End, Session};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use subject::Subject;
use target::Elsewhere;

/// The options of `harness bench-all`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Stages, ranges and twins: `1,4-7,5-mio`. Default: every stage. The floor is always measured too.
    #[arg(long, value_name = "LIST")]
    stages: Option<String>,
    /// Load generators: ab, wrk, webbench, builtin. Default: the first three, and builtin where neither ab
    /// nor wrk is installed.
    #[arg(long, value_name = "LIST")]
    tools: Option<String>,
    /// Clients at once [default: by rigor]
    #[arg(long, value_name = "LIST")]
    concurrency: Option<String>,
    /// Whether a client keeps its connection.
    #[arg(long, value_enum, default_value = "both")]
    keep_alive: KeepAlive,
    /// Seconds per point; whole ones, the tools know no others [default: by rigor]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    duration: Option<u32>,
    /// How often everything is measured; from five on an interval can be computed [default: by rigor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// How much is measured.
    #[arg(long, value_enum, default_value = "standard", conflicts_with = "quick")]
    rigor: Rigor,
    /// The same as `--rigor quick`.
    #[arg(long)]
    quick: bool,
    /// Begin anew, even if the same run was interrupted and could go on.
    #[arg(long)]
    fresh: bool,
    /// The CPUs of the server and of the generator; default: the first one and the second one.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    cpus: Option<String>,
    /// What is asked for.
    #[arg(long, default_value = "/")]
    path: String,
    /// A directory of files that every server serves, but for the floor: `--root DIR --path /FILE`
    #[arg(long, value_name = "DIR", conflicts_with = "target")]
    root: Option<PathBuf>,
    /// Requests that a client sends before it reads the replies (wrk and builtin with keep-alive only).
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    pipeline: u16,
    /// What to compare with, where it is installed: floor, nginx, h2o [default: all of them; the floor is
    /// always one]
    #[arg(long, value_name = "LIST")]
    references: Option<String>,
    /// What is measured: survey (speed), paired (CPU time against the floor), latency (open loop), idle
    /// (memory). Default: all that the rigor has; without the last two for a run narrowed to some tools or
    /// loads.
    #[arg(long, value_name = "LIST")]
    phases: Option<String>,
    /// What the order of the points is shuffled with; default: the time.
    #[arg(long, allow_negative_numbers = true, value_parser = whole::<u64>(0..=u64::MAX))]
    seed: Option<u64>,
    /// Where the charts go; the data goes to `data` below it [default: results, for a run of everything by
    /// `--rigor standard` or `full`; results/look for a part of it or a quick look]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    elsewhere: Elsewhere,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeepAlive {
    On,
    Off,
    Both,
}

impl Args {
    /// Whether only some loads are wanted.
    fn is_narrowed(&self) -> bool {
        self.tools.is_some()
            || self.concurrency.is_some()
            || self.pipeline > 1
            || !matches!(self.keep_alive, KeepAlive::Both)
    }

    /// A look must not take the place of a measurement.
    fn out(&self) -> PathBuf {
        let everything = !self.is_narrowed()
            && self.stages.is_none()
            && self.duration.is_none()
            && self.rounds.is_none()
            && self.phases.is_none()
            && !self.elsewhere.is_wanted()
            && self.path == "/";
        let measured = everything && !self.quick && self.rigor != Rigor::Quick;
        self.out.clone().unwrap_or_else(|| if measured { "results".into() } else { "results/look".into() })
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What the command ends with.
    pub status: ExitCode,
    /// The run, if it came to its end.
    pub finished: Option<Finished>,
}

/// A run that came to its end.
#[derive(Debug)]
pub struct Finished {
    /// All records of it.
    pub records: Vec<Record>,
    /// Their file.
    pub data: PathBuf,
    /// Where charts and pages are expected.
    pub out: PathBuf,
}

/// Measures, records, and prints the tables. Fails where nothing can be measured, where a word of the user's
/// has no meaning, and where nothing can be recorded.
pub fn run(mut args: Args) -> Result<Outcome> {
    let out = args.out();
    let place = args.elsewhere.place()?;
    let target = args.elsewhere.target()?;
    if let Some((_, path)) = &target {
        args.path = path.clone();
    }
    ensure!(args.path.starts_with('/'), "--path must begin with '/', not be '{}'", args.path);
    let is_plain = args.path.bytes().all(|byte| byte.is_ascii_graphic());
    ensure!(is_plain, "--path '{}' has characters that a request must encode: a space is %20", args.path);
    let tools = choose::tools(args.tools.as_deref())?;
    let rigor = if args.quick { Rigor::Quick } else { args.rigor };
    let (amounts, is_ladder) = amounts(&args, rigor)?;
    let phases = match &args.phases {
        Some(list) => select::phases(list)?,
        None if args.is_narrowed() => vec![Phase::Survey, Phase::Paired],
        None => vec![Phase::Survey, Phase::Paired, Phase::Latency, Phase::Idle],
    };
    let phases = args.elsewhere.phases(phases)?;
    let (server_cpus, generator_cpus) = choose::cpus(args.cpus.as_deref())?;
    let stages = if target.is_some() { Vec::new() } else { discover()? };
    let subjects = match target {
        Some((target, _)) => vec![target],
        None => {
            let mut subjects = choose::stages(args.stages.as_deref(), &stages)?;
            subjects.extend(choose::references(
                args.references.as_deref(),
                &args.path,
                args.root.is_some(),
                server_cpus.len(),
            )?);
            let listening = |subject: Subject| subject.listening(args.elsewhere.listen());
            let subjects = subjects.into_iter().filter_map(listening);
            subjects.map(|subject| subject.with_root(args.root.as_deref())).collect::<Result<_>>()?
        }
    };

    let mut host = Host::look();
    let (mut installed, mut absent) = (Vec::new(), Vec::new());
    for tool in tools.iter().copied() {
        match tool.find_on(&place)? {
            Ok(found) => installed.push(found),
            Err(install) => absent.push((tool, install)),
        }
    }
    // It checks every reply before a server is measured, whatever tool measures then.
    let checker = Tool::Builtin.find().map_err(|build| anyhow::anyhow!("harness is not built: {build}"))?;
    if !tools.contains(&Tool::Builtin) {
        installed.push(checker.clone());
    }
    host.tools.extend(installed.iter().map(|found| (found.tool.name().to_owned(), found.version.clone())));

    let command = command_line();
    let _claim = Claim::on(&out.join("data"))?;
    let before = match args.fresh {
        true => Earlier::Nothing,
        false => earlier(&out.join("data"), Content::Run, &command, args.seed, &host)?,
    };
    let (unfinished, reason) = match before {
        Earlier::Same(run) => (Some(run), None),
        Earlier::Other(reason) => (None, Some(reason)),
        Earlier::Nothing => (None, None),
    };
    let done = unfinished.as_ref().map(Done::of);
    let keep_alive = match args.keep_alive {
        KeepAlive::On => vec![true],
        KeepAlive::Off => vec![false],
        KeepAlive::Both => vec![true, false],
    };
    // Every tool writes the address into the Host header by itself.
    let is_a_name = |host: &&str| {
        let addr = subjects.iter().find_map(Subject::target_addr);
        addr.is_some_and(|addr| *host != Authority::from(addr).header())
    };
    let load = Load {
        addr: ([127, 0, 0, 1], 0).into(),
        host: subjects.iter().find_map(Subject::target_host).filter(is_a_name).map(str::to_owned),
        path: args.path.clone(),
        concurrency: 1,
        keep_alive: true,
        pipeline: args.pipeline.into(),
        duration: Duration::from_secs(1),
        rate: None,
        warm_up: Duration::ZERO,
        learns_body: subjects.iter().any(|subject| subject.target_addr().is_some()),
        mix: None,
        reply_bytes: 0,
        variable_bytes: 0,
        cpus: target::generator_cpus(&place, generator_cpus),
    };
    let fresh_seed = args.seed.unwrap_or_else(|| {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
    });
    let plan = |seed, amount| {
        let (tools, absent, keep_alive) = (tools.clone(), absent.clone(), keep_alive.clone());
        let axes = Axes { tools, absent, keep_alive, phases: phases.clone(), seed };
        Plan::new(subjects.clone(), &axes, amount, &load)
    };
    let budget = rigor.budget().filter(|_| is_ladder);
    let choose = |seed| richest(amounts.iter().map(|amount| plan(seed, amount.clone())), budget);
    let unfinished = unfinished.zip(done).map(|(run, done)| (choose(run.seed), done));
    let unfinished = unfinished.filter(|(plan, done)| done.count(plan) < plan.len());
    let (plan, done) = match unfinished {
        Some((plan, done)) => (plan, Some(done)),
        None => (choose(fresh_seed), None),
    };
    if let Some(reason) = reason {
        eprintln!("{reason}");
    }
    summary::announce(&plan, rigor, budget);
    if let Some(note) = graded::note(&stages, &subjects, &out) {
        eprintln!("{note}");
    }
    ensure!(plan.len() > 0, "nothing can be measured: every point is skipped");

    let data = out.join("data");
    ensure_room(&data, plan.len() as u64 * RECORD_BYTES + DRAWN_BYTES)?;
    let writer = match &done {
        Some(done) => {
            summary::announce_rest(&plan, done);
            Writer::resume(done.path())?
        }
        None => Writer::create(&data, &file_name(&host, rigor))?,
    };
    let path = writer.path().to_owned();
    let running = plan.subjects.iter().find_map(Subject::target_addr);
    let host_header = plan.subjects.iter().find_map(Subject::target_host);
    let servers = Servers::new(checker, plan.amount.counting).running_at(running, host_header);
    let bench = Bench { plan: &plan, load, server_cpus, host, installed, rigor, command };
    let end = measure(&bench, servers, writer, &done.unwrap_or_default())?;
    let records = read(&path)?;
    let has_measured = records.iter().any(|record| record.figures.is_some() || record.idle.is_some());
    if end == End::Interrupted && records.is_empty() {
        Writer::discard(&path)?;
        eprintln!("interrupted; nothing was measured yet, and nothing is kept");
        return Ok(Outcome { status: ExitCode::from(130), finished: None });
    }
    if end == End::Interrupted {
        let what =
            if has_measured { "what was measured" } else { "nothing was measured yet; what was skipped" };
        eprintln!("interrupted; {what} is in {}; {}", path.display(), bench.how_to_go_on());
        return Ok(Outcome { status: ExitCode::from(130), finished: None });
    }
    ensure!(has_measured, "nothing was measured; {} says why", path.display());
    summary::finish(&records, &path);
    let status = if end == End::Complete { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    Ok(Outcome { status, finished: Some(Finished { records, data: path, out }) })
}

/// A record is shorter; room for some points that are measured again.
const RECORD_BYTES: u64 = 2_048;
/// The charts and the page.
const DRAWN_BYTES: u64 = 4 << 20;

/// The amounts to choose from, the richest first, and whether the time decides. A user who names how long,
/// how often or what has decided.
fn amounts(args: &Args, rigor: Rigor) -> Result<(Vec<Amount>, bool)> {
    let mut amounts = rigor.amounts();
    let is_ladder = !args.is_narrowed() && args.duration.is_none() && args.rounds.is_none();
    if !is_ladder {
        amounts.truncate(1);
    }
    // What a quick look has not by itself, it has for a user who names it.
    let named = args.phases.as_deref().map(select::phases).transpose()?.unwrap_or_default();
    for amount in &mut amounts {
        amount.pairs |= named.contains(&Phase::Paired);
        amount.latency |= named.contains(&Phase::Latency);
        if named.contains(&Phase::Idle) {
            amount.idle_rounds = amount.idle_rounds.max(1);
        }
    }
    let clients = args.concurrency.as_deref().map(select::concurrency).transpose()?;
    for amount in &mut amounts {
        if let Some(clients) = &clients {
            amount.clients = Clients::same(clients.clone());
        }
        if let Some(seconds) = args.duration {
            amount.duration = Duration::from_secs(seconds.into());
        }
        if let Some(rounds) = args.rounds {
            (amount.rounds, amount.rounds_of_others, amount.idle_rounds) = (rounds, rounds, rounds);
        }
    }
    Ok((amounts, is_ladder))
}

/// The first plan that fits; the last one if none does.
fn richest(plans: impl Iterator<Item = Plan>, budget: Option<f64>) -> Plan {
    let mut last = None;
    for plan in plans {
        if budget.is_none_or(|budget| plan.seconds() <= budget) {
            return plan;
        }
        last = Some(plan);
    }
    last.expect("every rigor has an amount")
}

/// Runs the plan, but what is done already, until it is done or the user ends it.
fn measure(bench: &Bench, servers: Servers, writer: Writer, done: &Done) -> Result<End> {
    let interruption = Interruption::catch()?;
    let stopped = || interruption.has_come();
    Session::new(bench, done, servers, writer, &stopped).run()
}

/// `20260102T030405Z-1234567890-standard`.
fn file_name(host: &Host, rigor: Rigor) -> String {
    let time = now().replace(['-', ':'], "");
    let commit = if host.commit.is_empty() { "nocommit" } else { &host.commit };
    format!("{time}-{commit}-{}", rigor.name())
}
