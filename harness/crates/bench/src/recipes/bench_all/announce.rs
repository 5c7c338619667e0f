//! What is said before a run: what fits into its time.

use super::profile::{Profile, Workload};
use crate::engine::Plan;
use crate::generators::Tool;
use lab_core::units::{count, minutes};
use records::Phase;
use std::time::Duration;

/// Says what the profile has chosen, if it had a choice.
pub(super) fn announce(plan: &Plan, profile: Profile, workload: &Workload, budget: Option<f64>) {
    let Some(budget) = budget.filter(|_| plan.of(Phase::Survey).next().is_some()) else { return };
    let (name, time) = (profile.name(), minutes(budget));
    if plan.seconds() <= budget {
        eprintln!("{name} measures what fits into {time}:");
    } else {
        eprintln!("{name} means to end within {time}; the least that it can measure takes longer:");
    }
    for line in lines(plan, workload) {
        eprintln!("  {line}");
    }
}

/// What is measured, a line for each tool and phase.
fn lines(plan: &Plan, workload: &Workload) -> Vec<String> {
    let clients = |numbers: &[usize]| {
        let list = numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        format!("{list} {}", if numbers == [1] { "client" } else { "clients" })
    };
    let often = |rounds: u32| match rounds >= workload.rounds {
        true => String::new(),
        false => format!(", in {}", count(rounds as usize, "round")),
    };
    let closed = || plan.of(Phase::Survey).chain(plan.of(Phase::Paired));
    let has = |tool| closed().any(|point| point.tool == tool);
    let seconds = |duration: Duration| format!("{} s each", duration.as_secs_f64());
    let (long, others) = (seconds(workload.duration), often(workload.rounds_of_others));
    let mut lines = Vec::new();
    for tool in [Tool::Wrk, Tool::Builtin].into_iter().filter(|&tool| has(tool)) {
        let (kept, closed) = (clients(&workload.clients.kept), clients(&workload.clients.closed));
        lines.push(format!("{}: {kept} with keep-alive, {closed} without; {long}", tool.name()));
    }
    for (tool, numbers) in [(Tool::Ab, &workload.clients.ab), (Tool::Webbench, &workload.clients.webbench)] {
        if has(tool) {
            lines.push(format!("{}: {}; {long}{others}", tool.name(), clients(numbers)));
        }
    }
    if plan.of(Phase::Paired).next().is_some() {
        lines.push("CPU time per request: each server between two runs of the floor".into());
    }
    if plan.of(Phase::Latency).next().is_some() {
        lines.push(format!(
            "latency: an open loop at shares of each server's peak; {}",
            seconds(workload.open_loop)
        ));
    }
    if plan.of(Phase::Idle).next().is_some() {
        lines.push(format!("memory of idle connections{}", often(workload.idle_rounds)));
    }
    lines
}
