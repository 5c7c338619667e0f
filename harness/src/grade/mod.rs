//! `harness grade`: the grader's command, and the records that it leaves.

mod record;

use anyhow::{Result, bail};
use grader::{Rows, examine, print, print_list, probes, raise_descriptor_limit};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

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
        bail!(
            "--record keeps the grade of every stage together: harness grade all --record; for one there is --json"
        );
    }
    let chosen = what.probes()?;
    let tasks = what.tasks()?;
    raise_descriptor_limit();
    let mut missing = Vec::new();
    if what.is_foreign() {
        for task in &tasks {
            missing.extend(probes::missing_routes(&task.target)?);
        }
    }
    let mut records = record::Writer::new(args.json.as_deref(), args.record.as_deref(), tasks.len())?;
    let mut surprises = 0;
    for task in &tasks {
        let mut runs = Vec::new();
        for round in 1..=what.repeat {
            let begun = SystemTime::now();
            let findings = examine(&chosen, task, round, what.repeat);
            records.write(task, begun, &findings)?;
            runs.push(findings);
        }
        let rows = if tasks.len() > 1 { Rows::Surprises } else { Rows::All };
        surprises += print(task, &runs, rows, records.uses_stdout());
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
