//! All servers under one load: how much each does, and what a request costs it.

use super::data::{Data, clients_in_words, limit, nearest, servers_of, signs, tools};
use crate::model::{Figure, Look, Measure, Plot, Point, Points, Scale, Show, Unit};
use anyhow::Result;
use lab_core::stats::Estimate;
use records::{Cell, FLOOR, Record, Shape, cells, label};

/// With kept connections.
pub(super) fn build(data: &Data) -> Result<Vec<Figure>> {
    let cells = cells(&data.records);
    let kept = || cells.iter().filter(|cell| cell.shape.keep_alive);
    let Some(&tool) = tools(kept().map(|cell| cell.shape.tool.as_str())).first() else {
        return Ok(Vec::new());
    };
    let its = || kept().filter(|cell| cell.shape.tool == tool);
    let Some(clients) = nearest(its().map(|cell| cell.shape.concurrency)) else { return Ok(Vec::new()) };
    let cells: Vec<&Cell> = its().filter(|cell| cell.shape.concurrency == clients).collect();
    let records: Vec<&Record> = data
        .survey()
        .filter(|record| {
            record.key.tool == tool && record.key.keep_alive && record.key.concurrency == clients
        })
        .collect();
    let who = match cells.as_slice() {
        [only] => label(&only.shape.stage, &only.title),
        _ => "Servers".to_owned(),
    };
    let mut figure =
        data.figure("overview", format!("{who} with {} ({tool})", clients_in_words(clients)), &records);
    let mut points = Points {
        measures: speed_and_cost(),
        show: Show::Beside,
        series: servers_of(cells.iter().copied()),
        gaps: data.gaps(&records, |_| Some(Vec::new())),
        bars: true,
        figures: true,
        ..Points::default()
    };
    for cell in &cells {
        let Some(series) = points.series_of(&cell.shape.stage) else { continue };
        points.points.extend(points_of(data, cell, series));
    }
    let hollow = points.points.iter().filter(|point| point.look == Look::Hollow).count();
    figure.finding = (hollow > 0).then(|| {
        format!(
            "Hollow ({hollow} of {}): the generator was the limit. The lengths of these bars do not compare \
             the servers; the right side does.",
            cells.len()
        )
    });
    let floor = cells.iter().find(|cell| cell.shape.stage == FLOOR);
    if floor.is_some_and(|floor| cells.iter().any(|c| c.requests_per_second > floor.requests_per_second)) {
        figure.notes.push(
            "Longer than the floor's bar does not mean less work than the kernel's own: where the generator \
             was the limit the difference is chance, and elsewhere the floor, one thread with epoll, need \
             not be the fastest way."
                .to_owned(),
        );
    }
    figure.notes.push(signs(&points, &[(Look::Cross, "Pale: the other clients got no answer at all.")]));
    figure.plot = Plot::Points(points);
    Ok(vec![figure])
}

/// What is measured under a closed loop: how much a server does, and what a request costs it.
pub(super) fn speed_and_cost() -> Vec<Measure> {
    let [speed, cost] =
        ["requests per second (more is better)", "server CPU time per request, µs (less is better)"];
    vec![
        Measure::new("requests/s", speed, Unit::Count, Scale::Linear),
        Measure::new("CPU µs per request", cost, Unit::Hundredths, Scale::Linear),
    ]
}

/// The speed and the cost of a cell.
pub(super) fn points_of(data: &Data, cell: &Cell, series: usize) -> [Point; 2] {
    let (look, mut note) = limit(cell.limiter, cell.clients_served, cell.shape.concurrency);
    if cell.errors > 0 {
        note += &format!("; {} errors in all rounds", Unit::Count.text(cell.errors as f64));
    }
    let is_of_cell = |record: &Record| Shape::of(record).as_ref() == Some(&cell.shape);
    let speeds = data.rounds_of(is_of_cell, |figures| Some(figures.requests_per_second));
    let costs = data.rounds_of(is_of_cell, |figures| figures.cpu_us_per_request);
    let starved = (look == Look::Cross)
        .then(|| format!("{} of {} served", cell.clients_served, cell.shape.concurrency));
    let estimate = Estimate { median: cell.requests_per_second, interval: cell.interval };
    let speed = Point { look, aside: starved, note: Some(note), ..Point::new(series, 0.0, estimate, speeds) };
    let cost = match cell.cpu_us_per_request {
        Some(median) => Point::new(series, 0.0, Estimate { median, interval: cell.cpu_interval }, costs),
        None => Point::missed(series, 0.0, "not known".into()),
    };
    [speed, Point { measure: 1, ..cost }]
}
