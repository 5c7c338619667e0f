//! Each renderer, with figures of every layout.

use super::{HOSTILE, render};
use crate::model::{
    Axis, Cell, Choice, Figure, Gap, Interval, Look, Matrix, Measure, Outcome, Plot, Point, Points,
    Reference, Scale, Series, Show, Spread, Unit, together,
};
use lab_core::stats::Estimate;

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
        let shapes = |figure: &Figure| {
            let (svg, _) = render(figure, what);
            (svg.matches("<polygon").count(), svg.matches("<rect").count())
        };
        let mut missed = filled(points.clone(), &["04", "05"], &none);
        let drawn = shapes(&missed);
        if let Plot::Points(points) = &mut missed.plot {
            points.points.iter_mut().for_each(|point| point.look = Look::Missed);
        }
        assert_eq!(drawn, shapes(&missed), "{what}: what is no number has no mark");
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
