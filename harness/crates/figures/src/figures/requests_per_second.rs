//! Requests per second as a tool sees them; a figure for each tool.

use super::data::{Data, Line, distinct, only, servers};
use super::legend::legend;
use super::points::Place;
use crate::model::{Figure, Panel, Points, Scale, Unit, marks};
use lab_core::units::count;
use records::Record;

/// Axis of every figure of speeds.
pub(super) const SPEED: &str = "requests per second (more is better)";
/// What a hollow marker means on it.
pub(super) const HOLLOW: &str =
    "Hollow markers do not compare the servers: look at the CPU time per request.";

/// A figure for each tool.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let lines = data.in_one_state(data.survey());
    let tools = distinct(&lines, |record| record.key.tool.as_str()).into_iter();
    let is_plain = |tool: &&str| tool.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    tools.filter(is_plain).filter_map(|tool| by(tool, &lines, data)).collect()
}

fn by(tool: &str, all: &[Line], data: &Data) -> Option<Figure> {
    let lines = only(all, |record| record.key.tool == tool);
    let measured = only(&lines, |record| record.figures().is_some());
    if measured.is_empty() {
        return None;
    }
    let clients = distinct(&measured, |record| record.key.concurrency);
    let kinds = kinds(&measured);
    let mut points = Points {
        panels: kinds.iter().map(|(_, name)| Panel::new(name, SPEED, Unit::Count, Scale::Linear)).collect(),
        series: servers(&lines),
        ..Points::default()
    };
    // One number of clients needs no legend.
    if clients.len() > 1 {
        points.marks = marks(clients.iter().map(|n| (n.to_string(), count(*n, "client"))));
    }
    let panel = |record: &Record| kinds.iter().position(|(kept, _)| *kept == record.key.keep_alive);
    let place = |record: &Record| {
        let mark = clients.iter().position(|clients| *clients == record.key.concurrency)?;
        Some(Place { panel: panel(record)?, mark, x: 0.0 })
    };
    points.add(&lines, true, place, |record| Some(record.figures()?.requests_per_second));
    // What a tool cannot do by its nature is no gap.
    if points.marks.is_empty() {
        points.write_values();
    }
    let with = match clients.as_slice() {
        [one] => format!(" with {}", count(*one, "client")),
        _ => String::new(),
    };
    let signs = legend(&points, HOLLOW);
    // Its name in the records is the column's, not a word of a sentence.
    let name = if tool == "builtin" { "the lab's own generator" } else { tool };
    let title = format!("How many requests per second does {name} see{with}?");
    let mut figure = data.figure(&format!("requests-per-second-{tool}"), &title, &lines, points);
    figure.about = "A closed loop: each client asks again when it has its answer. The number that most \
                    readers look for, and the one that depends most on the generator and on what else the \
                    machine does."
        .into();
    figure.notes.push(signs);
    Some(figure)
}

/// Kept connections and a connection per request, as far as either was measured.
pub(super) fn kinds(measured: &[Line]) -> Vec<(bool, &'static str)> {
    let all = [(true, "connections kept"), (false, "a connection per request")];
    let is_there = |kept: bool| measured.iter().any(|line| line.record.key.keep_alive == kept);
    all.into_iter().filter(|(kept, _)| is_there(*kept)).collect()
}
