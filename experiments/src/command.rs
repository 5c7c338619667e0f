//! The command line: which experiments, how much of them, where the results go.

use crate::experiment::{Experiment, Profile, all};
use crate::ledger::CLAIMS;
use crate::needs::first_missing;
use crate::report::Report;
use crate::session::{Interrupted, Session};
use crate::store::{Begun, Line, Record, ResumePoint, Writer, find_interrupted, runs};
use crate::{exhibit, page, screen};
use anyhow::{Result, bail};
use clap::Parser;
use clap::error::ErrorKind;
use lab_core::clock::now;
use lab_core::host::Host;
use lab_core::units::{count, minutes};
use lab_core::{Usage, one_line};
use nix::sys::signal::{SigHandler, Signal, signal};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// The exit status of a mistake in the command line.
const USAGE: u8 = 2;
/// The exit status after Ctrl-C, as a shell has it: 128 and the signal's number.
const INTERRUPTED: u8 = 130;

/// Examines the literature's claims on this machine, each as an experiment with a verdict.
#[derive(Debug, Parser)]
// What a user types.
#[command(name = "experiment", bin_name = "./lab experiment", version)]
struct Args {
    /// Which claims: --list shows their ids.
    #[arg(value_name = "ID")]
    ids: Vec<String>,

    /// Examine every claim; goes on with a run that was interrupted.
    #[arg(long, conflicts_with = "ids")]
    all: bool,

    /// Show every claim with its last verdict.
    #[arg(long, conflicts_with_all = ["ids", "all"])]
    list: bool,

    /// Write the ledger again: what is recorded, judged by today's rules.
    #[arg(long, conflicts_with_all = ["ids", "all", "list", "quick"])]
    again: bool,

    /// For the book: a line for each claim, with the page that names it.
    #[arg(long, hide = true, conflicts_with_all = ["ids", "all", "list", "quick", "again"])]
    pages: bool,

    /// For looking: fewer rounds and smaller sizes; the ledger prefers what a full run has found.
    #[arg(long)]
    quick: bool,

    /// Begin --all anew, whatever an interrupted run has.
    #[arg(long, requires = "all", conflicts_with = "ids")]
    fresh: bool,

    /// Where the records and the ledger are.
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
}

/// The program.
pub fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if let [_, word, name, rest @ ..] = &words[..]
        && word == exhibit::WORD
    {
        return end(exhibit::run(name, rest).map(|()| ExitCode::SUCCESS));
    }
    // `experiment … | head` ends quietly, as other programs do.
    // SAFETY: no thread runs yet and the action is the default one.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    match Args::try_parse() {
        Ok(args) => end(run(&args)),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            print!("{error}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("lab: {}", one_line(&error));
            ExitCode::from(USAGE)
        }
    }
}

fn end(outcome: Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        eprintln!("lab: {error:#}");
        if error.is::<Usage>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
    })
}

fn run(args: &Args) -> Result<ExitCode> {
    let every = all();
    if args.list {
        screen::list(&page::judged(&runs(&args.out.join("data"))));
        return Ok(ExitCode::SUCCESS);
    }
    if args.pages {
        CLAIMS.iter().for_each(|claim| println!("{}\t{}\t{}", claim.id, claim.page, claim.text));
        return Ok(ExitCode::SUCCESS);
    }
    if args.again {
        page::publish(&args.out)?;
        println!("written: {}", args.out.join("claims.md").display());
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = if args.all { every } else { chosen(&args.ids, &every)? };
    Runner::begin(args)?.run(&wanted)
}

/// The experiments of these ids, each once, in the order in which they were typed.
fn chosen<'a>(ids: &[String], every: &[&'a Experiment]) -> Result<Vec<&'a Experiment>> {
    let allowed = || CLAIMS.iter().map(|claim| claim.id).collect::<Vec<_>>().join(", ");
    if ids.is_empty() {
        bail!(Usage::new(format!(
            "which experiment? --all runs all, --list describes them; allowed are {}",
            allowed()
        )));
    }
    let mut found: Vec<&Experiment> = Vec::new();
    for id in ids {
        match every.iter().find(|experiment| experiment.id == id) {
            Some(experiment) if found.iter().any(|known| known.id == experiment.id) => {}
            Some(experiment) => found.push(experiment),
            None => {
                let id = id.escape_debug();
                bail!(Usage::new(format!("there is no experiment '{id}'; allowed are {}", allowed())))
            }
        }
    }
    Ok(found)
}

/// A run: its file, what an earlier part of it has found, what was left out.
struct Runner<'a> {
    args: &'a Args,
    profile: Profile,
    host: Host,
    writer: Writer,
    done: BTreeSet<String>,
    left_out: Vec<(&'static str, String)>,
    /// How many of those that were left out failed, which is no fault of the machine.
    failures: usize,
}

impl<'a> Runner<'a> {
    fn begin(args: &'a Args) -> Result<Self> {
        let profile = if args.quick { Profile::Quick } else { Profile::Full };
        let begun = Begun { at: now(), all: args.all, profile, host: Host::look() };
        let data = args.out.join("data");
        let earlier =
            if args.all && !args.fresh { find_interrupted(&runs(&data), &begun) } else { ResumePoint::None };
        let (writer, done) = match earlier {
            ResumePoint::Unfinished(run) => {
                let done = run.done().into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
                let (path, there) = (run.path.display(), count(done.len(), "verdict"));
                println!("going on with {path}: {there} are there (--fresh begins anew)");
                (Writer::go_on(&run.path)?, done)
            }
            ResumePoint::Unfit(why) => {
                println!("{why}");
                (Writer::begin(&data, &begun)?, BTreeSet::new())
            }
            ResumePoint::None => (Writer::begin(&data, &begun)?, BTreeSet::new()),
        };
        let (left_out, failures) = (Vec::new(), 0);
        Ok(Self { args, profile, host: begun.host, writer, done, left_out, failures })
    }

    fn run(mut self, wanted: &[&'static Experiment]) -> Result<ExitCode> {
        let left: Vec<&Experiment> =
            wanted.iter().copied().filter(|experiment| !self.done.contains(experiment.id)).collect();
        let seconds: f64 = left.iter().map(|experiment| experiment.estimate(self.profile)).sum();
        if self.args.all {
            println!("{}: about {}", count(left.len(), "experiment"), minutes(seconds.max(1.0)));
        }
        let mut session = Session::new(self.profile)?;
        for experiment in left {
            if !self.examine(experiment, &mut session)? {
                session.clear();
                page::publish(&self.args.out)?;
                let again = if self.args.all { ": the same command goes on" } else { "" };
                eprintln!("lab: interrupted; what was found is in {}{again}", self.writer.path().display());
                return Ok(ExitCode::from(INTERRUPTED));
            }
        }
        drop(session);
        self.writer.write(&Line::Finished { at: now() })?;
        page::publish(&self.args.out)?;
        Ok(self.conclude(wanted.len()))
    }

    /// Runs one experiment and records what it found. Returns whether the run goes on.
    fn examine(&mut self, experiment: &'static Experiment, session: &mut Session) -> Result<bool> {
        let missing = first_missing(experiment.needs);
        if missing.is_none() {
            screen::announce(experiment, experiment.estimate(self.profile));
        }
        let start = Instant::now();
        let outcome = match missing {
            Some(missing) => Err(missing),
            None => match experiment.report(session) {
                Err(error) if error.is::<Interrupted>() => return Ok(false),
                Err(error) => {
                    self.failures += 1;
                    Err(format!("{error:#}").replace('\n', "; "))
                }
                Ok(report) => Ok(report),
            },
        };
        session.clear();
        match outcome {
            Ok(report) => {
                screen::show(&report);
                let record = self.record(experiment, report, start.elapsed().as_secs_f64());
                self.writer.write(&Line::Result(Box::new(record)))?;
            }
            Err(reason) => {
                eprintln!("lab: {}: {reason}", experiment.id);
                self.left_out.push((experiment.id, reason.clone()));
                self.writer.write(&Line::LeftOut { id: experiment.id.to_owned(), reason })?;
            }
        }
        Ok(true)
    }

    fn record(&self, experiment: &Experiment, report: Report, seconds: f64) -> Record {
        let claim = experiment.claim();
        Record {
            at: now(),
            id: claim.id.to_owned(),
            claim: claim.text.to_owned(),
            source: claim.source.to_owned(),
            method: experiment.method.to_owned(),
            profile: self.profile,
            seconds,
            host: self.host.clone(),
            report,
        }
    }

    /// Says at the end what was left out. What the machine lacks is no failure of a run of everything; for an
    /// experiment that was asked for by name it is.
    fn conclude(self, wanted: usize) -> ExitCode {
        if self.args.all || wanted > 1 {
            println!("\n{} of {} have a verdict", wanted - self.left_out.len(), count(wanted, "experiment"));
            for (id, reason) in &self.left_out {
                println!("  left out: {id}: {reason}");
            }
        }
        println!(
            "recorded in {}; the ledger is {}{}",
            self.writer.path().display(),
            self.args.out.join("claims.md").display(),
            if self.profile == Profile::Quick { ", where a full run outranks a quick one" } else { "" }
        );
        let failed = self.failures > 0 || (!self.args.all && !self.left_out.is_empty());
        if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
