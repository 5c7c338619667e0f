//! The tools on the same server with the same number of clients: what a figure owes to the tool.

use super::data::{Data, Line, distinct, only, servers};
use super::legend::legend;
use super::points::Place;
use super::requests_per_second::{HOLLOW, SPEED, kinds};
use crate::model::{Figure, Panel, Points, Scale, Unit, marks};
use records::Record;

/// The tools, in the order in which they are drawn, each with what it does that the others do not.
const TOOLS: [(&str, &str); 4] = [
    ("wrk", "wrk: HTTP/1.1, an event loop, here one thread"),
    ("ab", "ab: HTTP/1.0, one thread; without keep-alive it also reads until the server closes"),
    ("webbench", "webbench: HTTP/1.0, a process forked for each client, a connection for each request"),
    ("builtin", "builtin: HTTP/1.1, one thread, checks every reply"),
];

/// Requests per second by each tool, kept connections and a connection per request apart.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let survey = only(&data.in_one_state(data.survey()), |record| record.figures().is_some());
    let is_used = |lines: &[Line], tool: &str| lines.iter().any(|line| line.record.key.tool == tool);
    let tools: Vec<_> = TOOLS.into_iter().filter(|(tool, _)| is_used(&survey, tool)).collect();
    // The number of clients that most of the tools were used with; the one nearest to 64 of several.
    let used = |clients: &usize| {
        let lines = only(&survey, |record| record.key.concurrency == *clients);
        tools.iter().filter(|(tool, _)| is_used(&lines, tool)).count()
    };
    let all = distinct(&survey, |record| record.key.concurrency);
    let clients = all.into_iter().max_by_key(|clients| (used(clients), usize::MAX - clients.abs_diff(64)));
    // One tool alone is beside nothing.
    let Some(clients) = clients.filter(|_| tools.len() > 1) else { return Vec::new() };
    let lines = only(&survey, |record| record.key.concurrency == clients);
    let kinds = kinds(&lines);
    let mut points = Points {
        panels: kinds.iter().map(|(_, name)| Panel::new(name, SPEED, Unit::Count, Scale::Linear)).collect(),
        marks: marks(tools.iter().map(|(tool, _)| (*tool, *tool))),
        series: servers(&lines),
        ..Points::default()
    };
    let place = |record: &Record| {
        let mark = tools.iter().position(|(tool, _)| *tool == record.key.tool)?;
        let panel = kinds.iter().position(|(kept, _)| *kept == record.key.keep_alive)?;
        Some(Place { panel, mark, x: 0.0 })
    };
    points.add(&lines, true, place, |record| Some(record.figures()?.requests_per_second));
    let how: Vec<&str> = tools.iter().map(|(_, how)| *how).collect();
    let signs = legend(&points, HOLLOW);
    let title = format!("How far do the tools disagree about the same server? {clients} clients");
    let mut figure = data.figure("tools-side-by-side", &title, &lines, points);
    figure.about = format!(
        "Why they differ: {}. A tool that needs more CPU time itself reaches its own limit sooner.",
        how.join("; ")
    );
    figure.notes.push(signs);
    vec![figure]
}
