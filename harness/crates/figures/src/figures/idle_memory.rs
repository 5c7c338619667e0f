//! Memory of connections that say nothing.

use super::caption::Caption;
use super::data::{Data, servers_in};
use crate::model::{Figure, Measure, Plot, Point, Points, Scale, Show, Unit, together};
use anyhow::Result;
use lab_core::stats::Estimate;
use records::{Idle, IdleCost, Phase, idle};

/// What was held: its name, its words, and how it is read from a summary and from a record.
type Reading = (&'static str, &'static str, fn(&IdleCost) -> Estimate, fn(&Idle) -> f64);

const READINGS: [Reading; 2] = [
    (
        "silent",
        "silent: connected, has asked for nothing yet",
        |cost| cost.silent_bytes,
        |idle| idle.silent_bytes,
    ),
    ("served", "served: answered once, kept", |cost| cost.served_bytes, |idle| idle.served_bytes),
];

/// Silent and served connections of each server, if they were counted.
pub(super) fn build(data: &Data) -> Result<Vec<Figure>> {
    let (costs, records) = (idle(&data.records), data.of_phase(Phase::Idle));
    let Some(connections) = costs.iter().map(|cost| cost.connections).max() else { return Ok(Vec::new()) };
    let number = Unit::Count.text(connections as f64);
    let mut figure =
        data.figure("idle-memory", format!("Memory of an idle connection: {number} at once"), &records);
    let caption = Caption::new(&records, &data.name());
    let asked = format!(
        "{}: growth of the process tree's Pss with {number} connections, divided by their number.",
        caption.how
    );
    figure.subtitle = caption.asking(asked).lines();
    let axis = "bytes of user memory per connection, logarithmic (fewer is better)";
    let measure = |(name, says, ..): Reading| Measure {
        says: says.to_owned(),
        ..Measure::new(name, axis, Unit::Bytes, Scale::Log)
    };
    let mut points = Points {
        measures: together(READINGS.map(measure).into()),
        show: Show::Marks,
        series: servers_in(&records),
        gaps: data.gaps(&records, |_| Some(Vec::new())),
        figures: true,
        ..Points::default()
    };
    for cost in &costs {
        let Some(series) = points.series_of(&cost.stage) else { continue };
        let of = |measure| Point { measure, ..point(data, cost, series, connections, READINGS[measure]) };
        points.points.extend([of(0), of(1)]);
    }
    figure.about = "User memory only: the kernel's own, about 8 kB for each accepted socket and as much at \
                    the client's end, is in no process's Pss and comes on top for every server alike. Pss \
                    (proportional set size) is the memory that a process uses; pages that several processes \
                    share are counted in equal parts."
        .into();
    if points.points.iter().any(|point| point.value <= 0.0) {
        figure.notes.push(
            "0 B lies apart at the left edge, since a logarithmic scale has no zero: no growth was seen. The \
             server may hold its connections in memory that it had touched before, or may not accept one \
             that says nothing (TCP_DEFER_ACCEPT)."
                .into(),
        );
    }
    figure.plot = Plot::Points(points);
    Ok(vec![figure])
}

fn point(data: &Data, cost: &IdleCost, series: usize, most: usize, (_, _, of, read): Reading) -> Point {
    let rounds = data.rounds(|record| {
        let is_here = record.key.phase == Phase::Idle && record.key.server == cost.stage;
        record.idle().filter(|_| is_here).map(|idle| read(&idle))
    });
    // How many, where it held fewer than the others.
    let fewer = (cost.connections < most).then(|| format!("{} connections only", cost.connections));
    Point { aside: fewer.clone(), note: fewer, ..Point::new(series, 0.0, of(cost), rounds) }
}
