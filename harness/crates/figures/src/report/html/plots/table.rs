//! Seed 002's table: pages per minute, as webbench counts.

use super::{Form, Lab, Plot, Point, limit};
use crate::report::SEED_TABLE;
use records::{Phase, SeedCell, SeedPoint, SeedRow, seed_table};

/// webbench's unit is a page per minute, ours a right answer per second.
const SECONDS_PER_MINUTE: f64 = 60.0;

pub(super) fn plot(lab: &Lab) -> Plot {
    let table = seed_table(lab.records);
    let mut points = Vec::new();
    for row in &table.rows {
        for (cell, &clients) in row.cells.iter().zip(&table.clients) {
            if let Some(SeedCell::Measured(at)) = cell {
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

fn point(lab: &Lab, row: &SeedRow, clients: usize, at: &SeedPoint) -> Option<Point> {
    let rounds = lab.rounds(|record| {
        let is_of_row =
            record.phase == Phase::Table && record.stage == row.stage && record.title == row.title;
        let figures = record.figures.as_ref().filter(|_| is_of_row && record.concurrency == clients)?;
        Some(figures.requests_per_second * SECONDS_PER_MINUTE)
    });
    let (look, mut note) = limit(at.limiter, clients, clients);
    if at.errors > 0 {
        note += &format!("; {} errors in all rounds, not counted as pages", at.errors);
    }
    let point = Point::new(lab.server(&row.stage)?, clients as f64, at.pages_per_minute, rounds);
    Some(Point { series: Some(row.title.clone()), look, note: Some(note), ..point })
}
