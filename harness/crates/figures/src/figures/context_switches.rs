//! Context switches of the server per request: how often it went to sleep, or was made to.

use super::data::{Data, distinct, nearest, only, servers, tools};
use super::legend::legend;
use super::points::Place;
use crate::model::{Figure, Panel, Points, Scale, Unit};
use lab_core::units::count;
use records::Record;

/// Under one load; the page has the others too.
pub(crate) fn build(data: &Data) -> Vec<Figure> {
    let lines = only(&data.in_one_state(data.survey()), |record| record.figures().is_some());
    let kept = only(&lines, |record| record.key.keep_alive);
    let Some(&tool) = tools(&kept).first() else { return Vec::new() };
    let clients = nearest(&only(&kept, |record| record.key.tool == tool));
    let mut loads =
        distinct(&lines, |record| (!record.key.keep_alive, record.key.concurrency, record.key.tool.as_str()));
    let is_first = |load: &(bool, usize, &str)| !load.0 && Some(load.1) == clients && load.2 == tool;
    loads.sort_by_key(|load| !is_first(load));
    let axis = "switches of the server per request, logarithmic (fewer is better)";
    let panel = |(at, (is_short, clients, tool)): (usize, &(bool, usize, &str))| {
        let kind = if *is_short { "a connection per request" } else { "kept" };
        let name = format!("{tool}, {}, {kind}", count(*clients, "client"));
        Panel { hidden: at > 0, ..Panel::new(&name, axis, Unit::Short, Scale::Log) }
    };
    let mut points = Points {
        panels: loads.iter().enumerate().map(panel).collect(),
        series: servers(&lines),
        ..Points::default()
    };
    let place = |record: &Record| {
        let load = (!record.key.keep_alive, record.key.concurrency, record.key.tool.as_str());
        loads.iter().position(|other| *other == load).map(Place::panel)
    };
    points.add(&lines, true, place, per_request);
    points.explain("not known: the processes or threads that ended took the count along");
    if points.on(0).next().is_none() {
        return Vec::new();
    }
    points.write_values();
    let signs = legend(&points, "A server that waits for the generator sleeps more often.");
    let with = points.panels[0].name.clone();
    let title = format!("How often does a server sleep? Context switches per request ({with})");
    let shown = only(&lines, |record| place(record) == Some(Place::panel(0)));
    let mut figure = data.figure("context-switches", &title, &shown, points);
    figure.about = "Voluntary and involuntary switches of all its threads and processes, over right \
                    answers. A server that always finds the next request ready need not sleep; one that \
                    hands each request over wakes another thread up."
        .into();
    figure.notes.push(signs);
    vec![figure]
}

/// Of one record.
pub(super) fn per_request(record: &Record) -> Option<f64> {
    let figures = record.figures()?;
    Some(figures.context_switches? as f64 / figures.requests.max(1) as f64)
}
