//! `harness grade`: the grader's command, and the records that it leaves.

mod record;

use anyhow::{Result, bail};
use grader::{Rows, Task, examine, print, print_list, probes, raise_descriptor_limit};
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
    let mut tasks = what.tasks()?;
    raise_descriptor_limit();
    if what.is_foreign() {
        tasks.iter_mut().try_for_each(ask_for_routes)?;
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
        let has_table = tasks.len() == 1 && task.lacks.is_none();
        let rows = if has_table { Rows::All } else { Rows::Surprises };
        surprises += print(task, &runs, rows, records.uses_stdout());
    }
    if let Some(file) = records.file() {
        eprintln!("recorded in {}", file.display());
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
