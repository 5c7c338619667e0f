//! Outcomes: servers in columns, probes in rows.

use super::draw::{Area, Drawn, draw};
use super::text::{self, MARGIN, NORMAL, SMALL};
use super::{Body, WIDTH};
use crate::model::{Cell, Matrix, Outcome};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

/// For the probes' names.
const NAMES: i32 = 260;
const ROW: i32 = 24;
/// The widest column.
const COLUMN: i32 = 84;
/// Above the rows, for the legend and the servers' names.
const TOP: i32 = 84;

/// What a cell is filled with, and its letter's colour. From Okabe and Ito's colours; the lightness says the
/// same in print.
fn colours(outcome: Outcome) -> (RGBColor, RGBColor) {
    match outcome {
        Outcome::Pass => (RGBColor(225, 240, 250), RGBColor(0, 114, 178)),
        Outcome::Starved => (RGBColor(230, 159, 0), BLACK),
        Outcome::Wrong => (RGBColor(204, 121, 167), BLACK),
        Outcome::Broken => (RGBColor(160, 60, 0), WHITE),
        Outcome::NotApplicable => (WHITE, RGBColor(120, 120, 120)),
        Outcome::Unknown => (WHITE, BLACK),
    }
}

/// The table of a figure.
pub(super) struct Picture<'a> {
    matrix: &'a Matrix,
    column: i32,
}

impl<'a> Picture<'a> {
    pub(super) fn new(matrix: &'a Matrix) -> Self {
        let column = ((WIDTH - MARGIN - NAMES) / matrix.columns.len().max(1) as i32).min(COLUMN);
        Self { matrix, column }
    }

    fn legend(area: &Area) -> Drawn {
        let cell =
            |outcome, surprise| Cell { outcome, words: String::new(), surprise, detail: String::new() };
        // The samples of the outcomes have no frame, though a flaw would have one.
        let plain = Outcome::ALL.into_iter().take(5).map(|outcome| (outcome, false, false, outcome.word()));
        let framed = [
            (Outcome::Starved, false, true, "a declared flaw"),
            (Outcome::Starved, true, false, "a surprise"),
        ];
        let mut x = NAMES;
        for (outcome, surprise, has_frame, word) in plain.chain(framed) {
            draw_cell(area, (x, 0), 36, &cell(outcome, surprise), has_frame)?;
            text::write(area, word, SMALL, (x + 44, ROW / 2), BLACK, HPos::Left)?;
            x += 44 + text::width(word, SMALL) + 16;
        }
        Ok(())
    }
}

fn draw_cell(area: &Area, (x, y): (i32, i32), width: i32, cell: &Cell, has_frame: bool) -> Drawn {
    let corners = [(x + 2, y + 2), (x + width - 2, y + ROW - 2)];
    let (fill, ink) = colours(cell.outcome);
    draw(area, Rectangle::new(corners, fill.filled()))?;
    if has_frame {
        draw(area, Rectangle::new(corners, BLACK.stroke_width(2)))?;
    }
    text::write(area, &cell.sign(), NORMAL, (x + width / 2, y + ROW / 2), ink, HPos::Center)
}

impl Body for Picture<'_> {
    fn size(&self) -> (i32, i32) {
        (WIDTH, TOP + ROW * (self.matrix.differing as i32 + 1))
    }

    fn draw(&self, area: &Area) -> Drawn {
        Self::legend(area)?;
        for (at, (name, _)) in self.matrix.columns.iter().enumerate() {
            let x = NAMES + self.column * at as i32 + self.column / 2;
            // `02-threads` in two lines, so that fourteen columns fit.
            let (number, twin) = name.split_once('-').unwrap_or((name, ""));
            let number = text::fit(number, NORMAL, self.column - 2);
            text::write(area, &number, NORMAL, (x, TOP - 32), BLACK, HPos::Center)?;
            let twin = text::fit(twin, SMALL, self.column - 2);
            text::write(area, &twin, SMALL, (x, TOP - 14), BLACK, HPos::Center)?;
        }
        let rows = self.matrix.rows.iter().zip(&self.matrix.cells).take(self.matrix.differing);
        for (at, (probe, cells)) in rows.enumerate() {
            let y = TOP + ROW * at as i32;
            let name = text::fit(probe, SMALL, NAMES - MARGIN - 8);
            text::write(area, &name, SMALL, (NAMES - 12, y + ROW / 2), BLACK, HPos::Right)?;
            for (at, cell) in cells.iter().enumerate() {
                let Some(cell) = cell else { continue };
                let corner = (NAMES + self.column * at as i32, y);
                draw_cell(area, corner, self.column, cell, cell.is_declared())?;
            }
        }
        let alike = self.matrix.rows.len() - self.matrix.differing;
        let words = format!(
            "{} everywhere.",
            match alike {
                1 => "1 other probe passes".to_owned(),
                alike => format!("{alike} other probes pass"),
            }
        );
        let y = TOP + ROW * self.matrix.differing as i32 + ROW / 2;
        text::write(area, &words, SMALL, (NAMES, y), BLACK, HPos::Left)
    }
}
