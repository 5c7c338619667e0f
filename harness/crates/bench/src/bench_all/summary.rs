//! What is said before a run and after it.

use super::plan::Plan;
use super::resume::Done;
use super::rigor::Rigor;
use super::table;
use crate::generators::Tool;
use lab_core::units::{count, minutes};
use records::{Phase, Record, disturbance};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// Says what will be done, what will not, and how long it takes.
pub(super) fn announce(plan: &Plan, rigor: Rigor, budget: Option<f64>) {
    let servers: Vec<&str> = plan.subjects.iter().map(|subject| subject.name.as_str()).collect();
    eprintln!(
        "{} in {} on {}; about {}, longer on a busy machine; seed {}",
        count(plan.len(), "point"),
        count(plan.rounds() as usize, "round"),
        servers.join(", "),
        minutes(plan.seconds()),
        plan.seed
    );
    if let Some(budget) = budget.filter(|_| !plan.points.is_empty()) {
        let time = minutes(budget);
        if plan.seconds() <= budget {
            eprintln!("{} measures what fits into {time}:", rigor.name());
        } else {
            eprintln!(
                "{} means to end within {time}; the least that it can measure takes longer:",
                rigor.name()
            );
        }
        for line in amount(plan) {
            eprintln!("  {line}");
        }
    }
    // One line for each reason, with the servers that it holds for.
    let mut reasons: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (point, reason) in &plan.skipped {
        let what = match point.phase {
            Phase::Latency => "latency".to_owned(),
            Phase::Idle => "idle connections".to_owned(),
            _ => {
                let kind = if point.keep_alive { "with keep-alive" } else { "without keep-alive" };
                format!("{} {kind}", point.tool.name())
            }
        };
        // Some reasons name the tool themselves.
        let line = match reason.starts_with(point.tool.name()) {
            true => format!("skipped: {reason}"),
            false => format!("skipped: {what}: {reason}"),
        };
        let servers = reasons.entry(line).or_default();
        servers.insert(&plan.subjects[point.subject].name);
    }
    for (line, servers) in reasons {
        if servers.len() == plan.subjects.len() {
            eprintln!("{line}");
        } else {
            eprintln!("{line} ({})", servers.into_iter().collect::<Vec<_>>().join(", "));
        }
    }
}

/// Says how much of an earlier run is there.
pub(super) fn announce_rest(plan: &Plan, done: &Done) {
    eprintln!(
        "going on with {}: {} of {} points are there, about {} are left (--fresh begins anew)",
        done.path().display(),
        done.count(plan),
        plan.len(),
        minutes(plan.seconds() - done.seconds(plan))
    );
}

/// What is measured, a line for each tool and phase.
fn amount(plan: &Plan) -> Vec<String> {
    let clients = |numbers: &[usize]| {
        let list = numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        format!("{list} {}", if numbers == [1] { "client" } else { "clients" })
    };
    let amount = &plan.amount;
    let often = |rounds: u32| match rounds >= amount.rounds {
        true => String::new(),
        false => format!(", in {}", count(rounds as usize, "round")),
    };
    let has = |tool| plan.points.iter().chain(&plan.paired).any(|point| point.tool == tool);
    let seconds = |duration: Duration| format!("{} s each", duration.as_secs_f64());
    let (long, others) = (seconds(amount.duration), often(amount.rounds_of_others));
    let mut lines = Vec::new();
    for tool in [Tool::Wrk, Tool::Builtin].into_iter().filter(|&tool| has(tool)) {
        let (kept, closed) = (clients(&amount.clients.kept), clients(&amount.clients.closed));
        lines.push(format!("{}: {kept} with keep-alive, {closed} without; {long}", tool.name()));
    }
    for (tool, numbers) in [(Tool::Ab, &amount.clients.ab), (Tool::Webbench, &amount.clients.webbench)] {
        if has(tool) {
            lines.push(format!("{}: {}; {long}{others}", tool.name(), clients(numbers)));
        }
    }
    if !plan.paired.is_empty() {
        lines.push("CPU time per request: each server between two runs of the floor".into());
    }
    if !plan.latency.is_empty() {
        lines.push(format!(
            "latency: an open loop at shares of each server's peak; {}",
            seconds(amount.open_loop)
        ));
    }
    if !plan.idle.is_empty() {
        lines.push(format!("memory of idle connections{}", often(amount.idle_rounds)));
    }
    lines
}

/// Says what was found, and where it is recorded.
pub(super) fn finish(records: &[Record], data: &Path) {
    let tables = [table::speeds, table::pairs, table::waits, table::memory];
    for text in tables.into_iter().filter_map(|table| table(records)) {
        println!("{text}");
    }
    for line in refused(records) {
        println!("{line}");
    }
    if let Some(line) = disturbance(records) {
        println!("{line}");
    }
    println!("data    {}", data.display());
}

/// The servers that were not measured, or no longer, each with its reason.
fn refused(records: &[Record]) -> BTreeSet<String> {
    let reasons = records.iter().filter_map(|record| Some((record, record.skipped.as_ref()?)));
    let refused = reasons.filter(|(_, reason)| reason.starts_with("refused"));
    refused.map(|(record, reason)| format!("{}: {reason}", record.stage)).collect()
}
