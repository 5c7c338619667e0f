//! `harness bench`: measure the stages with other people's load generators.
//!
//! * `plan`: what, in which order, for how long;
//! * `subject`: the servers, the floor among them;
//! * `servers`: those that run during a round;
//! * `smoke`: a server that answers wrong is not measured;
//! * `measure`: one point, from before to after; `pairs`: points between two runs of the floor;
//! * `quiet`: waiting for other programs;
//! * `rigor`: how much is measured; `resume`: going on with a run that was interrupted;
//! * `progress` and `table`: what the user sees.

mod measure;
mod pairs;
mod plan;
mod progress;
mod quiet;
mod resume;
mod rigor;
mod select;
mod servers;
mod smoke;
mod subject;
mod table;

use crate::generators::{Load, Tool};
use crate::host::Host;
use crate::records::{Figures, Record, Writer, read};
use crate::stages::{Stage, discover};
use crate::{charts, report};
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use measure::{Bench, Outcome};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use plan::{Axes, Plan, Point};
use progress::Progress;
use quiet::wait_for_quiet;
use resume::Done;
use rigor::Rigor;
use servers::Servers;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;
use subject::Subject;

/// The options of `harness bench`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Stages, ranges and twins: `1,4-7,5-mio`. Default: every stage. The floor is always measured too.
    #[arg(long, value_name = "LIST")]
    stages: Option<String>,
    /// Load generators: ab, wrk, webbench, builtin. Default: the first three, and builtin where neither ab nor
    /// wrk is installed.
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
    /// Requests that a client sends before it reads the replies (wrk and builtin with keep-alive only).
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    pipeline: u16,
    /// What the order of the points is shuffled with; default: the time.
    #[arg(long)]
    seed: Option<u64>,
    /// Where the charts go; the data goes to `data` below it [default: results, for a run of everything by
    /// `--rigor standard` or `full`; results/look for a part of it or a quick look]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeepAlive {
    On,
    Off,
    Both,
}

impl Args {
    /// A look must not take the place of a measurement.
    fn out(&self) -> PathBuf {
        let everything = self.stages.is_none()
            && self.concurrency.is_none()
            && self.duration.is_none()
            && self.rounds.is_none()
            && self.tools.is_none()
            && self.path == "/"
            && self.pipeline == 1
            && matches!(self.keep_alive, KeepAlive::Both);
        let measured = everything && !self.quick && self.rigor != Rigor::Quick;
        self.out.clone().unwrap_or_else(|| if measured { "results".into() } else { "results/look".into() })
    }
}

/// Measures, records, draws.
pub fn run(args: Args) -> Result<ExitCode> {
    let out = args.out();
    ensure!(args.path.starts_with('/'), "--path must begin with '/', not be '{}'", args.path);
    let tools = choose_tools(args.tools.as_deref())?;
    let rigor = if args.quick { Rigor::Quick } else { args.rigor };
    let amount = rigor.amount();
    let named = args.concurrency.as_deref().map(select::concurrency).transpose()?;
    let concurrency = named.clone().unwrap_or(amount.concurrency);
    let concurrency_of_others = named.unwrap_or(amount.concurrency_of_others);
    let (server_cpus, generator_cpus) = choose_cpus(args.cpus.as_deref())?;
    let stages = discover()?;
    let mut subjects = choose_stages(args.stages.as_deref(), &stages)?;
    subjects.push(Subject::floor()?);

    let mut host = Host::look();
    let mut installed = Vec::new();
    let mut absent = Vec::new();
    for tool in tools.iter().copied() {
        match tool.find() {
            Ok(found) => {
                host.tools.insert(tool.name().into(), found.version.clone());
                installed.push(found);
            }
            Err(install) => absent.push((tool, install)),
        }
    }
    let command = resume::command();
    let unfinished = if args.fresh { None } else { resume::candidate(&out.join("data"), &command, &host) };
    let seed = unfinished.as_ref().map(|run| run.seed).or(args.seed).unwrap_or_else(|| {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
    });
    let keep_alive = match args.keep_alive {
        KeepAlive::On => vec![true],
        KeepAlive::Off => vec![false],
        KeepAlive::Both => vec![true, false],
    };
    let load = Load {
        addr: ([127, 0, 0, 1], 0).into(),
        path: args.path.clone(),
        concurrency: 1,
        keep_alive: true,
        pipeline: args.pipeline.into(),
        seconds: args.duration.unwrap_or(amount.seconds),
        reply_bytes: 0,
        cpus: Some(generator_cpus),
    };
    let rounds = args.rounds.unwrap_or(amount.rounds);
    let pairs = amount.pairs;
    let axes = Axes { tools, absent, concurrency, concurrency_of_others, keep_alive, rounds, pairs, seed };
    let plan = Plan::new(subjects, &axes, &load);
    announce(&plan);
    ensure!(!plan.points.is_empty(), "nothing can be measured: every point is skipped");

    let done = unfinished.map(|run| Done::of(&run, &plan)).filter(|done| done.count() < plan.len());
    let writer = match &done {
        Some(done) => {
            eprintln!(
                "going on with {}: {} of {} points are there (--fresh begins anew)",
                done.path().display(),
                done.count(),
                plan.len()
            );
            Writer::resume(done.path())?
        }
        None => Writer::create(&out.join("data"), &file_name(&host, rigor))?,
    };
    let path = writer.path().to_owned();
    let bench = Bench { plan: &plan, load, server_cpus, host, installed, rigor, command };
    let end = measure_all(&bench, writer, &done.unwrap_or_default())?;
    let records = read(&path)?;
    if end == End::Interrupted {
        eprintln!(
            "interrupted; what was measured is in {}: the same command goes on from there",
            path.display()
        );
        return Ok(ExitCode::from(130));
    }
    ensure!(
        records.iter().any(|record| record.figures.is_some()),
        "nothing was measured; {} says why",
        path.display()
    );
    finish(&records, &path, &out)?;
    Ok(if end == End::Complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// Every point was measured or skipped as planned.
    Complete,
    /// A server or a generator failed; the rest is measured.
    WithFailures,
    /// By the user.
    Interrupted,
}

/// Runs the plan and records it point by point, but what is done already.
fn measure_all(bench: &Bench, mut writer: Writer, done: &Done) -> Result<End> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot handle signals")?;
    }
    let stopped = || stop.load(Ordering::Relaxed);
    if done.is_empty() {
        for (point, reason) in &bench.plan.skipped {
            writer.write(&bench.record(point, 1, Outcome::Skipped(reason.clone())))?;
        }
    }
    let mut failed = false;
    let progress = Progress::new(bench.plan);
    for round in 1..=bench.plan.rounds {
        let mut servers = Servers::default();
        if !done.has_pairs(round) {
            failed |= !bench.paired_block(round, &mut servers, &stopped, &mut |point, record| {
                progress.begin(point);
                progress.end(point, &record);
                writer.write(&record)
            })?;
        }
        let mut points: VecDeque<Point> = bench.plan.round(round).into();
        // So many points of a round may be measured again because something disturbed them.
        let mut again = if bench.rigor == Rigor::Quick { 0 } else { points.len().div_ceil(10) };
        while let Some(point) = points.pop_front() {
            if stopped() {
                return Ok(End::Interrupted);
            }
            if done.has(bench.plan, &point, round) {
                progress.skip(&point);
                continue;
            }
            progress.begin(&point);
            let outcome = bench.measure(&point, &mut servers, &stopped);
            if stopped() {
                return Ok(End::Interrupted);
            }
            failed |= matches!(outcome, Outcome::Failed(_));
            let mut record = bench.record(&point, round, outcome);
            if again > 0 && record.figures.as_ref().is_some_and(Figures::is_disturbed) {
                again -= 1;
                record.dropped = true;
                points.push_back(point);
                wait_for_quiet(&stopped);
            } else {
                progress.end(&point, &record);
            }
            writer.write(&record)?;
        }
        for complaint in servers.stop() {
            progress.complain(&complaint);
            failed = true;
        }
    }
    Ok(if failed { End::WithFailures } else { End::Complete })
}

/// Draws, and says what there is.
fn finish(records: &[Record], data: &std::path::Path, out: &std::path::Path) -> Result<()> {
    let charts = charts::draw(records, &charts::names_of(&[data.to_owned()]), out)?;
    println!("{}", table::table(records));
    if let Some(text) = table::pairs(records) {
        println!("{text}");
    }
    let kept = records.iter().filter(|record| !record.dropped);
    let disturbed = kept.filter_map(|record| record.figures.as_ref()).filter(|f| f.is_disturbed()).count();
    let dropped = records.iter().filter(|record| record.dropped).count();
    if dropped > 0 {
        println!("{dropped} points were disturbed by other programs and measured again");
    }
    if disturbed > 0 {
        println!(
            "during {disturbed} points other programs used more than a tenth of a CPU: \
             the speeds are too low, the CPU time per request holds"
        );
    }
    println!("data    {}", data.display());
    for chart in &charts {
        println!("chart   {}", chart.display());
    }
    println!("page    {}", report::write(records, &charts, data, out)?.display());
    Ok(())
}

/// Says what will be done, what will not, and how long it takes.
fn announce(plan: &Plan) {
    let servers: Vec<&str> = plan.subjects.iter().map(|subject| subject.name.as_str()).collect();
    eprintln!(
        "{} points × {} on {}; about {}; seed {}",
        plan.points.len() + plan.paired.len(),
        if plan.rounds == 1 { "1 round".into() } else { format!("{} rounds", plan.rounds) },
        servers.join(", "),
        progress::minutes(plan.seconds()),
        plan.seed
    );
    let mut said = std::collections::BTreeSet::new();
    for (point, reason) in &plan.skipped {
        let name = if point.tool == Tool::Ab && reason.starts_with("ab would") {
            format!("{} ({})", point.tool.name(), plan.subjects[point.subject].name)
        } else {
            point.tool.name().to_owned()
        };
        let kind = if point.keep_alive { "with keep-alive" } else { "without keep-alive" };
        let line = format!("skipped: {name} {kind}: {reason}");
        if said.insert(line.clone()) {
            eprintln!("{line}");
        }
    }
}

/// The tools that were asked for. Without a wish: the three that everybody knows, and our own where webbench
/// would be alone.
fn choose_tools(asked: Option<&str>) -> Result<Vec<Tool>> {
    let mut tools = select::tools(asked.unwrap_or("ab,wrk,webbench"))?;
    if asked.is_none() && Tool::Ab.find().is_err() && Tool::Wrk.find().is_err() {
        eprintln!("neither ab nor wrk is installed: builtin (harness load) measures too");
        tools.push(Tool::Builtin);
    }
    Ok(tools)
}

/// The stages to measure. Those that are named must be built; of the others the built ones are taken.
fn choose_stages(list: Option<&str>, all: &[Stage]) -> Result<Vec<Subject>> {
    const BUILD: &str = "build them with `cargo build --release --workspace --bins`";
    let named = list.map(|list| select::stages(list, all)).transpose()?;
    let wanted = named.clone().unwrap_or_else(|| all.iter().filter(|stage| !stage.is_twin).collect());
    let (built, missing): (Vec<&Stage>, Vec<&Stage>) =
        wanted.into_iter().partition(|stage| stage.binary.is_file());
    let names: Vec<&str> = missing.iter().map(|stage| stage.name.as_str()).collect();
    match (missing.is_empty(), named.is_some() || built.is_empty()) {
        (true, _) => {}
        (false, true) => bail!("not built: {}; {BUILD}", names.join(", ")),
        (false, false) => eprintln!("not built, left out: {}; {BUILD}", names.join(", ")),
    }
    Ok(built.into_iter().map(Subject::stage).collect())
}

/// The CPUs of the server and of the generator: as asked for, else the first and the second.
fn choose_cpus(asked: Option<&str>) -> Result<(Vec<usize>, Vec<usize>)> {
    let set = sched_getaffinity(Pid::from_raw(0)).context("cannot read the CPU affinity")?;
    let allowed: Vec<usize> = (0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).collect();
    match (asked, allowed.as_slice()) {
        (Some(asked), _) => select::cpus(asked, &allowed),
        (None, [first, second, ..]) => Ok((vec![*first], vec![*second])),
        (None, [only]) => {
            eprintln!("one CPU only: server and generator share it, so the speeds are of both together");
            Ok((vec![*only], vec![*only]))
        }
        (None, []) => bail!("no CPU may be used"),
    }
}

/// `20260102T030405Z-1234567890-standard`.
fn file_name(host: &Host, rigor: Rigor) -> String {
    let time = now().replace(['-', ':'], "");
    let commit = if host.commit.is_empty() { "nocommit" } else { &host.commit };
    format!("{time}-{commit}-{}", rigor.name())
}

/// The time, UTC, as RFC 3339 writes it.
fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
