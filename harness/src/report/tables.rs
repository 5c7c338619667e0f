//! The tables of the Markdown page.

use crate::records::{Cell, IdleCost, LatencyCurve, LatencyPoint, Limiter, Pair, Phase, Record};
use crate::stats::Estimate;
use std::fmt::Write;

/// What everything is compared with.
const FLOOR: &str = "floor";

/// CPU time per request over the floor's, the floor against itself first.
pub(super) fn ratios(pairs: &[Pair]) -> Option<String> {
    let floor = pairs.iter().find(|pair| pair.stage == FLOOR)?;
    let mut rows: Vec<&Pair> = pairs.iter().collect();
    rows.sort_by_key(|pair| order(&pair.stage));
    let row = |pair: &Pair| [name(&pair.stage, &pair.title), ratio(pair, floor)].join(" | ");
    Some(table(&["stage", "÷ floor", "interval", "against the floor itself"], rows.into_iter().map(row)))
}

fn ratio(pair: &Pair, floor: &Pair) -> String {
    let interval = pair.interval.map_or("–".into(), |(low, high)| format!("{low:.2} to {high:.2}"));
    let verdict = match (pair.stage == FLOOR, pair.blocks < 5, pair.differs_from(floor)) {
        (true, _, _) => "",
        (_, true, _) => "too few rounds",
        (_, _, true) => "differs",
        (_, _, false) => "not distinguishable",
    };
    format!("{:.2} | {interval} | {verdict}", pair.ratio)
}

/// Every cell of the survey.
pub(super) fn points(cells: &[Cell]) -> String {
    let head = ["stage", "tool", "connections", "clients", "requests/s", "CPU µs per request", "limit"];
    table(&head, cells.iter().map(|cell| point(cell).join(" | ")))
}

fn point(cell: &Cell) -> [String; 7] {
    let with = |value: String, interval: Option<String>| {
        interval.map_or(value.clone(), |i| format!("{value} [{i}]"))
    };
    let speed = with(
        format!("{:.0}", cell.requests_per_second),
        cell.interval.map(|(low, high)| format!("{low:.0}–{high:.0}")),
    );
    let cost = cell.cpu_us_per_request.map_or("–".into(), |cost| {
        with(format!("{cost:.2}"), cell.cpu_interval.map(|(low, high)| format!("{low:.2}–{high:.2}")))
    });
    let limit = match cell.limiter {
        Limiter::Server => "server".to_owned(),
        Limiter::Generator => "generator".to_owned(),
        Limiter::Clients => format!("{} of {} clients served", cell.clients_served, cell.shape.concurrency),
        Limiter::Neither => "neither".to_owned(),
    };
    [
        name(&cell.shape.stage, &cell.title),
        cell.shape.tool.clone(),
        if cell.shape.keep_alive { "kept" } else { "one per request" }.to_owned(),
        cell.shape.concurrency.to_string(),
        if cell.errors > 0 { format!("{speed}, {} errors", cell.errors) } else { speed },
        cost,
        limit,
    ]
}

/// How long requests wait, a row for each share of the peak.
pub(super) fn latency(curves: &[LatencyCurve]) -> Option<String> {
    let mut curves: Vec<&LatencyCurve> = curves.iter().collect();
    curves.sort_by_key(|curve| order(&curve.stage));
    let head = ["stage", "share of peak", "requests/s sent", "p50 µs", "p99 µs", "p99.9 µs", "late", "limit"];
    let row = |curve: &LatencyCurve, point: &LatencyPoint| {
        let limit = match point.limiter {
            Limiter::Generator => "generator",
            Limiter::Clients => "some clients were not served",
            Limiter::Server | Limiter::Neither => "",
        };
        [
            name(&curve.stage, &curve.title),
            format!("{:.0} %", 100.0 * point.share_of_peak),
            format!("{:.0}", point.rate),
            estimate(&point.p50),
            estimate(&point.p99),
            estimate(&point.p99_9),
            format!("{:.1} %", 100.0 * point.late_share),
            limit.to_owned(),
        ]
        .join(" | ")
    };
    let rows: Vec<String> =
        curves.iter().flat_map(|curve| curve.points.iter().map(|point| row(curve, point))).collect();
    (!rows.is_empty()).then(|| table(&head, rows.into_iter()))
}

/// What connections cost that say nothing, and why a server has no figures.
pub(super) fn idle(costs: &[IdleCost], records: &[Record]) -> Option<String> {
    let mut rows: Vec<(&str, [String; 4])> = costs
        .iter()
        .map(|cost| {
            let bytes = [estimate(&cost.silent_bytes), estimate(&cost.served_bytes)];
            let [silent, served] = bytes;
            let count = cost.connections.to_string();
            (cost.stage.as_str(), [name(&cost.stage, &cost.title), count, silent, served])
        })
        .collect();
    for record in records.iter().filter(|record| record.phase == Phase::Idle) {
        let Some(reason) = &record.skipped else { continue };
        if rows.iter().all(|(stage, _)| *stage != record.stage) {
            let none = "–".to_owned();
            let row =
                [name(&record.stage, &record.title), none.clone(), format!("not measured: {reason}"), none];
            rows.push((&record.stage, row));
        }
    }
    rows.sort_by_key(|(stage, _)| order(stage));
    let head = ["stage", "connections", "silent, bytes each", "served once, bytes each"];
    (!rows.is_empty()).then(|| table(&head, rows.into_iter().map(|(_, row)| row.join(" | "))))
}

/// `123 [120–130]`.
fn estimate(estimate: &Estimate) -> String {
    match estimate.interval {
        Some((low, high)) => format!("{:.0} [{low:.0}–{high:.0}]", estimate.median),
        None => format!("{:.0}", estimate.median),
    }
}

/// The floor first, the other references after the stages.
fn order(stage: &str) -> (bool, bool, &str) {
    let is_stage = stage.starts_with(|first: char| first.is_ascii_digit());
    (stage != FLOOR, !is_stage, stage)
}

/// The machine, the tools and the commit.
pub(super) fn machine(record: &Record) -> String {
    let host = &record.host;
    let tools: Vec<&str> = host.tools.values().map(String::as_str).collect();
    let descriptors =
        host.descriptors.map_or("unknown".into(), |(soft, hard)| format!("{soft}, at most {hard}"));
    let rows = [
        ("processor", format!("{}, {} CPUs", host.cpu, host.cores)),
        ("kernel", host.kernel.clone()),
        ("clock governor", host.governor.clone()),
        ("descriptors", descriptors),
        ("local ports", host.port_range.clone()),
        ("somaxconn", host.somaxconn.map_or("unknown".into(), |most| most.to_string())),
        ("tools", tools.join("; ")),
        ("commit", host.commit_name()),
        ("begun", record.started_at.clone()),
        ("seed", record.seed.to_string()),
    ];
    table(&["", ""], rows.into_iter().map(|(what, value)| format!("{what} | {value}")))
}

fn table(head: &[&str], rows: impl Iterator<Item = String>) -> String {
    let mut table = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    rows.for_each(|row| {
        let _ = writeln!(table, "| {row} |");
    });
    table
}

/// A server as the tables name it.
fn name(stage: &str, title: &str) -> String {
    if stage == FLOOR { format!("{stage}: {title}") } else { format!("{stage} {title}") }
}
