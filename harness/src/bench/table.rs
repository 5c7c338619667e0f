//! The short table that a run ends with.

use super::subject::FLOOR;
use crate::records::{Cell, Limiter, Pair, Record, cells, pairs as pairs_of};
use comfy_table::{CellAlignment, Table, presets};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Requests per second at the largest number of clients, a column per tool and kind of connection; then
/// the server's CPU time per request.
pub(super) fn table(records: &[Record]) -> String {
    let cells = cells(records);
    let Some(most) = cells.iter().map(|cell| cell.shape.concurrency).max() else { return String::new() };
    let at_most: Vec<&Cell> = cells.iter().filter(|cell| cell.shape.concurrency == most).collect();
    let columns: BTreeSet<(&str, bool)> =
        at_most.iter().map(|cell| (cell.shape.tool.as_str(), !cell.shape.keep_alive)).collect();
    let mut names: Vec<(&str, &str)> =
        at_most.iter().map(|cell| (cell.shape.stage.as_str(), cell.title.as_str())).collect();
    names.sort_by_key(|(name, _)| (*name != FLOOR, *name));
    names.dedup();

    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let header = columns.iter().map(|(tool, close)| {
        let kind = if *close { "close" } else { "keep-alive" };
        format!("{tool}\n{kind}\nrequests/s\nCPU µs")
    });
    table.set_header(["stage".to_owned()].into_iter().chain(header));
    for (name, title) in names {
        let mut row = vec![format!("{name}  {title}")];
        for &(tool, close) in &columns {
            let found = at_most.iter().find(|cell| {
                cell.shape.stage == name && cell.shape.tool == tool && cell.shape.keep_alive != close
            });
            row.push(found.map_or("–".into(), |cell| text(cell)));
        }
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!(
        "{most} clients; * the generator was the limit; n/{most}: only n of the clients were served\n{table}"
    )
}

/// What a request costs each server as a multiple of the floor, if that was measured.
pub(super) fn pairs(records: &[Record]) -> Option<String> {
    let mut pairs = pairs_of(records);
    pairs.sort_by_key(|pair| pair.stage != FLOOR);
    let floor = pairs.iter().find(|pair| pair.stage == FLOOR)?;
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["stage", "CPU per request ÷ floor", "interval", "against the floor itself"]);
    let interval =
        |pair: &Pair| pair.interval.map_or("–".into(), |(low, high)| format!("{low:.2} to {high:.2}"));
    for pair in &pairs {
        let verdict = match (pair.stage == FLOOR, pair.differs_from(floor), pair.ratio > floor.ratio) {
            (true, _, _) => "",
            (_, false, _) if pair.blocks < 5 => "too few blocks",
            (_, false, _) => "not distinguishable",
            (_, true, true) => "costs more",
            (_, true, false) => "costs less",
        };
        let name = format!("{}  {}", pair.stage, pair.title);
        table.add_row([name, format!("{:.2}", pair.ratio), interval(pair), verdict.to_owned()]);
    }
    Some(format!("each run between two runs of the floor, {} blocks\n{table}", floor.blocks))
}

fn text(cell: &Cell) -> String {
    let mut text = format!("{:.0}", cell.requests_per_second);
    if cell.starves_clients() {
        let _ = write!(text, " {}/{}", cell.clients_served, cell.shape.concurrency);
    } else if cell.limiter == Limiter::Generator {
        text.push_str(" *");
    }
    if cell.errors > 0 {
        let _ = write!(text, ", {} errors", cell.errors);
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
