//! Seed 002's table, done again beside what the seed published: the shape is the point, since the machines differ.

mod panel;
mod published;

use super::caption::{Caption, counts, not_measured};
use super::source::{Chart, Source};
use super::style::{Look, Style};
use super::text;
use anyhow::Result;
use lab_core::units::count;
use published::{CLIENTS, PUBLISHED};
use records::{Limiter, Phase, Record, SeedCell, SeedPoint, SeedRow, SeedTable, seed_table};
use std::collections::BTreeSet;

/// One row of a table.
struct Line {
    name: String,
    style: Style,
    /// A stretch ends where a number of clients has no figures.
    stretches: Vec<Vec<Point>>,
}

/// Pages per minute with some number of clients.
struct Point {
    clients: usize,
    pages: f64,
    interval: Option<(f64, f64)>,
    look: Look,
}

impl Line {
    fn points(&self) -> impl Iterator<Item = &Point> {
        self.stretches.iter().flatten()
    }
}

/// Both tables, side by side.
pub(super) fn chart(records: &[Record], source: &Source) -> Result<Option<Chart>> {
    let table = seed_table(records);
    let (Some(least), Some(most)) = (table.clients.first(), table.clients.last()) else { return Ok(None) };
    let its_records: Vec<&Record> =
        records.iter().filter(|record| record.phase == Phase::Table && !record.dropped).collect();
    let clients = match least < most {
        true => [least, most].map(|&clients| text::number(clients as f64)).join(" to ") + " clients",
        false => count(*most, "client"),
    };
    let title = format!("Seed 002's table, done again: webbench with {clients}");
    let mut caption = Caption::new(title.clone(), &its_records, source);
    caption.wrap(panel::WIDTH, 4);
    let ours = ours(&table);
    let mut notes = notes(&table, &ours, &caption);
    notes.extend(missing(&table, &its_records));
    let here = match backlog(&its_records) {
        Some(backlog) => format!("Measured here, with a backlog of {backlog}"),
        None => "Measured here".to_owned(),
    };
    let svg = panel::svg(&ours, &here, &theirs(), &notes, &caption)?;
    Ok(Some(source.chart("seed-table.svg", title, svg)))
}

fn theirs() -> Vec<Line> {
    let line = |(at, (name, pages)): (usize, (&str, [u32; 13]))| {
        let point = |(clients, pages): (usize, u32)| Point {
            clients,
            pages: pages.into(),
            interval: None,
            look: Look::Filled,
        };
        let points = CLIENTS.into_iter().zip(pages).map(point).collect();
        Line { name: name.to_owned(), style: Style::series(at), stretches: vec![points] }
    };
    PUBLISHED.into_iter().enumerate().map(line).collect()
}

/// The seed's rows in its order.
fn ours(table: &SeedTable) -> Vec<Line> {
    let line = |(at, (name, _)): (usize, (&str, [u32; 13]))| {
        let cells = row_of(table, name).map_or(&[][..], |row| &row.cells);
        let cells: Vec<_> = table.clients.iter().zip(cells).collect();
        let stretches = cells.split(|(_, cell)| !matches!(cell, Some(SeedCell::Measured(_))));
        let stretches = stretches.map(|stretch| stretch.iter().filter_map(point).collect::<Vec<Point>>());
        let stretches = stretches.filter(|stretch| !stretch.is_empty()).collect();
        Line { name: name.to_owned(), style: Style::series(at), stretches }
    };
    PUBLISHED.into_iter().enumerate().map(line).collect()
}

fn row_of<'a>(table: &'a SeedTable, name: &str) -> Option<&'a SeedRow> {
    table.rows.iter().find(|row| row.title == name)
}

fn point((clients, cell): &(&usize, &Option<SeedCell>)) -> Option<Point> {
    let Some(SeedCell::Measured(point)) = cell else { return None };
    Some(Point {
        clients: **clients,
        pages: point.pages_per_minute.median,
        interval: point.pages_per_minute.interval,
        look: look(point),
    })
}

fn look(point: &SeedPoint) -> Look {
    match point.limiter {
        _ if point.pages_per_minute.median <= 0.0 => Look::Cross,
        Limiter::Generator => Look::Hollow,
        _ => Look::Filled,
    }
}

/// What the servers were told, as the records have it: `--backlog 5 --workers 2`.
fn backlog(records: &[&Record]) -> Option<String> {
    let of = |record: &&Record| {
        let mut words = record.configuration.as_deref()?.split_whitespace();
        words.find(|word| *word == "--backlog")?;
        words.next()?.parse::<u32>().ok()
    };
    let all: BTreeSet<u32> = records.iter().filter_map(of).collect();
    let all: Vec<String> = all.into_iter().map(|backlog| text::number(backlog.into())).collect();
    (!all.is_empty()).then(|| all.join(" or "))
}

/// The rows and the cells without figures.
fn missing(table: &SeedTable, records: &[&Record]) -> Vec<String> {
    let rows = PUBLISHED.iter().filter_map(|(name, _)| Some((*name, lacks(row_of(table, name))?)));
    let rows: Vec<(&str, &str)> = rows.collect();
    let is_in_rows = |title: &str| rows.iter().any(|(name, _)| *name == title);
    let mut notes = Vec::new();
    if !rows.is_empty() {
        let rows: Vec<String> = rows.iter().map(|(name, reason)| format!("{name}: {reason}")).collect();
        notes.push(format!("Missing: {}.", rows.join("; ")));
    }
    let others: Vec<&Record> = records.iter().copied().filter(|record| !is_in_rows(&record.title)).collect();
    notes.extend(not_measured(&others));
    for row in table.rows.iter().filter(|row| !is_in_rows(&row.title)) {
        let none = table.clients.iter().zip(&row.cells).filter(|(_, cell)| cell.is_none());
        let none: Vec<usize> = none.map(|(clients, _)| *clients).collect();
        if !none.is_empty() {
            notes.push(format!("Not measured yet: {} with {}.", row.title, counts(&none, "client")));
        }
    }
    notes
}

/// Why a whole row has no figures, if there is one reason for all of it.
fn lacks(row: Option<&SeedRow>) -> Option<&str> {
    // The plan has every row, and a record even of one that cannot be measured.
    let Some(row) = row else { return Some("not measured yet") };
    let first = row.skipped()?;
    let differs = |cell: &SeedCell| !matches!(cell, SeedCell::Skipped(reason) if reason == first);
    (!row.cells.iter().flatten().any(differs)).then_some(first)
}

fn notes(table: &SeedTable, ours: &[Line], caption: &Caption) -> Vec<String> {
    let mut notes = vec![
        "Seed 002 is one of the texts that this lab grew from: notes on a small multi-process web server, with a table \
         of a serial server, one process and two processes under 1 to 3,000 clients. Here the stages that work in the same \
         way are put to the same test."
            .to_owned(),
        "Compare the shapes, not the heights: the machines differ. Both pictures have the same logarithmic scale. \
         webbench's unit is pages per minute; the failed ones are taken out here, while the seed's figures are webbench's \
         own. The seed's server was alone on one core, with a backlog of 5, and webbench on another machine."
            .to_owned(),
    ];
    let points = || {
        table.rows.iter().flat_map(|row| {
            let measured = table.clients.iter().zip(&row.cells).filter_map(|(clients, cell)| match cell {
                Some(SeedCell::Measured(point)) => Some((*clients, point)),
                _ => None,
            });
            measured.map(move |(clients, point)| (row.title.as_str(), clients, point))
        })
    };
    for (name, _) in PUBLISHED {
        let full = points().filter(|(title, _, point)| *title == name && is_full(point));
        if let Some(first) = full.map(|(_, clients, _)| clients).min() {
            notes.push(format!(
                "{name}: the accept queue was full at times (clients at once: {first} or more)."
            ));
        }
    }
    let mut signs = Vec::new();
    if points().any(|(_, _, point)| look(point) == Look::Hollow) {
        signs.push("Hollow: webbench was the limit, the server could do more.");
    }
    if points().any(|(_, _, point)| look(point) == Look::Cross) {
        signs.push("Cross: no page at all in half of the rounds or more.");
    }
    if panel::reaches_zero(ours) {
        signs.push("The line of 0 lies apart from the others, since a logarithmic axis has none.");
    }
    if ours.iter().any(|line| line.stretches.len() > 1) {
        signs.push("A gap in a line: not measured.");
    }
    signs.extend(caption.whiskers);
    notes.push(signs.join(" "));
    let errors: u64 = points().map(|(_, _, point)| point.errors).sum();
    if errors > 0 {
        notes.push(format!("{} requests failed; they are not in the figures.", text::number(errors as f64)));
    }
    notes
}

/// Whether the kernel found the accept queue full.
fn is_full(point: &SeedPoint) -> bool {
    point.listen_overflows_per_second.is_some_and(|overflows| overflows > 0.0)
}
