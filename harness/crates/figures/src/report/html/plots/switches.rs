//! Context switches of the server per request.

use super::speed::{choices, comparable, of_cell, tools};
use super::{Form, Lab, Plot, Point};
use lab_core::stats::Estimate;
use records::{Cell, Record, Shape};

pub(super) fn plot(lab: &Lab) -> Plot {
    let tools = tools(lab.records);
    let cells = comparable(lab.records);
    let points = cells.iter().filter_map(|cell| point(lab, &tools, cell));
    Plot {
        id: "switches",
        title: "Context switches per request".into(),
        about: "How often the kernel put another thread of the server, or another process, on a CPU, over the right answers. \
                Servers whose threads or processes end during a run have no point: they take the count with them."
            .into(),
        picture: "context-switches",
        files: Vec::new(),
        form: Form::Lines,
        y: "context switches per request",
        x: "clients at once",
        doubling: true,
        suffix: "",
        baseline: None,
        logarithmic: false,
        points: points.collect(),
        choices: choices(&tools),
        gaps: Vec::new(),
    }
}

fn point(lab: &Lab, tools: &[String], cell: &Cell) -> Option<Point> {
    let rounds = lab.rounds(|record| {
        let is_of_cell = Shape::of(record).as_ref() == Some(&cell.shape);
        per_request(record).filter(|_| is_of_cell)
    });
    let figures: Vec<f64> = rounds.iter().map(|(_, figure)| *figure).collect();
    of_cell(lab, tools, cell, Estimate::of(&figures)?, rounds)
}

fn per_request(record: &Record) -> Option<f64> {
    let figures = record.figures.as_ref().filter(|figures| figures.requests > 0)?;
    Some(figures.context_switches? as f64 / figures.requests as f64)
}
