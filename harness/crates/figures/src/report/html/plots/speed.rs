//! Requests per second against the number of clients.

use super::{Choice, Form, Lab, Plot, Point, limit};
use lab_core::stats::Estimate;
use records::{Cell, Phase, Record, Shape, cells};
use std::collections::BTreeSet;

pub(super) fn plot(lab: &Lab) -> Plot {
    let tools = tools(lab.records);
    let gaps =
        lab.gaps(&[Phase::Survey, Phase::Paired], |record| options(&tools, &record.tool, record.keep_alive));
    Plot {
        id: "speed",
        title: "Requests per second against clients".into(),
        about: "A closed loop: each client asks again when it has its answer. The figure that everybody looks for, and the one \
                that depends most on the generator and on what else the machine does."
            .into(),
        picture: "requests-per-second",
        files: Vec::new(),
        form: Form::Lines,
        y: "requests per second",
        x: "clients at once",
        doubling: true,
        suffix: "",
        baseline: None,
        logarithmic: false,
        choices: choices(&tools),
        points: comparable(lab.records).iter().filter_map(|cell| point(lab, &tools, cell)).collect(),
        gaps,
    }
}

/// The cells of the survey. Pipelined requests are another unit, so they stand on a chart only if there is nothing else.
pub(super) fn comparable(records: &[Record]) -> Vec<Cell> {
    let cells = cells(records);
    let depth = cells.iter().map(|cell| cell.shape.pipeline).min();
    cells.into_iter().filter(|cell| Some(cell.shape.pipeline) == depth).collect()
}

/// The generators of the survey: the one that shows most of a server first, those that measured nothing last.
pub(super) fn tools(records: &[Record]) -> Vec<String> {
    let survey = records.iter().filter(|record| matches!(record.phase, Phase::Survey | Phase::Paired));
    let all: BTreeSet<&str> = survey.map(|record| record.tool.as_str()).collect();
    let measured: BTreeSet<String> = records.iter().filter_map(Shape::of).map(|shape| shape.tool).collect();
    let mut tools: Vec<String> = all.into_iter().map(String::from).collect();
    tools.sort_by_key(|tool| (!measured.contains(tool), tool != "wrk", tool != "builtin"));
    tools
}

/// What a reader of the survey chooses from.
pub(super) fn choices(tools: &[String]) -> Vec<Choice> {
    let connections = ["kept", "one per request"].map(String::from).into();
    vec![
        Choice { id: "tool", label: "Generator", options: tools.to_vec() },
        Choice { id: "connections", label: "Connections", options: connections },
    ]
}

/// For each choice of the survey the option that a point of it belongs to.
pub(super) fn options(tools: &[String], tool: &str, keep_alive: bool) -> Option<Vec<usize>> {
    Some(vec![tools.iter().position(|other| other == tool)?, usize::from(!keep_alive)])
}

/// A point of a cell: an estimate and the rounds that it is from.
pub(super) fn of_cell(
    lab: &Lab,
    tools: &[String],
    cell: &Cell,
    estimate: Estimate,
    rounds: Vec<(usize, f64)>,
) -> Option<Point> {
    let shape = &cell.shape;
    let (look, note) = limit(cell.limiter, cell.clients_served, shape.concurrency);
    let point = Point::new(lab.server(&shape.stage)?, shape.concurrency as f64, estimate, rounds);
    Some(Point { options: options(tools, &shape.tool, shape.keep_alive)?, look, note: Some(note), ..point })
}

fn point(lab: &Lab, tools: &[String], cell: &Cell) -> Option<Point> {
    let rounds = lab.rounds(|record| {
        let is_of_cell = Shape::of(record).as_ref() == Some(&cell.shape);
        record.figures.as_ref().filter(|_| is_of_cell).map(|figures| figures.requests_per_second)
    });
    let estimate = Estimate { median: cell.requests_per_second, interval: cell.interval };
    let mut point = of_cell(lab, tools, cell, estimate, rounds)?;
    if cell.errors > 0 {
        point.note = point.note.map(|note| format!("{note}; {} errors in all rounds", cell.errors));
    }
    Some(point)
}
