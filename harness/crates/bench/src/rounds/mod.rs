//! Measuring in rounds: every point once in each, in shuffled order, recorded at once; a run that was interrupted goes on.
//!
//! What `harness table` and `harness scenario` share. Each brings its servers and its way to measure a point.
//!
//! * `options`: what the user may say; `plan`: the servers, the points and their order; `done`: the points that an interrupted run has;
//! * `session`: the run while it goes; `progress`: what the user sees of it.

mod done;
mod options;
mod plan;
mod progress;
mod session;

pub(crate) use options::Options;
pub(crate) use plan::{Plan, Point, Subject};
pub(crate) use session::{Common, Measured, Measuring};

use crate::earlier::{Earlier, command_line, earlier};
use anyhow::{Result, bail, ensure};
use done::Done;
use lab_core::clock::now;
use lab_core::host::Host;
use lab_core::units::{count, minutes};
use records::{Claim, Content, Record, Writer, disturbance, read};
use session::{End, Session};
use std::path::Path;
use std::process::ExitCode;

/// Rounds that an interval can be computed from.
const ROUNDS: u32 = 5;

/// Measures what is not done yet, and prints `table` of everything. `plan` makes the plan for a seed.
pub(crate) fn run(
    options: &Options,
    content: Content,
    common: &Common,
    plan: impl FnOnce(u64) -> Plan,
    measuring: &dyn Measuring,
    table: impl FnOnce(&[Record]) -> String,
) -> Result<ExitCode> {
    let command = command_line();
    let data = options.out(common.is_whole).join("data");
    // Before anything is looked at: what another run is about to record would be done a second time.
    let _claim = Claim::on(&data)?;
    let earlier = match options.fresh {
        true => Earlier::Nothing,
        false => earlier(&data, content, &command, options.seed, &common.host)?,
    };
    let mut plan = plan(options.fresh_seed());
    let mut done = None;
    match earlier {
        Earlier::Nothing => {}
        Earlier::Other(reason) => eprintln!("{reason}"),
        Earlier::Same(run) => {
            done = Some(Done::of(&run)).filter(|done| done.count(&plan) < plan.len());
            plan.seed = done.as_ref().map_or(plan.seed, |_| run.seed);
        }
    }
    announce(&plan);
    ensure!(plan.len() > 0, "nothing can be measured: no server of it can run");
    let writer = match &done {
        Some(done) => {
            let (path, count) = (done.path.display(), done.count(&plan));
            eprintln!(
                "going on with {path}: {count} of {} points are there (--fresh begins anew)",
                plan.len()
            );
            Writer::resume(&done.path)?
        }
        None => Writer::create(&data, &file_name(&common.host, content))?,
    };
    let path = writer.path().to_owned();
    let session = Session { plan: &plan, common, measuring, command };
    let end = session.run(writer, &done.unwrap_or_default())?;
    let how_to_go_on = match common.host.dirty {
        true => "the work tree has uncommitted changes, so the same command will begin anew",
        false => "the same command goes on from there",
    };
    finish(&path, end, how_to_go_on, table)
}

fn announce(plan: &Plan) {
    let (points, rounds) = (count(plan.len(), "point"), count(plan.rounds as usize, "round"));
    let time = minutes(plan.seconds());
    eprintln!("{points} in {rounds}; about {time}, longer on a busy machine; seed {}", plan.seed);
    for subject in &plan.subjects {
        if let Err(reason) = &subject.launch {
            eprintln!("skipped: {}: {reason}", subject.name);
        }
    }
}

/// Prints what there is, whole or not.
fn finish(
    path: &Path,
    end: End,
    how_to_go_on: &str,
    table: impl FnOnce(&[Record]) -> String,
) -> Result<ExitCode> {
    let records = read(path)?;
    let is_measured = records.iter().any(|record| record.figures.is_some());
    if is_measured {
        println!("{}", table(&records));
        if let Some(line) = disturbance(&records) {
            println!("{line}");
        }
        println!("data    {}", path.display());
        let out = path.parent().and_then(Path::parent).unwrap_or(Path::new("."));
        println!(
            "its chart: ./lab chart --data {} --out {}; on the page of the last run: ./lab report",
            path.display(),
            out.display()
        );
    }
    match end {
        End::Interrupted if records.is_empty() => {
            Writer::discard(path)?;
            eprintln!("interrupted; nothing was measured yet, and nothing is kept");
            Ok(ExitCode::from(130))
        }
        End::Interrupted => {
            let what =
                if is_measured { "what was measured" } else { "nothing was measured yet; what was skipped" };
            eprintln!("interrupted; {what} is in {}; {how_to_go_on}", path.display());
            Ok(ExitCode::from(130))
        }
        _ if !is_measured => bail!("nothing was measured; {} says why", path.display()),
        End::WithFailures => Ok(ExitCode::FAILURE),
        End::Complete => Ok(ExitCode::SUCCESS),
    }
}

/// `20260102T030405Z-1234567890-table`.
fn file_name(host: &Host, content: Content) -> String {
    let commit = if host.commit.is_empty() { "nocommit" } else { &host.commit };
    format!("{}-{commit}-{}", now().replace(['-', ':'], ""), content.ending())
}
