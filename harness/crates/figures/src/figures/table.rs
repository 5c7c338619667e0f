//! Source 002's table, done again beside what the source published: the shape is the point, since the
//! machines differ.

use super::data::{Data, limit, signs};
use crate::model::{
    Axis, Choice, Figure, Look, Measure, Plot, Point, Points, Scale, Series, Show, Style, Unit, counts,
};
use anyhow::Result;
use lab_core::stats::Estimate;
use lab_core::units::count;
use records::{Kind, Phase, Record, Table, TableCell, TablePoint, TableRow};
use std::collections::BTreeSet;

/// webbench's unit is a page per minute, ours a right answer per second.
const SECONDS_PER_MINUTE: f64 = 60.0;

/// The numbers of clients of the source.
const CLIENTS: [usize; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 2500, 3000];

/// What the source's author measured: webbench -t 30, the server on one single-core machine and webbench on
/// another, a backlog of 5; pages per minute. From source 002, version history, v0.0, test 1.
#[rustfmt::skip]
const PUBLISHED: [(&str, [u32; 13]); 3] = [
    ("serial", [
        69_324, 115_092, 123_714, 30_444, 36_618, 25_284, 25_110, 31_890, 19_554, 19_368, 24_042, 31_104, 27_654,
    ]),
    ("1 process", [
        57_846, 78_360, 98_400, 97_386, 84_024, 85_140, 97_662, 96_924, 93_600, 92_520, 94_212, 92_124, 91_548,
    ]),
    ("2 processes", [
        68_556, 94_242, 103_566, 99_018, 100_194, 105_462, 97_344, 102_924, 98_052, 109_104, 111_108, 114_114,
        114_900,
    ]),
];

/// Both tables.
pub(super) fn build(data: &Data) -> Result<Vec<Figure>> {
    let (table, records) = (records::table(&data.records), data.of_phase(Phase::Table));
    let (Some(least), Some(most)) = (table.clients.first(), table.clients.last()) else {
        return Ok(Vec::new());
    };
    let clients = match least < most {
        true => [least, most].map(|&clients| Unit::Count.text(clients as f64)).join(" to ") + " clients",
        false => count(*most, "client"),
    };
    let title = format!("Source 002's table, done again: webbench with {clients}");
    let mut figure = data.figure("table", title, &records);
    let mut points = empty(&records);
    for (at, (name, pages)) in PUBLISHED.iter().enumerate() {
        let row = row_of(&table, name);
        points.series.push(series(at, name, row.map_or("", |row| row.stage.as_str())));
        points.points.extend(
            row.map_or_else(Vec::new, |row| ours(data, row, &table.clients, points.series.len() - 1)),
        );
        points.series.push(series(at, name, ""));
        points.points.extend(theirs(pages, points.series.len() - 1));
    }
    let is_whole_row = |title: &str| {
        PUBLISHED.iter().any(|(name, _)| *name == title && lacks(row_of(&table, name)).is_some())
    };
    let others: Vec<&Record> =
        records.iter().copied().filter(|record| !is_whole_row(&record.key.title)).collect();
    points.gaps = data.gaps(&others, |_| Some(vec![0]));
    figure.about = "Source 002 is one of the texts that this lab grew from: a web server that a fellow \
                    learner wrote step by step. Its author published this table of a serial server, one \
                    process and two processes under 1 to 3,000 clients, made with webbench on two \
                    single-core machines and an accept queue of five, and asked why the serial server drops \
                    at ten clients. Here the stages that work in the same way are put to the same test."
        .into();
    figure.notes = notes(&table, &points);
    figure.plot = Plot::Points(points);
    Ok(vec![figure])
}

/// The axes of both, without points.
fn empty(records: &[&Record]) -> Points {
    let here = match backlog(records) {
        Some(backlog) => format!("Measured here, with a backlog of {backlog}"),
        None => "Measured here".to_owned(),
    };
    let pages = Axis {
        label: "pages per minute".into(),
        scale: Scale::Log,
        also: Some(("requests per second".into(), 1.0 / SECONDS_PER_MINUTE)),
        ..Axis::default()
    };
    let clients = "clients at once (each makes a connection for each page)";
    Points {
        x: Some(Axis { label: clients.into(), scale: Scale::Log, ..Axis::default() }),
        measures: vec![Measure { axis: pages, ..Measure::new("pages/min", "", Unit::Count, Scale::Log) }],
        choices: vec![Choice {
            id: "where".into(),
            label: "Where".into(),
            options: ["here", "published"].map(String::from).into(),
            says: vec![here, "Published in source 002 (its test 1; another machine)".into()],
            show: Show::Beside,
        }],
        ..Points::default()
    }
}

fn series(at: usize, name: &str, stage: &str) -> Series {
    let style = Style::series(at);
    Series { server: stage.into(), label: name.into(), kind: Kind::Stage, style, remark: None }
}

fn row_of<'a>(table: &'a Table, name: &str) -> Option<&'a TableRow> {
    table.rows.iter().find(|row| row.title == name)
}

fn theirs(pages: &[u32; 13], series: usize) -> impl Iterator<Item = Point> {
    let points = CLIENTS.into_iter().zip(*pages).map(move |(clients, pages)| {
        let estimate = Estimate { median: pages.into(), interval: None };
        Point::new(series, clients as f64, estimate, Vec::new())
    });
    points.map(|point| Point { options: vec![1], note: Some("published".into()), ..point })
}

fn ours(data: &Data, row: &TableRow, clients: &[usize], series: usize) -> Vec<Point> {
    let measured = clients.iter().zip(&row.cells).filter_map(|(&clients, cell)| match cell {
        Some(TableCell::Measured(point)) => Some((clients, point)),
        _ => None,
    });
    let point = |(clients, at): (usize, &TablePoint)| {
        let rounds = data.rounds(|record| {
            let is_of_row = record.key.phase == Phase::Table
                && record.key.server == row.stage
                && record.key.title == row.title;
            let figures = record.figures().filter(|_| is_of_row && record.key.concurrency == clients)?;
            Some(figures.requests_per_second * SECONDS_PER_MINUTE)
        });
        let (look, mut note) = limit(at.limiter, clients, clients);
        let look = if at.pages_per_minute.median <= 0.0 { Look::Cross } else { look };
        if is_full(at) {
            note += "; the accept queue was full at times";
        }
        if at.errors > 0 {
            note += &format!("; {} errors in all rounds, not counted as pages", at.errors);
        }
        let point = Point::new(series, clients as f64, at.pages_per_minute, rounds);
        Point { options: vec![0], look, note: Some(note), ..point }
    };
    measured.map(point).collect()
}

/// What the servers were told, as the records have it: `--backlog 5 --workers 2`.
fn backlog(records: &[&Record]) -> Option<String> {
    let of = |record: &&Record| {
        let mut words = record.context.configuration.as_deref()?.split_whitespace();
        words.find(|word| *word == "--backlog")?;
        words.next()?.parse::<u32>().ok()
    };
    let all: BTreeSet<u32> = records.iter().filter_map(of).collect();
    let all: Vec<String> = all.into_iter().map(|backlog| Unit::Count.text(backlog.into())).collect();
    (!all.is_empty()).then(|| all.join(" or "))
}

/// Why a whole row has no figures, if there is one reason for all of it.
fn lacks(row: Option<&TableRow>) -> Option<&str> {
    // The plan has every row, and a record even of one that cannot be measured.
    let Some(row) = row else { return Some("not measured yet") };
    let first = row.skipped()?;
    let differs = |cell: &TableCell| !matches!(cell, TableCell::Skipped(reason) if reason == first);
    (!row.cells.iter().flatten().any(differs)).then_some(first)
}

fn notes(table: &Table, points: &Points) -> Vec<String> {
    let mut notes = vec![
        "Compare the shapes, not the heights: the machines differ. Both pictures have the same logarithmic \
         scale. webbench's unit is pages per minute; the failed ones are taken out here, while the source's \
         figures are webbench's own. The source's server was alone on one core, with a backlog of 5, and \
         webbench on another machine."
            .to_owned(),
    ];
    notes.extend(PUBLISHED.iter().filter_map(|(name, _)| full(table, name)));
    let mut words = vec![signs(
        points,
        &[
            (Look::Hollow, "Hollow: webbench was the limit, the server could do more."),
            (Look::Cross, "Cross: no page at all in half of the rounds or more."),
        ],
    )];
    if points.points.iter().flat_map(Point::ends).any(|pages| pages <= 0.0) {
        words.push("The line of 0 lies apart from the others, since a logarithmic axis has none.".into());
    }
    if !points.gaps.is_empty() {
        words.push("A gap in a line: not measured.".into());
    }
    notes.push(words.join(" ").trim().to_owned());
    let errors: u64 = measured(table).map(|(_, _, point)| point.errors).sum();
    if errors > 0 {
        let errors = Unit::Count.text(errors as f64);
        notes.push(format!("{errors} requests failed; they are not in the figures."));
    }
    notes.extend(missing(table));
    notes
}

fn measured(table: &Table) -> impl Iterator<Item = (&str, usize, &TablePoint)> {
    table.rows.iter().flat_map(|row| {
        let cells = table.clients.iter().zip(&row.cells).filter_map(|(clients, cell)| match cell {
            Some(TableCell::Measured(point)) => Some((*clients, point)),
            _ => None,
        });
        cells.map(move |(clients, point)| (row.title.as_str(), clients, point))
    })
}

/// From how many clients on the kernel found the accept queue full.
fn full(table: &Table, name: &str) -> Option<String> {
    let full = measured(table).filter(|(title, _, point)| *title == name && is_full(point));
    let first = full.map(|(_, clients, _)| clients).min()?;
    Some(format!("{name}: the accept queue was full at times (clients at once: {first} or more)."))
}

fn is_full(point: &TablePoint) -> bool {
    point.listen_overflows_per_second.is_some_and(|overflows| overflows > 0.0)
}

/// The rows without figures, and what an interrupted run has not tried.
fn missing(table: &Table) -> Vec<String> {
    let rows = PUBLISHED.iter().filter_map(|(name, _)| Some((*name, lacks(row_of(table, name))?)));
    let rows: Vec<(&str, &str)> = rows.collect();
    let mut notes = Vec::new();
    if !rows.is_empty() {
        let rows: Vec<String> = rows.iter().map(|(name, reason)| format!("{name}: {reason}")).collect();
        notes.push(format!("Missing: {}.", rows.join("; ")));
    }
    let is_missing = |row: &&TableRow| !rows.iter().any(|(name, _)| *name == row.title);
    for row in table.rows.iter().filter(is_missing) {
        let none = table.clients.iter().zip(&row.cells).filter(|(_, cell)| cell.is_none());
        let none: Vec<usize> = none.map(|(clients, _)| *clients).collect();
        if !none.is_empty() {
            notes.push(format!("Not measured yet: {} with {}.", row.title, counts(&none, "client")));
        }
    }
    notes
}
