//! What is said before a run: what fits into its time, and which servers are not known to be right.

use super::profile::{Profile, Series, Workload};
use crate::engine::{Plan, Subject};
use crate::generators::Tool;
use lab_core::stages::Stage;
use lab_core::units::{count, minutes};
use records::{Phase, ungraded};
use std::path::Path;

/// Says what the profile has chosen, if it had a choice.
pub(super) fn announce(plan: &Plan, profile: Profile, workload: &Workload, budget: Option<f64>) {
    let Some(budget) = budget.filter(|_| plan.of(Phase::Survey).next().is_some()) else { return };
    let (name, time) = (profile.name(), minutes(budget));
    if plan.seconds() <= budget {
        eprintln!("{name} measures what fits into {time}:");
    } else {
        eprintln!("{name} means to end within {time}; the least that it can measure takes longer:");
    }
    let is_planned = |series: &&Series| {
        let what = (series.phase, series.tool, series.keep_alive);
        plan.points().any(|point| (point.phase, point.tool, point.load.keep_alive) == what)
    };
    workload.series.iter().filter(is_planned).for_each(|series| eprintln!("  {}", line(series)));
}

fn line(series: &Series) -> String {
    let numbers = series.clients.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let clients = format!("{numbers} client{}", if numbers == "1" { "" } else { "s" });
    let kind = if series.keep_alive { "kept connections" } else { "a connection per request" };
    let what = match series.phase {
        Phase::Idle => format!("memory of {numbers} silent connections"),
        Phase::Paired => format!(
            "CPU time per request, each server {}: {}, {clients}, {kind}; {} s each",
            if series.tool == Tool::Builtin {
                "in turns with the floor"
            } else {
                "between two runs of the floor"
            },
            series.tool.name(),
            series.duration.as_secs_f64()
        ),
        _ => format!("{}: {clients}, {kind}; {} s each", series.tool.name(), series.duration.as_secs_f64()),
    };
    format!("{what}; {}", count(series.rounds as usize, "round"))
}

/// The stages among the servers that have no grade of the binary that is measured, in one line. Measuring
/// goes on: a smoke precedes each server in any case.
pub(super) fn ungraded_note(stages: &[Stage], subjects: &[Subject], out: &Path) -> Option<String> {
    let is_measured = |stage: &&Stage| subjects.iter().any(|subject| subject.name == stage.name);
    let measured = stages.iter().filter(is_measured);
    let servers: Vec<(&str, &Path)> =
        measured.map(|stage| (stage.name.as_str(), stage.binary.as_path())).collect();
    // A look has no grades of its own.
    let directories = [out.join("data"), Path::new("results").join("data")];
    let ungraded = directories.iter().map(|directory| ungraded(directory, &servers)).min_by_key(Vec::len)?;
    (!ungraded.is_empty()).then(|| {
        format!("no grade of this binary is recorded: {} (./lab grade all --record)", ungraded.join(", "))
    })
}
