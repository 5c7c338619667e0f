//! Memory of connections that say nothing.

use super::data::{Data, servers};
use super::points::Place;
use crate::model::{Figure, Panel, Points, Scale, Unit, marks};
use lab_core::units::number;
use records::Phase;

/// The resolution of the memory of a process: a page, bytes.
pub(super) const PAGE: f64 = 4096.0;

/// Silent and served connections of each server, if they were counted.
pub(crate) fn build(data: &Data) -> Vec<Figure> {
    let lines = data.of(&[Phase::Idle]);
    let held = lines.iter().filter_map(|line| line.record.idle()).map(|idle| idle.connections);
    let Some(connections) = held.clone().max() else { return Vec::new() };
    let axis = "bytes of user memory per connection, logarithmic (fewer is better)";
    let mut points = Points {
        panels: vec![Panel::new("bytes", axis, Unit::Bytes, Scale::Log)],
        marks: marks([
            ("silent", "silent: connected, has asked for nothing yet"),
            ("served", "served: answered once, kept"),
        ]),
        series: servers(&lines),
        ..Points::default()
    };
    points.add(
        &lines,
        false,
        |_| Some(Place { mark: 0, ..Place::default() }),
        |record| Some(record.idle()?.silent_bytes),
    );
    points.add(
        &lines,
        false,
        |_| Some(Place { mark: 1, ..Place::default() }),
        |record| Some(record.idle()?.served_bytes),
    );
    points.write_values();
    let has_zero = points.points.iter().any(|point| point.value <= 0.0);
    let all = number(connections as f64);
    let mut figure = data.figure(
        "idle-memory",
        &format!("What does an idle connection cost in memory? {all} at once"),
        &lines,
        points,
    );
    figure.about = format!(
        "Growth of the process tree's Pss with {all} connections, divided by their number. Pss \
         (proportional set size) is the memory that a process uses; pages that several processes share are \
         counted in equal parts. Its resolution is a page, here {:.1} B a connection: a smaller difference \
         is none. The kernel's own memory of a socket is in no process's Pss.",
        PAGE / connections as f64
    );
    if has_zero {
        figure.notes.push(
            "0 B lies apart at the left edge, since a logarithmic scale has no zero: no growth was seen. \
             The server may hold its connections in memory that it had touched before, or may not accept \
             one that says nothing (TCP_DEFER_ACCEPT)."
                .into(),
        );
    }
    if held.clone().any(|held| held < connections) {
        figure.notes.push("Some servers held fewer connections: the table says how many.".into());
    }
    vec![figure]
}
