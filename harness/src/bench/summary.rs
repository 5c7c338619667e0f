//! What is said before a run and after it.

use super::Plan;
use super::progress::minutes;
use super::resume::Done;
use super::rigor::Rigor;
use super::table;
use crate::records::{Phase, Record};
use crate::{charts, report};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Says what will be done, what will not, and how long it takes.
pub(super) fn announce(plan: &Plan, rigor: Rigor, budget: Option<f64>) {
    let servers: Vec<&str> = plan.subjects.iter().map(|subject| subject.name.as_str()).collect();
    let rounds = match plan.rounds() {
        1 => "1 round".into(),
        rounds => format!("{rounds} rounds"),
    };
    eprintln!(
        "{} points in {rounds} on {}; about {}; seed {}",
        plan.len(),
        servers.join(", "),
        minutes(plan.seconds()),
        plan.seed
    );
    if let Some(budget) = budget.filter(|_| !plan.points.is_empty()) {
        let fits = if plan.seconds() <= budget {
            "the most that fits"
        } else {
            "the least there is; it does not fit"
        };
        eprintln!("{} takes {fits} {}: {}", rigor.name(), minutes(budget), amount(plan));
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
        let servers = reasons.entry(format!("skipped: {what}: {reason}")).or_default();
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

/// What is measured, in one line.
fn amount(plan: &Plan) -> String {
    let list = |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let amount = &plan.amount;
    let clients = &amount.clients;
    let often = |rounds: u32| {
        if rounds >= amount.rounds { String::new() } else { format!(" in {rounds} rounds") }
    };
    let others = often(amount.rounds_of_others);
    let mut parts = vec![
        format!("wrk with {} clients, {} without keep-alive", list(&clients.kept), list(&clients.closed)),
        format!("ab with {}{others}", list(&clients.ab)),
        format!("webbench with {}{others}", list(&clients.webbench)),
    ];
    parts.extend((!plan.paired.is_empty()).then(|| "pairs".into()));
    parts.extend((!plan.latency.is_empty()).then(|| "latency".into()));
    parts.extend((!plan.idle.is_empty()).then(|| format!("idle connections{}", often(amount.idle_rounds))));
    parts.join("; ")
}

/// Draws, and says what there is.
pub(super) fn finish(records: &[Record], data: &Path, out: &Path) -> Result<()> {
    let charts = charts::draw(records, &[data.to_owned()], out)?;
    println!("{}", table::table(records));
    if let Some(text) = table::pairs(records) {
        println!("{text}");
    }
    for line in refused(records) {
        println!("{line}");
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
        println!("chart   {}", out.join(&chart.file).display());
    }
    println!("page    {}", report::write(records, &charts, data, out)?.display());
    Ok(())
}

/// The servers that were not measured, or no longer, each with its reason.
fn refused(records: &[Record]) -> BTreeSet<String> {
    let reasons = records.iter().filter_map(|record| Some((record, record.skipped.as_ref()?)));
    let refused = reasons.filter(|(_, reason)| reason.starts_with("refused"));
    refused.map(|(record, reason)| format!("{}: {reason}", record.stage)).collect()
}
