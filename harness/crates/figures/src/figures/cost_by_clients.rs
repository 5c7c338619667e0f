//! What a request costs against the number of clients.

use super::data::{Data, cost, distinct, only, servers, tools};
use super::points::Place;
use crate::costs::{Costs, costs};
use crate::model::{Axis, Figure, Panel, Points, Scale, Unit, groups};
use records::{Phase, Record};

/// From pairs at each number of clients; older data have the survey's costs.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let all: Vec<Costs> =
        costs(data, Phase::Clients).into_iter().filter(|costs| !costs.load.is_short).collect();
    let mut lines: Vec<_> = all.iter().flat_map(|costs| costs.lines.iter().copied()).collect();
    if lines.is_empty() {
        let kept = only(&data.survey(), |record| record.key.keep_alive && record.figures().is_some());
        // The tool that was used with most numbers of clients.
        let numbers =
            |tool: &&str| distinct(&only(&kept, |r| r.key.tool == *tool), |r| r.key.concurrency).len();
        let Some(tool) = tools(&kept).into_iter().rev().max_by_key(numbers) else { return Vec::new() };
        lines = data.in_one_state(only(&kept, |record| record.key.tool == tool));
    }
    // One number of clients is no curve.
    // A server that was measured with one number of clients has no line: points of different servers under
    // different loads would compare nothing.
    let loads = |name: &str| {
        distinct(&only(&lines, |record| record.key.server == name), |record| record.key.concurrency).len()
    };
    let lines = only(&lines, |record| loads(&record.key.server) > 1);
    if lines.is_empty() {
        return Vec::new();
    }
    let us = |record: &Record| {
        let of = all.iter().find(|costs| costs.load == crate::costs::Load::of(record));
        of.map_or_else(|| cost(record), |costs| costs.us(record))
    };
    let label = "server CPU time per request, µs, logarithmic";
    let ratio = if all.iter().all(|costs| costs.is_like_with_like) {
        "server CPU time per request ÷ the floor's with as many clients"
    } else {
        "server CPU time per request ÷ the floor's with 64 clients"
    };
    let mut points = Points {
        x: Some(Axis { label: "clients at once".into(), scale: Scale::Log, ..Axis::default() }),
        panels: vec![Panel::new("CPU µs", label, Unit::Count, Scale::Log)],
        series: servers(&lines),
        ..Points::default()
    };
    let place = |panel: usize| {
        move |record: &Record| Some(Place { panel, mark: 0, x: record.key.concurrency as f64 })
    };
    points.add(&lines, false, place(0), us);
    if !all.is_empty() {
        points.panels.push(Panel {
            hidden: true,
            lines: vec![1.0],
            ..Panel::new("÷ floor", ratio, Unit::Hundredths, Scale::Linear)
        });
        points.add(&lines, false, place(1), Record::ratio_to_floor);
    }
    let colours = groups(&points.series);
    let title = "How does the cost of a request change with the number of clients?";
    let mut figure = data.figure("cost-by-clients", title, &lines, points);
    figure.about =
        "With one client a server sleeps after each request and is woken for the next; with many it finds \
         several ready at once and sleeps less often."
            .into();
    figure.notes.push(colours);
    vec![figure]
}
