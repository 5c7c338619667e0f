//! The tables of the Markdown page. The servers stand in the order of the charts, under the names of the charts.

use super::machine;
use lab_core::stats::Estimate;
use lab_core::units::{bytes, number, ratio as times, time, xml_characters};
use records::{
    Bottleneck, Cell, FLOOR, IdleCost, LatencyCurve, LatencyPoint, Pair, Phase, Record, label, order,
};
use std::fmt::Write;

/// Where there is no figure.
const NONE: &str = "–";

/// CPU time per request over the floor's, the floor against itself first.
pub(super) fn ratios(pairs: &[Pair]) -> Option<String> {
    let floor = pairs.iter().find(|pair| pair.stage == FLOOR)?;
    let mut rows: Vec<&Pair> = pairs.iter().collect();
    rows.sort_by_key(|pair| order(&pair.stage));
    let row = |pair: &Pair| {
        let [median, interval, verdict] = ratio(pair, floor);
        vec![label(&pair.stage, &pair.title), median, interval, verdict]
    };
    Some(table(&["server", "÷ floor", "interval", "beside the floor"], rows.into_iter().map(row)))
}

fn ratio(pair: &Pair, floor: &Pair) -> [String; 3] {
    let interval =
        pair.interval.map_or(NONE.into(), |(low, high)| format!("{} to {}", times(low), times(high)));
    let verdict = pair.verdict(floor).unwrap_or("differs");
    [times(pair.ratio), interval, verdict.to_owned()]
}

/// Every cell of the survey; `None` where there is none. Nothing is known of the CPU time of servers elsewhere.
pub(super) fn points(cells: &[Cell]) -> Option<String> {
    let mut rows: Vec<&Cell> = cells.iter().collect();
    rows.sort_by_key(|cell| order(&cell.shape.stage));
    let has_cost = cells.iter().any(|cell| cell.cpu_us_per_request.is_some());
    let mut head = vec!["server", "tool", "connections", "clients", "requests/s", "limit"];
    if has_cost {
        head.push("CPU µs per request");
    }
    let row = |cell: &Cell| {
        let mut row = point(cell);
        row.extend(has_cost.then(|| cost(cell)));
        row
    };
    (!rows.is_empty()).then(|| table(&head, rows.into_iter().map(row)))
}

fn point(cell: &Cell) -> Vec<String> {
    let speed =
        with(number(cell.requests_per_second), cell.interval.map(|(low, high)| [low, high].map(number)));
    let limit = match cell.limiter {
        Bottleneck::Server => "server".to_owned(),
        Bottleneck::Generator => "generator".to_owned(),
        Bottleneck::Clients => {
            format!("{} of {} clients served", cell.clients_served, cell.shape.concurrency)
        }
        Bottleneck::Neither => "neither".to_owned(),
        Bottleneck::Unreached => "rate not reached".to_owned(),
    };
    vec![
        label(&cell.shape.stage, &cell.title),
        cell.shape.tool.clone(),
        if cell.shape.keep_alive { "kept" } else { "one per request" }.to_owned(),
        number(cell.shape.concurrency as f64),
        if cell.errors > 0 { format!("{speed}, {} errors", number(cell.errors as f64)) } else { speed },
        limit,
    ]
}

fn cost(cell: &Cell) -> String {
    let cost = |cost: f64| format!("{cost:.2}");
    let interval = cell.cpu_interval.map(|(low, high)| [cost(low), cost(high)]);
    cell.cpu_us_per_request.map_or(NONE.into(), |median| with(cost(median), interval))
}

/// How long requests wait, a row for each share of the peak.
pub(super) fn latency(curves: &[LatencyCurve]) -> Option<String> {
    let mut curves: Vec<&LatencyCurve> = curves.iter().collect();
    curves.sort_by_key(|curve| order(&curve.stage));
    let head = ["server", "share of peak", "planned/s", "answered/s", "p50", "p99", "p99.9", "late", "limit"];
    let points = curves.iter().flat_map(|curve| curve.points.iter().map(|point| waits(curve, point)));
    let rows: Vec<Vec<String>> = points.collect();
    (!rows.is_empty()).then(|| table(&head, rows.into_iter()))
}

fn waits(curve: &LatencyCurve, point: &LatencyPoint) -> Vec<String> {
    let limit = match point.limiter {
        Bottleneck::Generator => "generator",
        Bottleneck::Clients => "some clients were not served",
        Bottleneck::Server => "server",
        Bottleneck::Neither | Bottleneck::Unreached => "",
    };
    let limit = match (point.reached, limit) {
        (true, limit) => limit.to_owned(),
        (false, "") => "rate not reached".to_owned(),
        (false, limit) => format!("rate not reached: {limit}"),
    };
    let wait = |estimate: &Estimate| if point.reached { wait(estimate) } else { NONE.to_owned() };
    vec![
        label(&curve.stage, &curve.title),
        format!("{:.0} %", 100.0 * point.share_of_peak),
        number(point.rate),
        number(point.answered),
        wait(&point.p50),
        wait(&point.p99),
        wait(&point.p99_9),
        format!("{:.1} %", 100.0 * point.late_share),
        limit,
    ]
}

/// What connections cost that say nothing, and why a server has no figures.
pub(super) fn idle(costs: &[IdleCost], records: &[Record]) -> Option<String> {
    let row = |cost: &IdleCost| {
        let [silent, served] = [&cost.silent_bytes, &cost.served_bytes].map(memory);
        vec![label(&cost.stage, &cost.title), number(cost.connections as f64), silent, served]
    };
    let mut rows: Vec<(&str, Vec<String>)> =
        costs.iter().map(|cost| (cost.stage.as_str(), row(cost))).collect();
    for record in records.iter().filter(|record| record.key.phase == Phase::Idle) {
        let Some(reason) = record.skipped() else { continue };
        if rows.iter().all(|(stage, _)| *stage != record.key.server) {
            let name = label(&record.key.server, &record.key.title);
            let row = vec![name, NONE.to_owned(), format!("not measured: {reason}"), NONE.to_owned()];
            rows.push((&record.key.server, row));
        }
    }
    rows.sort_by_key(|(stage, _)| order(stage));
    let head = ["server", "connections", "silent, each", "served once, each"];
    (!rows.is_empty()).then(|| table(&head, rows.into_iter().map(|(_, row)| row)))
}

/// `352 B [340 B–361 B]`
fn memory(estimate: &Estimate) -> String {
    with(bytes(estimate.median), estimate.interval.map(|(low, high)| [low, high].map(bytes)))
}

/// `1.25 ms [990 µs–1.31 ms]`
fn wait(estimate: &Estimate) -> String {
    with(time(estimate.median), estimate.interval.map(|(low, high)| [low, high].map(time)))
}

/// `123 [120–130]`
fn with(value: String, interval: Option<[String; 2]>) -> String {
    match interval {
        Some([low, high]) => format!("{value} [{low}–{high}]"),
        None => value,
    }
}

/// The machine, the tools and the commit.
pub(super) fn machine(record: &Record) -> String {
    table(&["", ""], machine::rows(record).into_iter().map(|(what, value)| vec![what, value]))
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    rows.for_each(|row| {
        let cells: Vec<String> = row.iter().map(|cell| plain(cell)).collect();
        let _ = writeln!(table, "| {} |", cells.join(" | "));
    });
    table
}

/// A text of a record, a Cargo.toml or a tool: nothing in it is markup (ab's version has `<$Revision$>`), nothing ends the
/// cell.
pub(super) fn plain(text: &str) -> String {
    let escape = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '|' => "\\|".to_owned(),
        '\n' | '\r' => " ".to_owned(),
        other => other.to_string(),
    };
    xml_characters(text).chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup_or_another_cell() {
        let rows = [vec!["<script>|&\nb".to_owned(), "2".to_owned()]];
        let table = table(&["a", "b"], rows.into_iter());
        assert_eq!(table, "| a | b |\n|---|---|\n| &lt;script>\\|&amp; b | 2 |\n");
    }
}
