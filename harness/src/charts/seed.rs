//! Seed 002's table, done again beside what the seed published: the shape is the point, since the machines differ.

use super::caption::Caption;
use super::scale::Scale;
use super::source::{Chart, Source};
use super::style::{Area, Drawn, GREY, Look, Style, draw};
use super::text::{self, DARK, MARGIN, NORMAL, SMALL};
use crate::records::{Limiter, Phase, Record, SeedCell, SeedPoint, SeedTable, seed_table};
use anyhow::Result;
use plotters::prelude::*;

const WIDTH: i32 = 1240;
const TOP: i32 = 212;
/// Above a panel.
const LEGEND: i32 = TOP - 42;
const PLOT: i32 = 360;
/// For the labels left and right of a panel.
const LABELS: i32 = 96;

/// webbench's unit is a page per minute.
const PER_MINUTE: f64 = 60.0;

/// The numbers of clients of the seed.
const CLIENTS: [usize; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 2500, 3000];

/// What the seed's author measured: webbench -t 30, the server on one single-core machine and webbench on another,
/// a backlog of 5; pages per minute. Source: seed 002, version history, v0.0, test 1.
const PUBLISHED: [(&str, [u32; 13]); 3] = [
    (
        "serial",
        [
            69_324, 115_092, 123_714, 30_444, 36_618, 25_284, 25_110, 31_890, 19_554, 19_368, 24_042, 31_104,
            27_654,
        ],
    ),
    (
        "1 process",
        [
            57_846, 78_360, 98_400, 97_386, 84_024, 85_140, 97_662, 96_924, 93_600, 92_520, 94_212, 92_124,
            91_548,
        ],
    ),
    (
        "2 processes",
        [
            68_556, 94_242, 103_566, 99_018, 100_194, 105_462, 97_344, 102_924, 98_052, 109_104, 111_108,
            114_114, 114_900,
        ],
    ),
];

/// What a row lacks that is not in the table at all.
const UNNAMED: &str = "needs stage 09";

/// One row of a table.
struct Line {
    name: String,
    style: Style,
    points: Vec<Point>,
    /// Why there are none.
    missing: Option<String>,
}

/// Pages per minute with some number of clients.
struct Point {
    clients: usize,
    pages: f64,
    interval: Option<(f64, f64)>,
    look: Look,
}

/// Both tables, side by side.
pub(super) fn chart(records: &[Record], source: &Source) -> Result<Option<Chart>> {
    let table = seed_table(records);
    if table.is_empty() {
        return Ok(None);
    }
    let its_records: Vec<&Record> =
        records.iter().filter(|record| record.phase == Phase::Table && !record.dropped).collect();
    let title = "Seed 002's table, done again: webbench with 1 to 3,000 clients".to_owned();
    let caption = Caption::new(title.clone(), &its_records, source);
    let ours = ours(&table);
    let mut notes = notes(&table, &caption);
    let missing = ours.iter().filter_map(|line| Some(format!("{}: {}", line.name, line.missing.as_ref()?)));
    let missing: Vec<String> = missing.collect();
    if !missing.is_empty() {
        notes.push(format!("Missing: {}.", missing.join("; ")));
    }
    let svg = svg(&ours, &theirs(), &notes, &caption)?;
    Ok(Some(source.chart("seed-table.svg", title, svg)))
}

fn theirs() -> Vec<Line> {
    let line = |(at, (name, pages)): (usize, (&str, [u32; 13]))| Line {
        name: name.to_owned(),
        style: Style::series(at),
        points: CLIENTS
            .into_iter()
            .zip(pages)
            .map(|(clients, pages)| Point {
                clients,
                pages: pages.into(),
                interval: None,
                look: Look::Filled,
            })
            .collect(),
        missing: None,
    };
    PUBLISHED.into_iter().enumerate().map(line).collect()
}

/// The seed's rows in its order; one that the table lacks is missing as well.
fn ours(table: &SeedTable) -> Vec<Line> {
    let line = |(at, (name, _)): (usize, (&str, [u32; 13]))| {
        let row = table.rows.iter().find(|row| row.title == name);
        let cells = row.map_or(&[][..], |row| &row.cells);
        let point = |(&clients, cell): (&usize, &Option<SeedCell>)| match cell {
            Some(SeedCell::Measured(point)) => Some(Point {
                clients,
                pages: point.pages_per_minute.median,
                interval: point.pages_per_minute.interval,
                look: look(point),
            }),
            _ => None,
        };
        let points: Vec<Point> = table.clients.iter().zip(cells).filter_map(point).collect();
        let reason = row.and_then(|row| row.skipped()).unwrap_or(UNNAMED);
        let missing = points.is_empty().then(|| reason.to_owned());
        Line { name: name.to_owned(), style: Style::series(at), points, missing }
    };
    PUBLISHED.into_iter().enumerate().map(line).collect()
}

fn look(point: &SeedPoint) -> Look {
    if point.limiter == Limiter::Generator { Look::Hollow } else { Look::Filled }
}

fn svg(ours: &[Line], theirs: &[Line], notes: &[String], caption: &Caption) -> Result<String> {
    let notes = text::wrap_all(notes, SMALL, WIDTH - 2 * MARGIN);
    let bottom = TOP + PLOT;
    let height = bottom + 84 + 22 * notes.len() as i32;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
        root.fill(&WHITE)?;
        text::header(&root, &caption.title, &caption.lines)?;
        let half = WIDTH / 2;
        let y = speeds(ours.iter().chain(theirs));
        panel(&root, ours, &y, "Measured here", (LABELS, half - LABELS))?;
        let title = "Published in seed 002 (its test 1; another machine)";
        panel(&root, theirs, &y, title, (half + LABELS, WIDTH - LABELS))?;
        for (at, line) in notes.iter().enumerate() {
            text::write(&root, line, SMALL, (MARGIN, bottom + 76 + 22 * at as i32), DARK, false)?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// The same for both panels, and logarithmic: the machines differ by a factor, and a factor has the same height everywhere.
fn speeds<'a>(lines: impl Iterator<Item = &'a Line>) -> Scale {
    let values = lines.flat_map(|line| &line.points);
    let ends = values.flat_map(|point| point.interval.map_or([point.pages; 2], <[f64; 2]>::from));
    Scale::log(ends.map(|pages| pages / PER_MINUTE), (TOP + PLOT, TOP))
}

fn panel(root: &Area, lines: &[Line], y: &Scale, title: &str, (left, right): (i32, i32)) -> Drawn {
    let bottom = TOP + PLOT;
    let points = || lines.iter().flat_map(|line| &line.points);
    let clients = CLIENTS.iter().copied().chain(points().map(|point| point.clients));
    let x = Scale::log(clients.map(|clients| clients as f64), (left, right));
    text::write(root, title, NORMAL, (left, LEGEND - 28), BLACK, false)?;
    legend(root, lines, left)?;
    text::write(root, "pages per minute", SMALL, (left, TOP - 16), DARK, false)?;
    text::write(root, "requests per second", SMALL, (right, TOP - 16), DARK, true)?;
    // Round numbers of requests per second are round numbers of pages per minute too, but not the other way round.
    for tick in y.ticks(9) {
        let at = y.pixel(tick);
        draw(root, PathElement::new(vec![(left, at), (right, at)], GREY.mix(0.35).stroke_width(1)))?;
        text::write(root, &text::number(PER_MINUTE * tick), SMALL, (left - 8, at), BLACK, true)?;
        text::write(root, &text::number(tick), SMALL, (right + 8, at), BLACK, false)?;
    }
    // The decades and the last: the others would touch each other.
    for clients in [1, 10, 100, 1000, 3000] {
        let at = x.pixel(f64::from(clients));
        draw(root, PathElement::new(vec![(at, TOP), (at, bottom)], GREY.mix(0.2).stroke_width(1)))?;
        text::centred(root, &text::number(f64::from(clients)), SMALL, (at, bottom + 14), BLACK)?;
    }
    text::write(
        root,
        "clients at once (each makes a connection for each page)",
        NORMAL,
        (left, bottom + 40),
        BLACK,
        false,
    )?;
    for line in lines {
        let at = |point: &Point| (x.pixel(point.clients as f64), y.pixel(point.pages / PER_MINUTE));
        line.style.line(root, &line.points.iter().map(at).collect::<Vec<_>>())?;
        for point in &line.points {
            let place = at(point);
            if let Some((low, high)) = point.interval {
                let ends = vec![(place.0, y.pixel(low / PER_MINUTE)), (place.0, y.pixel(high / PER_MINUTE))];
                draw(root, PathElement::new(ends, line.style.colour.stroke_width(2)))?;
            }
            line.style.mark(root, place, point.look)?;
        }
    }
    Ok(())
}

/// The lines that are in the panel.
fn legend(root: &Area, lines: &[Line], left: i32) -> Drawn {
    let mut x = left;
    for line in lines.iter().filter(|line| !line.points.is_empty()) {
        line.style.line(root, &[(x, LEGEND), (x + 44, LEGEND)])?;
        line.style.mark(root, (x + 22, LEGEND), Look::Filled)?;
        text::write(root, &line.name, SMALL, (x + 52, LEGEND), BLACK, false)?;
        x += 52 + text::width(&line.name, SMALL) + 18;
    }
    Ok(())
}

fn notes(table: &SeedTable, caption: &Caption) -> Vec<String> {
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
    signs.extend(caption.whiskers);
    notes.push(signs.join(" "));
    notes
}

/// Whether the kernel found the accept queue full.
fn is_full(point: &SeedPoint) -> bool {
    point.listen_overflows_per_second.is_some_and(|overflows| overflows > 0.0)
}
