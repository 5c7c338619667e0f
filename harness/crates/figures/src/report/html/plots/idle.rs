//! Memory of connections that say nothing.

use super::{Choice, Form, Lab, Plot, Point, scaled};
use lab_core::stats::Estimate;
use records::{Idle, IdleCost, Phase, idle};

/// Records have bytes.
const KB: f64 = 1.0 / 1000.0;

/// What a reader chooses from: its name, its estimate, and how it is read from a record.
type Reading = (&'static str, fn(&IdleCost) -> Estimate, fn(&Idle) -> f64);

const READINGS: [Reading; 2] = [
    ("silent from the start", |cost| cost.silent_bytes, |idle| idle.silent_bytes),
    ("served once, then kept", |cost| cost.served_bytes, |idle| idle.served_bytes),
];

pub(super) fn plot(lab: &Lab) -> Plot {
    let options = READINGS.map(|(name, _, _)| name.to_owned()).into();
    let costs = idle(lab.records);
    let points =
        costs.iter().flat_map(|cost| (0..READINGS.len()).filter_map(|option| point(lab, cost, option)));
    Plot {
        id: "idle",
        title: "Memory per idle connection".into(),
        about: "What each connection adds to the memory of the server's processes (Pss) while it says nothing. The kernel's \
                own share, about 8 kB for a connection, is not in it. A server shows 0 if it had the memory before, or has not accepted connections that say nothing."
            .into(),
        picture: "idle",
        files: Vec::new(),
        form: Form::Rows,
        y: "kB per connection",
        x: "",
        doubling: false,
        suffix: "",
        baseline: None,
        logarithmic: true,
        choices: vec![Choice { id: "connections", label: "Connections", options }],
        points: points.collect(),
        gaps: lab.gaps(&[Phase::Idle], |_| Some(Vec::new())),
    }
}

fn point(lab: &Lab, cost: &IdleCost, option: usize) -> Option<Point> {
    let (_, estimate, read) = READINGS[option];
    let rounds = lab.rounds(|record| {
        let is_here = record.phase == Phase::Idle && record.stage == cost.stage;
        record.idle.as_ref().filter(|_| is_here).map(|idle| KB * read(idle))
    });
    let point =
        Point::new(lab.server(&cost.stage)?, cost.connections as f64, scaled(estimate(cost), KB), rounds);
    Some(Point { options: vec![option], note: Some(format!("{} connections", cost.connections)), ..point })
}
