//! Each renderer, with figures of every layout.

use super::{HOSTILE, render};
use crate::model::{
    Axis, Cell, Figure, Interval, Marker, Matrix, Outcome, Panel, Plot, Point, Points, Scale, Series, Unit,
    marks,
};

/// Every way to lay a figure out.
fn layouts() -> Vec<(&'static str, Points)> {
    let x = Some(Axis { label: "clients".into(), scale: Scale::Log, ..Axis::default() });
    let one = |unit, scale| vec![Panel::new("m", "label", unit, scale)];
    let two = |scale| {
        vec![Panel::new("p50", "wait", Unit::Micros, scale), Panel::new("p99", "wait", Unit::Micros, scale)]
    };
    let compared = Panel {
        lines: vec![1.0, 2.0],
        band: Some((0.9, 1.1)),
        ..Panel::new("m", "label", Unit::Hundredths, Scale::Linear)
    };
    let hidden = Panel { hidden: true, ..Panel::new("other", "label", Unit::Bytes, Scale::Linear) };
    let marks = marks([("a", "the one"), ("b", "the other")]);
    let points = |panels| Points { panels, ..Points::default() };
    vec![
        ("rows", points(vec![compared.clone()])),
        ("rows, log", points(one(Unit::Short, Scale::Log))),
        ("bars", Points { bars: true, ..points(two(Scale::Linear)) }),
        ("dots", Points { dots: true, ..points(vec![compared, hidden.clone()]) }),
        ("marks", Points { marks, ..points(two(Scale::Log)) }),
        ("lines", Points { x: x.clone(), ..points(one(Unit::Count, Scale::Linear)) }),
        ("lines, log", Points { x, ..points([two(Scale::Log), vec![hidden]].concat()) }),
    ]
}

fn point(series: usize, panel: usize, mark: usize, x: f64, value: f64) -> Point {
    Point {
        series,
        panel,
        mark,
        x,
        value,
        interval: None,
        marker: Marker::Filled,
        note: None,
        text: Some("text".into()),
        records: vec![(0, 0, value)],
    }
}

/// These values, one after another at places and of series, in each panel and mark of a layout.
fn filled(mut points: Points, names: &[&str], values: &[f64]) -> Figure {
    points.series = names.iter().map(|name| Series::server(name, "title")).collect();
    for (at, &value) in values.iter().enumerate() {
        for panel in 0..points.panels.len() {
            for mark in 0..points.marks.len().max(1) {
                let x = 1.0 + (at / names.len()) as f64;
                points.points.push(point(at % names.len(), panel, mark, x, value));
            }
        }
    }
    Figure { id: "x".into(), title: names.join(" "), plot: Plot::Points(points), ..Figure::default() }
}

fn of(figure: &mut Figure) -> &mut Points {
    let Plot::Points(points) = &mut figure.plot else { panic!("points") };
    points
}

#[test]
fn an_unexpected_name_breaks_no_document() {
    for (what, points) in layouts() {
        let mut figure = filled(points, &[HOSTILE, "04"], &[1.0, 2.0, 3.0]);
        figure.notes = vec![HOSTILE.into()];
        figure.subtitle = vec![HOSTILE.into()];
        let points = of(&mut figure);
        points.series[0].remark = Some(HOSTILE.into());
        points.points[0].note = Some(HOSTILE.into());
        points.points[0].text = Some(HOSTILE.into());
        (points.points[1].marker, points.points[1].note) = (Marker::Missed, Some(HOSTILE.into()));
        let (svg, text) = render(&figure, what);
        assert!(svg.contains('漢'), "{what}: what XML has is kept");
        let rows = text.lines().filter(|line| line.starts_with("| "));
        let cells: Vec<usize> = rows.map(|line| line.matches(" | ").count()).collect();
        assert!(cells.iter().all(|count| *count == cells[0]), "{what}: a name makes no cell: {text}");
    }
    let cell = Cell { outcome: Outcome::Pass, words: HOSTILE.into(), surprise: true, detail: HOSTILE.into() };
    let matrix = Matrix {
        columns: vec![(HOSTILE.into(), HOSTILE.into())],
        rows: vec![HOSTILE.into()],
        differing: 1,
        cells: vec![vec![Some(cell)]],
    };
    render(&Figure { plot: Plot::Matrix(matrix), ..Figure::default() }, "matrix");
}

#[test]
fn nothing_and_one_figure_and_none_are_drawn() {
    let none = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300];
    for (what, points) in layouts() {
        for values in [&[][..], &[7.0], &[0.0], &[1.0, f64::NAN, -3.0, 0.0, 5.0, 1e9]] {
            render(&filled(points.clone(), &["04"], values), what);
        }
        let shapes = |figure: &Figure| {
            let (svg, _) = render(figure, what);
            (svg.matches("<polygon").count(), svg.matches("<rect").count())
        };
        let mut missed = filled(points.clone(), &["04", "05"], &none);
        let drawn = shapes(&missed);
        of(&mut missed).points.iter_mut().for_each(|point| point.marker = Marker::Missed);
        assert_eq!(drawn, shapes(&missed), "{what}: what is no number has no mark");
        let mut figure = filled(points, &["04", "05"], &[3.0, 4.0]);
        of(&mut figure).points[0].interval = Some(Interval { low: -1.0, high: 9.0, of: "range of 2".into() });
        of(&mut figure).points[1].marker = Marker::Cross;
        render(&figure, what);
    }
    render(&Figure { plot: Plot::Matrix(Matrix::default()), ..Figure::default() }, "no matrix");
}

/// Protects from marks that stand beside the name of their row where no row has two of them.
#[test]
fn marks_of_rows_that_have_one_each_stand_in_the_middle() {
    let heights = |marks_of: &[usize]| {
        let (_, rows) = layouts().into_iter().find(|(what, _)| *what == "marks").expect("a layout");
        let mut figure = filled(rows, &["04", "05"], &[3.0, 4.0]);
        of(&mut figure).points.retain(|point| marks_of.contains(&point.mark));
        let (svg, _) = render(&figure, "marks");
        svg.split(" height=\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned)
    };
    assert_eq!(heights(&[1]), heights(&[0]));
    assert_ne!(heights(&[0]), heights(&[0, 1]), "two of them need more room");
}

/// Protects from a line over a place where the server has no value.
#[test]
fn no_line_crosses_a_missing_value() {
    let (_, lines) = layouts().into_iter().find(|(what, _)| *what == "lines").expect("a layout");
    let mut figure = filled(lines, &["04"], &[1.0, 2.0, 3.0, 4.0, 5.0]);
    let corners = |figure: &Figure| {
        let (svg, _) = render(figure, "lines");
        let lines = svg.split("<polyline ").skip(1).filter(|line| line.contains("stroke=\"#0072B2\""));
        let points = lines.map(|line| {
            line.split("points=\"").nth(1).map_or("", |rest| rest.split('"').next().unwrap_or(""))
        });
        let counts = points.map(|points| points.split_whitespace().count());
        // The outline of a square has five corners, and the legend's sample two.
        counts.filter(|count| *count != 5).collect::<Vec<_>>()
    };
    of(&mut figure).points[2].marker = Marker::Missed;
    assert_eq!(corners(&figure), [2, 2, 2], "two stretches and the legend's sample");
}
