//! Memory per connection that says nothing.

use super::caption::Caption;
use super::rows::{Mark, Panel, Rows};
use super::source::{Chart, Source};
use super::style::{Look, Style};
use anyhow::Result;
use lab_core::stats::Estimate;
use records::{IdleCost, Phase, Record, idle, label, order};
use std::collections::BTreeMap;

/// Silent and served connections of each server, if they were counted.
pub(super) fn chart(records: &[Record], source: &Source) -> Result<Option<Chart>> {
    let its_records: Vec<&Record> =
        records.iter().filter(|record| record.phase == Phase::Idle && !record.dropped).collect();
    let costs = idle(records);
    let Some(connections) = costs.iter().map(|cost| cost.connections).max() else { return Ok(None) };
    let mut servers: BTreeMap<&str, &str> = BTreeMap::new();
    servers.extend(its_records.iter().map(|record| (record.stage.as_str(), record.title.as_str())));
    let mut servers: Vec<(&str, &str)> = servers.into_iter().collect();
    servers.sort_by_key(|(name, _)| order(name));
    let cost_of = |name: &str| costs.iter().find(|cost| cost.stage == name);
    let reason_of = |name: &str| {
        let mut its = its_records.iter().filter(|record| record.stage == name);
        its.find_map(|record| record.skipped.as_deref()).unwrap_or("no figures")
    };
    let text = |name: &str| match cost_of(name) {
        Some(cost) => text(cost, connections),
        None => format!("not measured: {}", reason_of(name)),
    };
    let title = format!("Memory of an idle connection: {} at once", super::text::number(connections as f64));
    let mut caption = Caption::new(title.clone(), &its_records, source);
    caption.lines[0] = format!(
        "{}: growth of the process tree's Pss with {} connections, divided by their number.",
        caption.how,
        super::text::number(connections as f64)
    );
    let mut notes = vec![
        "User memory only: the kernel's own, about 8 kB for each accepted socket and as much at the client's end, is in \
         no process's Pss and comes on top for every server alike."
            .to_owned(),
    ];
    notes.push(
        "Pss (proportional set size) is the memory that a process uses; pages that several processes share are counted \
         in equal parts."
            .to_owned(),
    );
    if costs.iter().any(|cost| cost.silent_bytes.median <= 0.0 || cost.served_bytes.median <= 0.0) {
        notes.push(
            "Hollow at the left edge: no growth was seen, and a logarithmic scale has no zero. The server may hold its \
             connections in memory that it had touched before, or may not accept one that says nothing \
             (TCP_DEFER_ACCEPT)."
                .to_owned(),
        );
    }
    notes.extend(caption.whiskers.map(str::to_owned));
    let picture = Rows {
        names: servers.iter().map(|(name, title)| label(name, title)).collect(),
        series: vec![
            ("silent: connected, has asked for nothing yet".to_owned(), Style::series(0)),
            ("served: answered once, kept".to_owned(), Style::series(1)),
        ],
        panels: vec![Panel {
            title: "Bytes of user memory per connection (fewer is better)".into(),
            axis: "bytes per connection (logarithmic scale)",
            log: true,
            marks: servers.iter().map(|(name, _)| cost_of(name).map_or_else(Vec::new, marks)).collect(),
            texts: servers.iter().map(|(name, _)| text(name)).collect(),
            room: 250,
            number: bytes,
        }],
        notes,
    };
    Ok(Some(source.chart("idle-memory.svg", title, picture.svg(&caption)?)))
}

fn marks(cost: &IdleCost) -> Vec<Mark> {
    let mark = |series: usize, estimate: &Estimate| Mark {
        series,
        value: estimate.median,
        interval: estimate.interval,
        // What is not above zero has no place on a logarithmic axis: it stands at the edge.
        look: if estimate.median > 0.0 { Look::Filled } else { Look::Hollow },
    };
    vec![mark(0, &cost.silent_bytes), mark(1, &cost.served_bytes)]
}

/// `silent 176 B, served 352 B`; how many connections, where it held fewer than the others.
fn text(cost: &IdleCost, most: usize) -> String {
    let fewer = if cost.connections < most { format!(" ({} only)", cost.connections) } else { String::new() };
    let [silent, served] = [cost.silent_bytes, cost.served_bytes].map(|estimate| bytes(estimate.median));
    format!("silent {silent}, served {served}{fewer}")
}

/// `352 B`, `8.4 kB`, `1.2 MB`: decimal, as the steps of the scale are.
fn bytes(value: f64) -> String {
    let (unit, name) = match value.abs() {
        small if small < 999.5 => (1.0, "B"),
        middle if middle < 999_500.0 => (1e3, "kB"),
        _ => (1e6, "MB"),
    };
    let amount = value / unit;
    let short = amount.abs() < 9.95 && unit > 1.0 && (amount - amount.round()).abs() >= 0.05;
    if short { format!("{amount:.1} {name}") } else { format!("{amount:.0} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_two_digits_or_three() {
        let texts = [0.0, 176.0, 352.4, 1000.0, 8420.0, 150_000.0, 8_600_000.0].map(bytes);
        assert_eq!(texts, ["0 B", "176 B", "352 B", "1 kB", "8.4 kB", "150 kB", "8.6 MB"]);
    }
}
