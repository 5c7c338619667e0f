//! The tools on the same server with the same number of clients: what a figure owes to the tool.

use super::data::{Data, HOLLOW, connections, nearest, servers_of, signs};
use super::overview::points_of;
use crate::model::{Figure, Look, Measure, Plot, Point, Points, Scale, Show, Unit, together};
use anyhow::Result;
use records::{Cell, Record, cells};
use std::collections::BTreeSet;

/// The tools, in the order in which they are drawn, each with what it does that the others do not.
const TOOLS: [(&str, &str); 4] = [
    ("wrk", "wrk: HTTP/1.1, an event loop, here one thread"),
    ("ab", "ab: HTTP/1.0, one thread; without keep-alive it also reads until the server closes"),
    ("webbench", "webbench: HTTP/1.0, a process forked for each client, a connection for each request"),
    ("builtin", "builtin: HTTP/1.1, one thread, checks every reply"),
];

/// Requests per second by each tool, kept connections and a connection per request apart.
pub(super) fn build(data: &Data) -> Result<Vec<Figure>> {
    let cells = cells(&data.records);
    let used = |tool: &str| cells.iter().any(|cell| cell.shape.tool == tool);
    let tools: Vec<(&str, &str)> = TOOLS.into_iter().filter(|(tool, _)| used(tool)).collect();
    // One tool alone is beside nothing.
    if tools.len() < 2 {
        return Ok(Vec::new());
    }
    let Some(clients) = nearest(shared_clients(&cells, &tools).into_iter()) else { return Ok(Vec::new()) };
    let cells: Vec<&Cell> = cells.iter().filter(|cell| cell.shape.concurrency == clients).collect();
    // What a tool cannot do by its nature is no gap.
    let can = |record: &Record| {
        cells.iter().any(|cell| {
            (&cell.shape.tool, cell.shape.keep_alive) == (&record.key.tool, record.key.keep_alive)
        })
    };
    let records: Vec<&Record> =
        data.survey().filter(|record| record.key.concurrency == clients && can(record)).collect();
    let title = format!("The same servers, measured by {} tools with {clients} clients", tools.len());
    let mut figure = data.figure("tools-side-by-side", title, &records);
    let axis = "requests per second (more is better)";
    let mut points = Points {
        measures: together(
            tools.iter().map(|(tool, _)| Measure::new(tool, axis, Unit::Count, Scale::Linear)).collect(),
        ),
        show: Show::Marks,
        choices: vec![connections(Show::Beside)],
        series: servers_of(cells.iter().copied()),
        gaps: data.gaps(&records, |record| Some(vec![usize::from(!record.key.keep_alive)])),
        ..Points::default()
    };
    for cell in cells {
        let measure = tools.iter().position(|(tool, _)| *tool == cell.shape.tool);
        let (Some(series), Some(measure)) = (points.series_of(&cell.shape.stage), measure) else { continue };
        let [speed, _] = points_of(data, cell, series);
        points.points.push(Point { measure, options: vec![usize::from(!cell.shape.keep_alive)], ..speed });
    }
    let how: Vec<&str> = tools.iter().map(|(_, how)| *how).collect();
    figure.about = format!(
        "Why they differ: {}. A tool that needs more CPU time itself reaches its own limit sooner.",
        how.join("; ")
    );
    let cross = (Look::Cross, "Cross: some of the clients got no answer at all.");
    figure.notes.push(signs(&points, &[HOLLOW, cross]));
    figure.plot = Plot::Points(points);
    Ok(vec![figure])
}

/// The numbers of clients that most of the tools were used with.
fn shared_clients(cells: &[Cell], tools: &[(&str, &str)]) -> Vec<usize> {
    let clients: BTreeSet<usize> = cells.iter().map(|cell| cell.shape.concurrency).collect();
    let used = |clients: usize| {
        let with =
            |tool| cells.iter().any(|cell| cell.shape.tool == tool && cell.shape.concurrency == clients);
        tools.iter().filter(|(tool, _)| with(*tool)).count()
    };
    let most = clients.iter().map(|&clients| used(clients)).max().unwrap_or(0);
    clients.into_iter().filter(|&clients| used(clients) == most).collect()
}
