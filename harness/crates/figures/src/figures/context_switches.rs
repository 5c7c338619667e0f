//! Context switches of the server per request: how often it went to sleep, or was made to.

use super::data::{Data, clients_in_words, connections, limit, nearest, servers_of, signs, tools};
use crate::model::{Choice, Figure, Look, Measure, Plot, Point, Points, Scale, Show, Unit};
use anyhow::Result;
use lab_core::stats::Estimate;
use records::{Cell, Record, Shape, cells};
use std::collections::BTreeSet;

/// Under the load of the overview; the page has the others too.
pub(super) fn build(data: &Data) -> Result<Vec<Figure>> {
    let cells = cells(&data.records);
    let kept = || cells.iter().filter(|cell| cell.shape.keep_alive);
    let kept_tools = tools(kept().map(|cell| cell.shape.tool.as_str()));
    let Some(&tool) = kept_tools.first() else { return Ok(Vec::new()) };
    let its = kept().filter(|cell| cell.shape.tool == tool);
    let Some(clients) = nearest(its.map(|cell| cell.shape.concurrency)) else { return Ok(Vec::new()) };
    let mut all_tools = tools(cells.iter().map(|cell| cell.shape.tool.as_str()));
    all_tools.sort_by_key(|other| *other != tool);
    let all_clients: BTreeSet<usize> = cells.iter().map(|cell| cell.shape.concurrency).collect();
    let mut all_clients: Vec<usize> = all_clients.into_iter().collect();
    all_clients.sort_by_key(|&other| other != clients);

    let title = format!("Context switches per request with {} ({tool})", clients_in_words(clients));
    let is_shown = |record: &&Record| {
        record.key.tool == tool
            && record.key.keep_alive
            && record.key.concurrency == clients
            && record.figures().is_some()
    };
    let records: Vec<&Record> = data.survey().filter(is_shown).collect();
    let mut figure = data.figure("context-switches", title, &records);
    let axis = "switches of the server per request, logarithmic (fewer is better)";
    let mut points = Points {
        measures: vec![Measure::new("switches", axis, Unit::Short, Scale::Log)],
        choices: vec![
            choice("tool", "Generator", all_tools.iter().map(ToString::to_string).collect()),
            connections(Show::First),
            choice("clients", "Clients", all_clients.iter().map(usize::to_string).collect()),
        ],
        series: servers_of(cells.iter()),
        figures: true,
        ..Points::default()
    };
    for cell in &cells {
        let Some(series) = points.series_of(&cell.shape.stage) else { continue };
        let tool = all_tools.iter().position(|tool| *tool == cell.shape.tool).unwrap_or(0);
        let clients = all_clients.iter().position(|&clients| clients == cell.shape.concurrency).unwrap_or(0);
        let options = vec![tool, usize::from(!cell.shape.keep_alive), clients];
        points.points.push(Point { options, ..point(data, cell, series) });
    }
    if points.of(&[0, 0, 0], 0).all(|point| point.look == Look::Missed) {
        return Ok(Vec::new());
    }
    figure.about =
        "Voluntary and involuntary switches of all its threads and processes, over right answers. \
                    A server that always finds the next request ready need not sleep; one that hands each \
                    request over wakes somebody up."
            .into();
    figure.notes.push(signs(
        &points,
        &[
            (
                Look::Hollow,
                "Hollow: the generator was the limit; a server that waits for it sleeps more often.",
            ),
            (Look::Cross, "Cross: some of the clients got no answer at all."),
        ],
    ));
    figure.plot = Plot::Points(points);
    Ok(vec![figure])
}

fn choice(id: &str, label: &str, options: Vec<String>) -> Choice {
    Choice { id: id.into(), label: label.into(), says: options.clone(), options, show: Show::First }
}

fn point(data: &Data, cell: &Cell, series: usize) -> Point {
    let rounds = data.rounds(|record| {
        let is_of_cell = Shape::of(record).as_ref() == Some(&cell.shape);
        per_request(record).filter(|_| is_of_cell)
    });
    let values: Vec<f64> = rounds.iter().map(|(_, value)| *value).collect();
    let Some(estimate) = Estimate::of(&values) else {
        let why = "not known: the processes or threads that ended took the count along";
        return Point::missed(series, 0.0, why.into());
    };
    let (look, note) = limit(cell.limiter, cell.clients_served, cell.shape.concurrency);
    Point { look, note: Some(note), ..Point::new(series, 0.0, estimate, rounds) }
}

fn per_request(record: &Record) -> Option<f64> {
    let figures = record.figures()?;
    Some(figures.context_switches? as f64 / figures.requests.max(1) as f64)
}
