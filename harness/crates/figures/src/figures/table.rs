//! Source 002's table, done again, beside what its author published.

use super::data::{Data, Line, cost, distinct, only};
use super::legend::legend;
use super::points::Place;
use crate::model::{Axis, Figure, Marker, Panel, Point, Points, Scale, Series, Style, Unit};
use lab_core::units::number;
use records::{Phase, Record};
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

/// Speed here, CPU time here, and the published speed.
const HERE: usize = 0;
const COST: usize = 1;
const THERE: usize = 2;

/// Both tables, and the cost below.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let lines = data.of(&[Phase::Table]);
    let clients = distinct(&lines, |record| record.key.concurrency);
    let (Some(least), Some(most)) = (clients.first(), clients.last()) else { return Vec::new() };
    let range = if least < most { format!("{least} to {}", number(*most as f64)) } else { most.to_string() };
    let here = match backlog(&lines) {
        Some(backlog) => format!("measured here, with a backlog of {backlog}"),
        None => "measured here".to_owned(),
    };
    let pages = |name: &str| Panel::new(name, "pages per minute", Unit::Count, Scale::Log);
    let mut points = Points {
        x: Some(Axis {
            label: "clients at once (each makes a connection for each page)".into(),
            scale: Scale::Log,
            ..Axis::default()
        }),
        panels: vec![
            pages(&here),
            Panel::new(&here, "server CPU time per request, µs", Unit::Count, Scale::Linear),
            pages("published in source 002 (its test 1; another machine)"),
        ],
        series: PUBLISHED.iter().enumerate().map(|(at, (name, _))| series(at, name, &lines)).collect(),
        ..Points::default()
    };
    let place = |panel: usize| {
        move |record: &Record| Some(Place { panel, mark: 0, x: record.key.concurrency as f64 })
    };
    let speed = |record: &Record| Some(record.figures()?.requests_per_second * SECONDS_PER_MINUTE);
    points.add(&lines, true, place(HERE), speed);
    points.add(&lines, false, place(COST), cost);
    for point in points.points.iter_mut().filter(|point| point.panel == HERE && point.value <= 0.0) {
        point.marker = Marker::Cross;
    }
    for (series, (_, pages)) in PUBLISHED.iter().enumerate() {
        points
            .points
            .extend(CLIENTS.iter().zip(pages).map(|(&clients, &pages)| theirs(series, clients, pages)));
    }
    let title = format!(
        "Source 002's table, done again: what does a process in between cost? webbench, {range} clients"
    );
    let notes = notes(&lines, &points);
    let mut figure = data.figure("table", &title, &lines, points);
    figure.about = "Source 002 is one of the texts that this lab grew from: a web server that a fellow \
                    learner wrote step by step. Its author published this table of a serial server, one \
                    process and two processes under 1 to 3,000 clients, made with webbench on two \
                    single-core machines and an accept queue of five, and asked why the serial server drops \
                    at ten clients. Here the stages that work in the same way are put to the same test."
        .into();
    figure.notes = notes;
    vec![figure]
}

fn series(at: usize, name: &str, lines: &[Line]) -> Series {
    let server = lines.iter().find(|line| line.record.key.title == name);
    let server = server.map_or(String::new(), |line| line.record.key.server.clone());
    Series { server, name: name.into(), label: name.into(), style: Style::series(at), remark: None }
}

fn theirs(series: usize, clients: usize, pages: u32) -> Point {
    let place = Place { panel: THERE, mark: 0, x: clients as f64 };
    let none = super::points::point(series, place, &[], (false, Unit::Count), |_| None);
    Point { value: pages.into(), marker: Marker::Filled, note: Some("published".into()), ..none }
}

/// What the servers were told, as the records have it: `--backlog 5 --workers 2`.
fn backlog(lines: &[Line]) -> Option<String> {
    let of = |line: &Line| {
        let mut words = line.record.context.configuration.as_deref()?.split_whitespace();
        words.find(|word| *word == "--backlog")?;
        words.next()?.parse::<u32>().ok()
    };
    let all: BTreeSet<u32> = lines.iter().filter_map(of).collect();
    let all: Vec<String> = all.into_iter().map(|backlog| number(backlog.into())).collect();
    (!all.is_empty()).then(|| all.join(" or "))
}

fn notes(lines: &[Line], points: &Points) -> Vec<String> {
    let mut notes = vec![
        "Compare the shapes of the two speeds, not the heights: the machines differ. webbench's unit is \
         pages per minute, 60 times a request per second; the failed ones are taken out here, while the \
         source's figures are webbench's own. What the caption calls disturbed is, with many clients, \
         webbench itself: it forks a process for each client."
            .to_owned(),
    ];
    notes.extend(PUBLISHED.iter().filter_map(|(name, _)| full(lines, name)));
    let signs = legend(points, "webbench, one process for each client, is a limit of its own.");
    notes.push(
        signs.replace(
            "some of the clients got no answer at all",
            "no page at all in half of the rounds or more",
        ),
    );
    let errors: u64 =
        lines.iter().filter_map(|line| line.record.figures()).map(|figures| figures.errors).sum();
    if errors > 0 {
        notes.push(format!("{} requests failed; they are not in the figures.", number(errors as f64)));
    }
    let clients =
        |name: &str| distinct(&only(lines, |record| record.key.title == name), |r| r.key.concurrency);
    let all = distinct(lines, |record| record.key.concurrency);
    for (name, _) in PUBLISHED {
        let missing: Vec<String> =
            all.iter().filter(|n| !clients(name).contains(n)).map(|n| number(*n as f64)).collect();
        if missing.len() == all.len() {
            notes.push(format!("Not measured yet: {name}."));
        } else if !missing.is_empty() {
            notes.push(format!("Not measured yet: {name} with {} clients.", missing.join(", ")));
        }
    }
    notes
}

/// From how many clients on the kernel found the accept queue full.
fn full(lines: &[Line], name: &str) -> Option<String> {
    let is_full = |record: &Record| {
        record.key.title == name
            && record.figures().and_then(|figures| figures.listen_overflows).unwrap_or(0) > 0
    };
    let first = only(lines, is_full).iter().map(|line| line.record.key.concurrency).min()?;
    Some(format!("{name}: the accept queue was full at times (clients at once: {first} or more)."))
}
