//! What every renderer must bear: names that nobody foresaw, no figures, one figure, figures that are none.

use crate::figures::{Data, build};
use crate::model::{
    Axis, Cell, Choice, Figure, Gap, Interval, Look, Matrix, Measure, Outcome, Plot, Point, Points,
    Reference, Scale, Series, Show, Spread, Unit, together,
};
use crate::output::clean;
use crate::svg;
use crate::table::Table;
use lab_core::stats::{Estimate, Percentiles};
use records::sample::record;
use records::{Content, Grade, Idle, Mix, OpenLoop, Phase, Probed, Record};
use std::path::{Path, PathBuf};

/// An end of every element that holds text, an escape sequence of a terminal, a NUL, two that no XML has, and
/// an entity.
const HOSTILE: &str = "</text></svg>]]><b>\u{1b}[31m\0\u{fffe}\u{ffff} & \"quoted\" 'x' &amp; | 漢字";

/// A document that a parser accepts and that says the name, as far as XML has its letters.
fn check(svg: &str, what: &str) {
    let document = roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("{what}: {error}\n{svg}"));
    assert_eq!(document.root_element().tag_name().name(), "svg", "{what}");
    let texts =
        document.descendants().filter(|node| node.has_tag_name("text")).filter_map(|node| node.text());
    for text in texts {
        assert!(!text.contains("NaN") && !text.contains("inf"), "{what}: {text}");
    }
}

/// All three renderers.
fn render(figure: &Figure, what: &str) -> (String, String) {
    let svg = clean(&svg::picture(figure).unwrap_or_else(|error| panic!("{what}: {error}")));
    check(&svg, what);
    let json = serde_json::to_string(figure).unwrap_or_else(|error| panic!("{what}: {error}"));
    let text = Table::of(figure).markdown() + &Table::of(figure).terminal();
    assert!(!text.contains("NaN") && !text.contains("inf") && !json.contains("NaN"), "{what}: {text}");
    (svg, text)
}

/// Every way to lay a figure out.
fn layouts() -> Vec<(&'static str, Points)> {
    let choice = |show| Choice {
        id: "which".into(),
        label: "Which".into(),
        options: vec!["one".into(), "other".into()],
        says: vec!["The one".into(), "The other".into()],
        show,
    };
    let bands = Scale::Bands(["1", "16", "no --workers"].map(String::from).into());
    let x = |scale| Some(Axis { label: "clients".into(), scale, ..Axis::default() });
    let also = Some(("per second".to_owned(), 1.0 / 60.0));
    let one = |unit, scale: Scale| vec![Measure::new("m", "label", unit, scale)];
    let two = |scale: Scale| {
        together(vec![
            Measure::new("p50", "wait", Unit::Micros, scale.clone()),
            Measure::new("p99", "wait", Unit::Micros, scale),
        ])
    };
    let mut both_sides = one(Unit::Count, Scale::Log);
    both_sides[0].axis.also = also;
    let base = || Points { figures: true, ..Points::default() };
    let steps = vec![Reference::Steps("ideal".into(), vec![(0.0, 10.0), (1.0, 20.0)])];
    vec![
        (
            "rows",
            Points {
                measures: one(Unit::Hundredths, Scale::Around(1.0)),
                references: vec![Reference::Line(1.0), Reference::Band(0.9, 1.1)],
                ..base()
            },
        ),
        ("rows, log", Points { measures: one(Unit::Short, Scale::Log), ..base() }),
        ("bars", Points { measures: two(Scale::Linear), show: Show::Beside, bars: true, ..base() }),
        (
            "marks",
            Points {
                measures: two(Scale::Log),
                show: Show::Marks,
                choices: vec![choice(Show::Beside)],
                ..base()
            },
        ),
        (
            "first",
            Points {
                measures: one(Unit::Bytes, Scale::Linear),
                choices: vec![choice(Show::First)],
                ..base()
            },
        ),
        (
            "lines",
            Points {
                x: x(bands.clone()),
                measures: one(Unit::Count, Scale::Linear),
                choices: vec![choice(Show::Below)],
                ..base()
            },
        ),
        (
            "steps",
            Points {
                x: x(bands.clone()),
                measures: one(Unit::Count, Scale::Linear),
                references: steps,
                ..base()
            },
        ),
        (
            "beside",
            Points { x: x(Scale::Log), measures: both_sides, choices: vec![choice(Show::Beside)], ..base() },
        ),
        ("grid", Points { x: x(bands), measures: two(Scale::Log), show: Show::Marks, ..base() }),
    ]
}

/// These values, one after another at places and of series, in each option and measure of a layout.
fn filled(mut points: Points, names: &[&str], values: &[f64]) -> Figure {
    points.series = names.iter().map(|name| Series::server(name, "title")).collect();
    for (at, &value) in values.iter().enumerate() {
        for measure in 0..points.measures.len() {
            for option in 0..2 {
                let options = vec![option; points.choices.len()];
                let x = if matches!(&points.x, Some(Axis { scale: Scale::Log, .. })) { 1.0 } else { 0.0 };
                let estimate = Estimate { median: value, interval: None };
                let point =
                    Point::new(at % names.len(), x + (at / names.len()) as f64, estimate, vec![(0, value)]);
                points.points.push(Point { measure, options, ..point });
            }
        }
    }
    if points.choices.is_empty() {
        points.points.dedup_by_key(|point| (point.series, point.measure, point.x.to_bits()));
    }
    Figure { id: "x".into(), title: names.join(" "), plot: Plot::Points(points), ..Figure::default() }
}

#[test]
fn a_name_that_nobody_foresaw_breaks_no_document() {
    for (what, points) in layouts() {
        let mut figure = filled(points, &[HOSTILE, "04"], &[1.0, 2.0, 3.0]);
        figure.notes = vec![HOSTILE.into()];
        figure.subtitle = vec![HOSTILE.into()];
        if let Plot::Points(points) = &mut figure.plot {
            points.series[0].remark = Some((None, HOSTILE.into()));
            points.points[0].note = Some(HOSTILE.into());
            points.points[0].aside = Some(HOSTILE.into());
            let gap = Gap {
                server: "05".into(),
                name: HOSTILE.into(),
                options: vec![],
                clients: 1,
                workers: None,
                reason: HOSTILE.into(),
            };
            points.gaps.push(gap);
        }
        let (svg, text) = render(&figure, what);
        assert!(svg.contains('漢'), "{what}: what XML has is kept");
        let cells = text.lines().find(|line| line.starts_with("| ")).map(|line| line.matches(" | ").count());
        let of_rows =
            text.lines().filter(|line| line.starts_with("| ")).map(|line| line.matches(" | ").count());
        assert!(
            of_rows.into_iter().all(|count| Some(count) == cells),
            "{what}: a name makes no cell: {text}"
        );
    }
    let cell = Cell { outcome: Outcome::Pass, words: HOSTILE.into(), surprise: true, detail: HOSTILE.into() };
    let matrix = Matrix {
        columns: vec![(HOSTILE.into(), HOSTILE.into())],
        rows: vec![HOSTILE.into()],
        cells: vec![vec![Some(cell)]],
    };
    render(&Figure { plot: Plot::Matrix(matrix), ..Figure::default() }, "matrix");
}

#[test]
fn nothing_and_one_figure_and_none_are_drawn() {
    let none = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300];
    for (what, points) in layouts() {
        render(&filled(points.clone(), &["04"], &[]), what);
        render(&filled(points.clone(), &["04"], &[7.0]), what);
        render(&filled(points.clone(), &["04"], &[0.0]), what);
        render(&filled(points.clone(), &["04", "05"], &none), what);
        render(&filled(points.clone(), &["04", "05"], &[1.0, f64::NAN, -3.0, 0.0, 5.0, 1e9]), what);
        let mut figure = filled(points, &["04", "05"], &[3.0, 4.0]);
        if let Plot::Points(points) = &mut figure.plot {
            let low = Interval { low: -1.0, high: 9.0, spread: Spread::Range };
            points.points[0].interval = Some(low);
            points.points[1].look = Look::Missed;
        }
        render(&figure, what);
    }
    render(&Figure { plot: Plot::Matrix(Matrix::default()), ..Figure::default() }, "no matrix");
    let without_number = Estimate { median: 1.0, interval: Some((f64::NAN, 2.0)) };
    assert_eq!(Point::new(0, 0.0, without_number, Vec::new()).interval, None);
}

/// A record of each kind, of a server with that name, whose CPU time could not be told.
fn of_all_kinds(name: &str) -> [(Content, Vec<Record>); 4] {
    let latency_us = Percentiles { p50: 0, p90: 0, p99: 9, p99_9: 9, max: 9 };
    let of = |phase| {
        let mut record = record(name, "wrk", 64, true, 0.0);
        (record.phase, record.title) = (phase, name.to_owned());
        if let Some(figures) = &mut record.figures {
            (figures.requests, figures.cpu_us_per_request) = (0, None);
        }
        record
    };
    let mut paired = of(Phase::Paired);
    paired.floor_around = Some([0.0, 0.0]);
    if let Some(figures) = &mut paired.figures {
        figures.cpu_us_per_request = Some(0.0);
    }
    let mut latency = of(Phase::Latency);
    latency.open_loop =
        Some(OpenLoop { rate: 0.0, share_of_peak: Some(0.5), latency_us, late: 0, never_sent: 0 });
    let mut idle = of(Phase::Idle);
    (idle.idle, idle.figures) = (Some(Idle { connections: 9, silent_bytes: 0.0, served_bytes: -8.0 }), None);
    let mut other_tool = of(Phase::Survey);
    other_tool.tool = "ab".into();
    let mut skipped = of(Phase::Survey);
    (skipped.figures, skipped.skipped, skipped.concurrency) = (None, Some(name.to_owned()), 1);
    let mut slow = of(Phase::Slow);
    slow.open_loop = Some(OpenLoop { rate: 9.0, share_of_peak: None, latency_us, late: 0, never_sent: 0 });
    slow.mix = Some(Mix {
        percent: 5,
        path: name.to_owned(),
        requests: 0,
        errors: 0,
        never_sent: None,
        latency_us: None,
        service_us: None,
    });
    let mut table = of(Phase::Table);
    table.title = "serial".into();
    [
        (Content::Run, vec![of(Phase::Survey), paired, latency, idle, other_tool, skipped]),
        (Content::Table, vec![table]),
        (Content::Spin, vec![of(Phase::Spin)]),
        (Content::Slow, vec![slow]),
    ]
}

/// Protects every figure of the lab: a server may be called anything, and a CPU time of nothing over nothing
/// is no number.
#[test]
fn every_figure_bears_hostile_names_and_times_of_zero() {
    let (files, out) = ([PathBuf::from("data/x.jsonl")], Path::new("."));
    let mut drawn = Vec::new();
    for (content, records) in of_all_kinds(HOSTILE) {
        let data = match content {
            Content::Run => Data::of_run(&records, &files, out).expect("a run"),
            _ => Data::new(&records, &files, out),
        };
        for figure in build(content, &data).expect("figures") {
            render(&figure, &figure.id);
            drawn.push(figure.id);
        }
    }
    let probed = Probed {
        probe: HOSTILE.into(),
        outcome: HOSTILE.into(),
        expected: "pass".into(),
        seconds: 0.0,
        detail: HOSTILE.into(),
        surprise: true,
    };
    let host = record("04", "wrk", 1, true, 1.0).host;
    let grade = Grade {
        stage: HOSTILE.into(),
        name: HOSTILE.into(),
        title: HOSTILE.into(),
        options: Vec::new(),
        binary_hash: None,
        commit: None,
        started_at: HOSTILE.into(),
        planned: 1,
        surprises: 1,
        probes: vec![probed],
        host,
    };
    let grades = [grade];
    for figure in build(Content::Grades, &Data::of_grades(&grades, &files, out)).expect("figures") {
        render(&figure, &figure.id);
        drawn.push(figure.id);
    }
    drawn.sort_unstable();
    let all: Vec<&str> = drawn.iter().map(String::as_str).collect();
    let mut names: Vec<&str> = crate::figures::ALL.iter().map(|kind| kind.name).collect();
    names.sort_unstable();
    for name in names.iter().filter(|name| **name != "context-switches") {
        assert!(all.iter().any(|id| id.starts_with(name)), "{name} is not among {all:?}");
    }
}

/// Protects the trace from a point to its records, and from points that mix what does not belong together.
#[test]
fn every_point_is_the_median_of_the_records_that_it_names() {
    let mut lines = Vec::new();
    for (round, speed) in [10.0, 30.0, 20.0].into_iter().enumerate() {
        for (_, records) in of_all_kinds("04") {
            for mut one in records.into_iter().filter(|one| one.skipped.is_none()) {
                one.round = round as u32;
                if let Some(figures) = &mut one.figures {
                    (figures.requests_per_second, figures.requests) = (speed, 100);
                    (figures.cpu_us_per_request, figures.context_switches) =
                        (Some(speed), Some(speed as u64));
                }
                one.floor_around = one.floor_around.map(|_| [10.0, 20.0]);
                one.idle =
                    one.idle.map(|idle| Idle { silent_bytes: speed, served_bytes: 2.0 * speed, ..idle });
                let mut dropped = one.clone();
                dropped.dropped = true;
                let mut other = one.clone();
                (other.stage, other.title) = ("05".into(), "other".into());
                lines.extend([dropped, one, other]);
            }
        }
    }
    let files = [PathBuf::from("data/x.jsonl")];
    let mut checked = 0;
    for content in [Content::Run, Content::Table, Content::Spin, Content::Slow] {
        let data = match content {
            Content::Run => Data::of_run(&lines, &files, Path::new(".")).expect("a run"),
            _ => Data::new(&lines, &files, Path::new(".")),
        };
        for figure in build(content, &data).expect("figures") {
            let Plot::Points(points) = &figure.plot else { continue };
            for point in points.points.iter().filter(|point| point.is_drawn() && !point.records.is_empty()) {
                let values: Vec<f64> = point.records.iter().map(|(_, value)| *value).collect();
                let median = lab_core::stats::median(&values).expect("records");
                assert_eq!(point.value.max(1.0), median.max(1.0), "{}: {point:?}", figure.id);
                for &(line, _) in &point.records {
                    let record = &lines[line];
                    assert!(!record.dropped, "{}: {point:?}", figure.id);
                    assert_eq!(record.stage, points.series[point.series].server, "{}: {point:?}", figure.id);
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 30, "{checked} points");
}

#[test]
fn a_server_like_the_floor_is_not_told_from_it() {
    let mut records = Vec::new();
    for (stage, costs) in [("floor", [10.0, 10.2, 9.9, 10.1, 10.0]), ("04", [10.1, 10.0, 10.3, 9.9, 10.0])] {
        records.extend(costs.map(|cost| {
            let mut record = record(stage, "wrk", 64, true, 1e6 / cost);
            (record.phase, record.floor_around) = (Phase::Paired, Some([10.0, 10.0]));
            record
        }));
    }
    let data = Data::of_run(&records, &[], Path::new(".")).expect("a run");
    let figures = build(Content::Run, &data).expect("figures");
    let ratio = figures.iter().find(|figure| figure.id == "cpu-per-request").expect("it is drawn");
    let mut notes: Vec<_> =
        ratio.points().expect("points").points.iter().map(|point| point.note.clone()).collect();
    notes.sort_unstable();
    assert_eq!(notes, [Some("not distinguishable".into()), Some("the floor against itself".into())]);
}
