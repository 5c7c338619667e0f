//! `./lab grade`: the grader's command, and the records that it leaves.

use crate::data_name;
use anyhow::{Context, Result, bail};
use grader::probes::{Finding, Target};
use grader::{Rows, Task, examine, expected_of, print, print_list, probes, raise_descriptor_limit};
use lab_core::Usage;
use lab_core::clock::rfc3339;
use lab_core::files::sha256;
use lab_core::host::Host;
use records::{Evidence, Grade, Probed, Replay, Writer};
use std::fs::OpenOptions;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

/// What stands for stdout where a file is named.
const STDOUT: &str = "-";

/// The options.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    what: grader::Args,

    /// Write a record of each run, one JSON object a line; `-` is stdout.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,

    /// With `all`: write the same to a new file in this directory [default: results/data]. The matrix of
    /// stages and probes is drawn from it, and `bench-all` looks there whether a binary was graded.
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "results/data", conflicts_with = "only")]
    record: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let what = &args.what;
    if what.list {
        print_list();
        return Ok(ExitCode::SUCCESS);
    }
    if args.record.is_some() && !what.is_all() {
        bail!(Usage::new(
            "--record keeps the grade of every stage together: ./lab grade all --record; for one there is --json"
        ));
    }
    let chosen = what.probes()?;
    let mut tasks = what.tasks()?;
    raise_descriptor_limit();
    if what.is_foreign() {
        tasks.iter_mut().try_for_each(ask_for_routes)?;
    }
    // Opened before anything is asked, so that a bad path does not cost a run.
    let host = Host::look();
    let mut json = args.json.as_deref().map(append).transpose()?;
    let create = |directory| Writer::create(directory, &data_name(&host, "grades"));
    let mut record = args.record.as_deref().map(create).transpose()?;
    let is_json_on_stdout = args.json.as_deref() == Some(STDOUT.as_ref());
    let mut surprises = 0;
    for task in &tasks {
        let mut runs = Vec::new();
        for round in 1..=what.repeat {
            let begun = SystemTime::now();
            let findings = examine(&chosen, task, round, what.repeat);
            let grade = grade(task, begun, &findings, what.evidence, tasks.len(), &host);
            if let Some(record) = &mut record {
                record.write(&grade)?;
            }
            if let Some(json) = &mut json {
                let line = serde_json::to_string(&grade)? + "\n";
                json.write_all(line.as_bytes()).context("cannot write the record")?;
            }
            runs.push(findings);
        }
        let has_table = tasks.len() == 1 && task.lacks.is_none();
        let rows = if has_table { Rows::All } else { Rows::Surprises };
        surprises += print(task, &runs, rows, what.evidence, is_json_on_stdout);
    }
    if let Some(record) = record {
        eprintln!("recorded in {}", record.path().display());
    }
    // A script that asked for the grade of its own server must not take none at all for a good one.
    let is_ungraded = what.is_foreign() && tasks.iter().any(|task| task.lacks.is_some());
    Ok(if surprises == 0 && !is_ungraded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says which of the lab's routes a server of another make lacks. Without `/`, for which nearly every probe
/// asks, none of them is applicable.
fn ask_for_routes(task: &mut Task) -> Result<()> {
    let missing = probes::missing_routes(&task.target)?;
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("This server lacks routes that the probes ask for:");
    missing.iter().for_each(|route| eprintln!("  {route}"));
    if missing.iter().any(|route| route.starts_with("GET / ")) {
        task.lacks = Some("no probe is applicable to a server without `GET /`".to_owned());
    } else {
        eprintln!("A probe that asks for one of them fails for that reason, and its hint does not apply.");
    }
    Ok(())
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

/// The record of one run, of which so many are planned. Evidence of what was expected is recorded only where it
/// is to be shown.
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
            Target::Command(_) | Target::Address(_) => None,
        },
        commit: Some(host.commit.clone()).filter(|commit| !commit.is_empty()),
        started_at: rfc3339(begun),
        planned,
        surprises: probes.iter().filter(|probed| probed.surprise).count(),
        probes,
        host: host.clone(),
    }
}
