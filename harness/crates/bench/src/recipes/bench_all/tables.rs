//! The short tables that a run ends with: speed, CPU time against the floor, waiting, memory.

use crate::recipes::grid::{grid, left};
use lab_core::units::{bytes, count, number, ratio, time};
use records::{
    Bottleneck, Cell, FLOOR, LatencyPoint, Pair, Record, cells, idle as idle_of, label, latencies, order,
    pairs as pairs_of,
};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Requests per second at the largest number of clients, a column per tool and kind of connection; then
/// the server's CPU time per request. `None` without a survey.
pub(super) fn speeds(records: &[Record]) -> Option<String> {
    let cells = cells(records);
    let most = cells.iter().map(|cell| cell.shape.concurrency).max()?;
    let at_most: Vec<&Cell> = cells.iter().filter(|cell| cell.shape.concurrency == most).collect();
    let columns: BTreeSet<(&str, bool)> =
        at_most.iter().map(|cell| (cell.shape.tool.as_str(), !cell.shape.keep_alive)).collect();
    let mut names: Vec<(&str, &str)> =
        at_most.iter().map(|cell| (cell.shape.stage.as_str(), cell.title.as_str())).collect();
    names.sort_by_key(|(name, _)| order(name));
    names.dedup();

    // Of a server that is not ours no CPU time is known.
    let has_cost = at_most.iter().any(|cell| cell.cpu_us_per_request.is_some());
    let header = columns.iter().map(|(tool, close)| {
        let kind = if *close { "close" } else { "keep-alive" };
        let cost = if has_cost { "\nCPU µs/request" } else { "" };
        format!("{tool}\n{kind}\nrequests/s{cost}")
    });
    let mut table = grid(["server".to_owned()].into_iter().chain(header));
    for (name, title) in names {
        let mut row = vec![label(name, title)];
        for &(tool, close) in &columns {
            let found = at_most.iter().find(|cell| {
                cell.shape.stage == name && cell.shape.tool == tool && cell.shape.keep_alive != close
            });
            row.push(found.map_or("–".into(), |cell| text(cell)));
        }
        table.add_row(row);
    }
    let mut lines = vec![count(most, "client")];
    if at_most.iter().any(|cell| cell.interval.is_some()) {
        lines.push(
            "the median of the rounds; below it how far the rounds lie apart (from five on: how sure the median is)"
                .into(),
        );
    }
    let has = |limiter| at_most.iter().any(|cell| cell.limiter == limiter);
    if has(Bottleneck::Generator) {
        lines.push("* the generator was the limit in most rounds: the server could do more".into());
    }
    if at_most.iter().any(|cell| cell.disturbed > 0) {
        lines.push("~ other programs disturbed a round or more: see below".into());
    }
    if at_most.iter().any(|cell| cell.starves_clients()) {
        lines.push(format!("n/{most}: only n of the clients were served"));
    }
    Some(format!("{}\n{}", lines.join("\n"), table))
}

/// What a request costs each server as a multiple of the floor, if that was measured.
pub(super) fn pairs(records: &[Record]) -> Option<String> {
    let mut pairs = pairs_of(records);
    pairs.sort_by(|one, other| order(&one.stage).cmp(&order(&other.stage)));
    let floor = pairs.iter().find(|pair| pair.stage == FLOOR)?;
    let mut table = left(["server", "CPU per request ÷ floor", "interval", "against the floor itself"]);
    let interval =
        |pair: &Pair| pair.interval.map_or("–".into(), |(low, high)| format!("{low:.2} to {high:.2}"));
    for pair in &pairs {
        let costs = if pair.ratio > floor.ratio { "costs more" } else { "costs less" };
        let verdict = pair.verdict(floor).unwrap_or(costs);
        let name = label(&pair.stage, &pair.title);
        table.add_row([name, ratio(pair.ratio), interval(pair), verdict.to_owned()]);
    }
    Some(format!("each run between two runs of the floor, {}\n{table}", count(floor.blocks, "round")))
}

/// How long requests wait in an open loop, a column for each share of the peak.
pub(super) fn waits(records: &[Record]) -> Option<String> {
    let mut curves = latencies(records);
    curves.sort_by(|one, other| order(&one.stage).cmp(&order(&other.stage)));
    let per_cent = |point: &LatencyPoint| (100.0 * point.share_of_peak).round() as u32;
    let shares: BTreeSet<u32> = curves.iter().flat_map(|curve| &curve.points).map(per_cent).collect();
    shares.first()?;
    let header = shares.iter().map(|share| format!("at {share} %\nhalf / 99 of 100"));
    let mut table = grid(["server".to_owned(), "peak\nrequests/s".to_owned()].into_iter().chain(header));
    for curve in &curves {
        let peaks: Vec<f64> = curve.points.iter().map(|point| point.rate / point.share_of_peak).collect();
        let peak = lab_core::stats::median(&peaks).map_or("–".into(), number);
        let mut row = vec![label(&curve.stage, &curve.title), peak];
        for share in &shares {
            let found = curve.points.iter().find(|point| per_cent(point) == *share);
            row.push(found.map_or("–".into(), wait));
        }
        table.add_row(row);
    }
    Some(format!(
        "how long requests wait in an open loop, at shares of the peak that a closed loop of the same generator found\n{}",
        table
    ))
}

fn wait(point: &LatencyPoint) -> String {
    if point.reached {
        format!("{} / {}", time(point.p50.median), time(point.p99.median))
    } else {
        format!("rate not reached\n{} of {}/s", number(point.answered), number(point.rate))
    }
}

/// What a connection that says nothing costs.
pub(super) fn memory(records: &[Record]) -> Option<String> {
    let mut costs = idle_of(records);
    costs.sort_by(|one, other| order(&one.stage).cmp(&order(&other.stage)));
    let connections = costs.first()?.connections;
    let mut table = grid(["server", "silent", "once served"]);
    for cost in &costs {
        let [silent, served] = [cost.silent_bytes, cost.served_bytes].map(|bytes_of| bytes(bytes_of.median));
        table.add_row([label(&cost.stage, &cost.title), silent, served]);
    }
    Some(format!(
        "memory of each of {} idle connections, in the server's processes; the kernel's own is not in it, and 0 B is \
         memory that the server had before\n{}",
        number(connections as f64),
        table
    ))
}

fn text(cell: &Cell) -> String {
    let mut text = number(cell.requests_per_second);
    if cell.starves_clients() {
        let _ = write!(text, " {}/{}", cell.clients_served, cell.shape.concurrency);
    } else if cell.limiter == Bottleneck::Generator {
        text.push_str(" *");
    }
    if cell.disturbed > 0 {
        text.push_str(" ~");
    }
    if cell.errors > 0 {
        let _ = write!(text, ", {} errors", number(cell.errors as f64));
    }
    if let Some((low, high)) = cell.interval {
        let _ = write!(text, "\n{} to {}", number(low), number(high));
    }
    if let Some(cost) = cell.cpu_us_per_request {
        let _ = write!(text, "\n{}", significant(cost));
    }
    text
}

/// Three digits that mean something: 0.757, 6.42, 17.2, 349.
fn significant(value: f64) -> String {
    let digits = match value {
        v if v < 1.0 => 3,
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_core::stats::Percentiles;
    use records::sample::{self, record};
    use records::{Idle, OpenLoop};

    fn open(stage: &str, answered: f64) -> Record {
        let latency_us =
            Percentiles { p50: 300_031, p90: 400_000, p99: 594_431, p99_9: 600_000, max: 600_000 };
        let open_loop =
            OpenLoop { rate: 50_000.0, share_of_peak: Some(0.5), latency_us, late: 0, never_sent: 9 };
        sample::open(record(stage, "builtin", 64, true, answered), open_loop)
    }

    /// The times of a loop that fell behind are those of the run's length, not of the server.
    #[test]
    fn a_rate_that_was_not_reached_has_no_latency() {
        let text = waits(&[open("05", 0.0), open("04", 49_000.0)]).expect("two curves");
        assert!(text.contains("rate not reached") && text.contains("0 of 50,000/s"), "{text}");
        assert_eq!(text.matches("300 ms / 594 ms").count(), 1, "{text}");
        assert!(text.contains("100,000"), "the peak: {text}");
    }

    #[test]
    fn rounds_that_disagree_show_it_and_a_disturbed_one_is_marked() {
        let mut records = [record("05", "wrk", 64, true, 133_556.0), record("05", "wrk", 64, true, 15_180.0)];
        records[1].figures_mut().expect("measured").other_cpu_seconds = Some(0.5);
        let text = speeds(&records).expect("a cell");
        for part in ["74,368 ~", "15,180 to 133,556", "~ other programs"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("* the generator"), "{text}");
        assert_eq!(speeds(&[open("05", 1.0)]), None, "no survey, no table");
    }

    #[test]
    fn silent_connections_have_their_table_and_a_reference_its_name_once() {
        let idle = Idle { connections: 1000, silent_bytes: 0.0, served_bytes: 122_969.0 };
        let mut silent = sample::idle(record("h2o", "connections", 1000, true, 1.0), idle);
        silent.key.title = "h2o 2.2.5".into();
        let text = memory(&[silent]).expect("measured");
        assert!(text.contains("0 B") && text.contains("123 kB") && text.contains("1,000 idle"), "{text}");
        assert_eq!(text.matches("h2o").count(), 1, "{text}");
    }
}
