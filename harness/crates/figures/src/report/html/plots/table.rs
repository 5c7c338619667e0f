//! Seed 002's table: pages per minute, as webbench counts.

use super::{Form, Lab, Plot, Point, limit};
use crate::report::SEED_TABLE;
use records::{Phase, TableCell, TablePoint, TableRow, table};

/// webbench's unit is a page per minute, ours a right answer per second.
const SECONDS_PER_MINUTE: f64 = 60.0;

pub(super) fn plot(lab: &Lab) -> Plot {
    let table = table(lab.records);
    let mut points = Vec::new();
    for row in &table.rows {
        for (cell, &clients) in row.cells.iter().zip(&table.clients) {
            if let Some(TableCell::Measured(at)) = cell {
                points.extend(point(lab, row, clients, at));
            }
        }
    }
    Plot {
        id: "table",
        title: "Seed 002's table, done again".into(),
        about: format!(
            "{SEED_TABLE} Done again here: pages per minute, the unit of webbench, with failures taken out (webbench itself \
             counts them as speed), and a connection per request."
        ),
        picture: "seed-table",
        files: Vec::new(),
        form: Form::Lines,
        y: "pages per minute",
        x: "clients at once",
        doubling: true,
        suffix: "",
        baseline: None,
        logarithmic: false,
        choices: Vec::new(),
        points,
        gaps: lab.gaps(&[Phase::Table], |_| Some(Vec::new())),
    }
}

fn point(lab: &Lab, row: &TableRow, clients: usize, at: &TablePoint) -> Option<Point> {
    let rounds = lab.rounds(|record| {
        let is_of_row = record.key.phase == Phase::Table
            && record.key.server == row.stage
            && record.key.title == row.title;
        let figures = record.figures().filter(|_| is_of_row && record.key.concurrency == clients)?;
        Some(figures.requests_per_second * SECONDS_PER_MINUTE)
    });
    let (look, mut note) = limit(at.limiter, clients, clients);
    if at.errors > 0 {
        note += &format!("; {} errors in all rounds, not counted as pages", at.errors);
    }
    let point = Point::new(lab.server(&row.stage)?, clients as f64, at.pages_per_minute, rounds);
    Some(Point { series: Some(row.title.clone()), look, note: Some(note), ..point })
}
