//! `./lab grade`: the grader's command, and the records that it leaves.

use crate::data_name;
use anyhow::{Context, Result, bail};
use grader::probes::{self, Failure, Finding, Target};
use grader::{Format, Plan, Points, Report, Rows, Task, write};
use grader::{examine, expected_of, look, print, print_list, raise_descriptor_limit, say};
use lab_core::Usage;
use lab_core::clock::rfc3339;
use lab_core::files::sha256;
use lab_core::host::Host;
use lab_core::interruption::Interruption;
use records::{Evidence, Grade, Probed, Replay, Writer};
use std::fs::OpenOptions;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

/// What stands for stdout where a file is named.
const STDOUT: &str = "-";

/// What every caller of the command must know.
const MORE: &str = "\
A profile, for a server with other routes than the lab's (the book's page your-own-server.md has all keys):
  name = \"the server of our course\"
  keep-alive = false                 # it closes after each reply
  routes.hello.request = \"GET /index.html\"
  routes.hello.file = \"index.html\"  # the lab writes it below $ROOT
  routes.sleep.request = \"GET /spin.cgi?{s}\"
  What it does not have is not applicable. An echo server's has two lines: name, and protocol = \"echo\".

Exit status:
  0    No probe surprised.
  1    A probe surprised, the time limit left some that were not run, or nothing could be asked of a server that
       was started: it does not answer `GET /`.
  2    A mistake in the command line, or in a file that it names.
  3    The server did not start, or nothing accepts connections. There is a record all the same.
  130  Interrupted by SIGINT; 143 by SIGTERM, 129 by SIGHUP. No server is left behind.";

/// The exit status of a server that did not start.
const NOT_STARTED: u8 = 3;

/// The options.
#[derive(clap::Args)]
#[command(after_help = MORE)]
pub(crate) struct Args {
    #[command(flatten)]
    what: grader::Args,

    /// Write a record of each run, one JSON object a line; `-` is stdout.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,

    /// In what the grade is printed.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "table", conflicts_with = "json")]
    format: Format,

    /// Points for each probe or group, from a file in TOML, or in JSON if its name ends so: a table `points`
    /// of names and numbers, and a number `total` if all are to be scaled to it. The points of a group are
    /// divided evenly among its probes that have none of their own. A pass earns all points of a probe. One
    /// that is declared to fail (--expect), or that cannot be asked for a reason that is not the server's,
    /// counts on neither side, and a line says so; what was not run is lost. Without a file each probe has
    /// one point.
    #[arg(long, value_name = "FILE")]
    points: Option<PathBuf>,

    /// With `all`: write the same to a new file in this directory [default: results/data]. The matrix of
    /// stages and probes is drawn from it, and `bench-all` looks there whether a binary was graded.
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "results/data", conflicts_with_all = ["only", "skip", "until_first_failure"])]
    record: Option<PathBuf>,
}

/// What came of all servers.
#[derive(Default)]
struct Total {
    surprises: usize,
    is_ungraded: bool,
    is_not_started: bool,
}

/// Runs it.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let what = &args.what;
    if what.list {
        what.choose_profile()?;
        print_list(&what.listed()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.record.is_some() && !what.is_all() {
        bail!(Usage::new(
            "--record keeps the grade of every stage together: ./lab grade all --record; for one there is --json"
        ));
    }
    let chosen = what.probes()?;
    let read = |path: &PathBuf| Points::read(path, &chosen).map_err(Usage::of);
    let points = args.points.as_ref().map(read).transpose()?;
    let equal = Points::equal(&chosen);
    // Its files are gone when it is dropped.
    let _root = what.choose_profile()?;
    let tasks = what.tasks()?;
    raise_descriptor_limit();
    // Opened before anything is asked, so that a bad path does not cost a run.
    let host = Host::look();
    let is_json = args.format == Format::Json;
    let json = if is_json { Some(STDOUT.as_ref()) } else { args.json.as_deref() };
    let is_stdout_taken = json == Some(STDOUT.as_ref()) || args.format != Format::Table;
    let mut json = json.map(append).transpose()?;
    let create = |directory| Writer::create(directory, &data_name(&host, "grades"));
    let mut record = args.record.as_deref().map(create).transpose()?;
    let interruption = Arc::new(Interruption::catch()?);
    let is_probing = end_when_interrupted(&interruption);
    let plan = Plan {
        chosen: &chosen,
        limits: what.limits(),
        until_first_failure: what.until_first_failure,
        rounds: what.repeat,
        is_interrupted: &|| interruption.has_come(),
    };
    eprintln!("{}", plan.words(tasks.len()));
    // With a profile it is one server.
    if let Some(words) = tasks.first().and_then(|task| plan.profile_words(&task.target)) {
        eprintln!("{words}");
    }
    let (mut total, mut reports) = (Total::default(), Vec::new());
    // A record that cannot be written must not cost the grade that was made: it is told at the end.
    let mut unwritten = None;
    for task in &tasks {
        let (mut runs, mut failure) = (Vec::new(), None);
        let looked = match &task.lacks {
            Some(reason) => {
                eprintln!("skipped: {}: {reason}", task.title);
                Err((reason.clone(), true))
            }
            None => look(task).map_err(|failed| {
                eprintln!("lab: {}: {}", task.title, failed.reason());
                total.is_not_started |= matches!(failed, Failure::NotStarted(_));
                total.is_ungraded = true;
                failure = Some(failed.reason().to_owned());
                (failed.reason().to_owned(), false)
            }),
        };
        for round in 1..=what.repeat {
            let begun = SystemTime::now();
            is_probing.store(true, Ordering::Relaxed);
            let findings = match &looked {
                Ok(look) => examine(&plan, task, look, round),
                Err((reason, is_excused)) => grader::none(&plan, reason, *is_excused),
            };
            let is_whole = findings.len() == chosen.len();
            let report =
                Report::of(task, std::slice::from_ref(&findings), points.as_ref().unwrap_or(&equal), None);
            let score = points.as_ref().map(|_| [report.tally.score.earned, report.tally.score.possible]);
            let grade = Grade {
                failure: failure.clone(),
                points: score,
                ..grade(task, begun, &findings, what.evidence, tasks.len(), &host)
            };
            if is_whole && unwritten.is_none() {
                let mut keep = || -> Result<()> {
                    if let Some(record) = &mut record {
                        record.write(&grade)?;
                    }
                    if let Some(json) = &mut json {
                        let line = serde_json::to_string(&grade)? + "\n";
                        json.write_all(line.as_bytes())
                            .and_then(|()| json.flush())
                            .context("cannot write the record")?;
                    }
                    Ok(())
                };
                unwritten = keep().err();
            }
            // Of a run that was cut short only what is not known from others.
            if is_whole || runs.is_empty() {
                runs.push(findings);
            }
            if !is_whole {
                break;
            }
        }
        if looked.is_ok() {
            // Not run, and not for a reason that the first look has told.
            let left_out = |finding: &Finding| finding.detail.contains("(--limit)");
            total.is_ungraded |= runs.iter().flatten().any(left_out);
        }
        let has_table = tasks.len() == 1 && looked.is_ok() && args.format == Format::Table;
        let rows = if has_table { Rows::All } else { Rows::Surprises };
        total.surprises += print(task, &runs, rows, what.evidence, is_stdout_taken)?;
        let report = Report::of(task, &runs, points.as_ref().unwrap_or(&equal), failure);
        let signal = interruption.signal();
        if signal.is_some() {
            let ended = runs.last().map_or(0, Vec::len);
            eprintln!("interrupted: {ended} of {} probes ran, and no record is written", chosen.len());
        }
        if points.is_some() && !is_stdout_taken {
            say(&format!("{}\n", report.points()))?;
        }
        reports.push(report);
        if let Some(signal) = signal {
            return Ok(ExitCode::from(128 + signal));
        }
    }
    if let Some(text) = write(args.format, &reports) {
        say(&text)?;
    }
    if let Some(error) = unwritten {
        return Err(error);
    }
    if let Some(record) = record {
        eprintln!("recorded in {}", record.path().display());
    }
    // A script that asked for the grade of its own server must not take none at all for a good one.
    total.is_ungraded |= what.is_foreign() && tasks.iter().any(|task| task.lacks.is_some());
    Ok(match total {
        Total { is_not_started: true, .. } => ExitCode::from(NOT_STARTED),
        Total { surprises: 0, is_ungraded: false, .. } => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Ends this process at a signal, whatever it waits for: at once, or, once probes run, after the time in
/// which their outcomes are printed. The guards of the servers see the end, and leave nothing behind.
fn end_when_interrupted(interruption: &Arc<Interruption>) -> Arc<AtomicBool> {
    /// Longer than the run waits for the ends of its servers.
    const GRACE: Duration = Duration::from_secs(4);
    const LOOK: Duration = Duration::from_millis(50);
    let (interruption, is_probing) = (Arc::clone(interruption), Arc::new(AtomicBool::new(false)));
    let probing = Arc::clone(&is_probing);
    thread::spawn(move || {
        let signal = loop {
            match interruption.signal() {
                Some(signal) => break signal,
                None => thread::sleep(LOOK),
            }
        };
        // Relaxed: it is a hint how long to wait, and publishes nothing.
        if probing.load(Ordering::Relaxed) {
            thread::sleep(GRACE);
        }
        std::process::exit(128 + i32::from(signal));
    });
    is_probing
}

/// The file to which records are added; what is in it stays.
fn append(path: &Path) -> Result<Box<dyn Write>> {
    if path == STDOUT {
        return Ok(Box::new(stdout()));
    }
    let file = OpenOptions::new().create(true).append(true).open(path);
    Ok(Box::new(file.with_context(|| format!("cannot write {}", path.display()))?))
}

/// Evidence as it is recorded.
fn recorded(evidence: &probes::Evidence) -> Evidence {
    let replay = |replay: &probes::Replay| Replay {
        start: replay.start.clone(),
        command: replay.command.clone(),
        right: replay.right.clone(),
        seen: replay.seen.clone(),
    };
    Evidence { transcript: evidence.transcript.clone(), replay: evidence.replay.as_ref().map(replay) }
}

/// The record of one run, of which so many are planned. Evidence of what was expected is recorded only where
/// it is to be shown.
fn grade(
    task: &Task,
    begun: SystemTime,
    findings: &[Finding],
    shows_evidence: bool,
    planned: usize,
    host: &Host,
) -> Grade {
    let probed = |finding: &Finding| {
        let expected = expected_of(&task.expect, finding.probe);
        Probed {
            probe: finding.probe.to_owned(),
            outcome: finding.outcome.to_string(),
            expected: expected.to_string(),
            seconds: finding.seconds,
            detail: finding.detail.clone(),
            surprise: !expected.allows(finding.outcome),
            evidence: finding
                .evidence
                .as_ref()
                .filter(|_| shows_evidence || !expected.allows(finding.outcome))
                .map(recorded),
        }
    };
    let probes: Vec<Probed> = findings.iter().map(probed).collect();
    let stage = task.stage.as_ref();
    Grade {
        stage: task.title.clone(),
        name: stage.map_or_else(String::new, |stage| stage.name.clone()),
        title: stage.map_or_else(String::new, |stage| stage.title.clone()),
        options: stage.map_or_else(Vec::new, |stage| stage.options.clone()),
        binary_hash: match &task.target {
            Target::Stage(launch) => sha256(&launch.program).ok(),
            Target::Command(..) | Target::Address(_) => None,
        },
        commit: Some(host.commit.clone()).filter(|commit| !commit.is_empty()),
        started_at: rfc3339(begun),
        planned,
        surprises: probes.iter().filter(|probed| probed.surprise).count(),
        failure: None,
        points: None,
        probes,
        host: host.clone(),
    }
}
