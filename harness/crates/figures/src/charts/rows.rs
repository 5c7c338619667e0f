//! A picture with a row for each server: its marks on one or two axes, and a text at the end.

use super::caption::Caption;
use super::scale::Scale;
use super::style::{Area, Drawn, GREY, Look, Style, draw};
use super::text::NAMES;
use super::text::{self, DARK, MARGIN, NORMAL, SMALL};
use anyhow::Result;
use plotters::prelude::*;

pub(super) const WIDTH: i32 = 1240;
/// Where the legend stands.
const LEGEND: i32 = 132;
/// The height of one mark; a row is as high as its marks, and never lower than its text.
const MARK: i32 = 15;
const BAND: RGBColor = RGBColor(245, 245, 245);

/// One value of a row.
pub(super) struct Mark {
    /// Which series it is of.
    pub(super) series: usize,
    pub(super) value: f64,
    pub(super) interval: Option<(f64, f64)>,
    pub(super) look: Look,
}

/// One axis, with the marks and the text of each row.
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) axis: &'static str,
    pub(super) log: bool,
    pub(super) marks: Vec<Vec<Mark>>,
    /// At the right of the axis; empty if there is nothing to say.
    pub(super) texts: Vec<String>,
    /// How wide the texts may be.
    pub(super) room: i32,
    pub(super) number: fn(f64) -> String,
}

/// The whole picture.
pub(super) struct Rows {
    pub(super) names: Vec<String>,
    /// What the series are called, and what their marks look like.
    pub(super) series: Vec<(String, Style)>,
    pub(super) panels: Vec<Panel>,
    /// Below the picture.
    pub(super) notes: Vec<String>,
}

impl Rows {
    /// Draws it as SVG text.
    pub(super) fn svg(&self, caption: &Caption) -> Result<String> {
        let notes = text::wrap_all(&self.notes, SMALL, WIDTH - 2 * MARGIN);
        let bottom = self.top(0) + self.row() * self.names.len() as i32;
        // A caption has three lines; what is below moves down for more.
        let more = text::LINE * caption.lines.len().saturating_sub(3) as i32;
        let height = more + bottom + 74 + 22 * notes.len() as i32;
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
            root.fill(&WHITE)?;
            text::header(&root, &caption.title, &caption.lines)?;
            let root = root.shrink((0, more), (WIDTH, height - more));
            self.legend(&root)?;
            for at in (0..self.names.len()).step_by(2) {
                let corners = [(MARGIN, self.top(at)), (WIDTH - MARGIN, self.top(at) + self.row())];
                draw(&root, Rectangle::new(corners, BAND.filled()))?;
            }
            for (at, name) in self.names.iter().enumerate() {
                let name = text::fit(name, NORMAL, NAMES - MARGIN - 8);
                text::write(&root, &name, NORMAL, (NAMES - 12, self.middle(at)), BLACK, true)?;
            }
            let width = (WIDTH - MARGIN - NAMES) / self.panels.len().max(1) as i32;
            for (at, panel) in self.panels.iter().enumerate() {
                self.panel(&root, panel, NAMES + width * at as i32, width)?;
            }
            for (at, line) in notes.iter().enumerate() {
                text::write(&root, line, SMALL, (MARGIN, bottom + 66 + 22 * at as i32), DARK, false)?;
            }
            root.present()?;
        }
        Ok(svg)
    }

    fn row(&self) -> i32 {
        (MARK * self.series.len() as i32 + 8).max(30)
    }

    /// A single series needs no legend.
    fn top(&self, at: usize) -> i32 {
        let first = if self.series.len() > 1 { LEGEND + 46 } else { LEGEND + 18 };
        first + self.row() * at as i32
    }

    fn middle(&self, at: usize) -> i32 {
        self.top(at) + self.row() / 2
    }

    fn legend(&self, root: &Area) -> Drawn {
        if self.series.len() < 2 {
            return Ok(());
        }
        let mut x = NAMES;
        for (name, style) in &self.series {
            style.mark(root, (x, LEGEND), Look::Filled)?;
            text::write(root, name, SMALL, (x + 14, LEGEND), BLACK, false)?;
            x += 14 + text::width(name, SMALL) + 34;
        }
        Ok(())
    }

    fn panel(&self, root: &Area, panel: &Panel, left: i32, width: i32) -> Drawn {
        let right = left + width - panel.room - 36;
        let (top, bottom) = (self.top(0), self.top(self.names.len()));
        let values = panel.marks.iter().flatten();
        let values = values.flat_map(|mark| mark.interval.map_or([mark.value; 2], <[f64; 2]>::from));
        let scale = match panel.log {
            true => Scale::log(values, (left, right)),
            false => Scale::from_zero(values, (left, right)),
        };
        text::write(root, &panel.title, NORMAL, (left, top - 18), BLACK, false)?;
        for tick in scale.ticks((width as usize - panel.room as usize) / 80) {
            let x = scale.pixel(tick);
            draw(root, PathElement::new(vec![(x, top), (x, bottom)], GREY.mix(0.35).stroke_width(1)))?;
            text::centred(root, &(panel.number)(tick), SMALL, (x, bottom + 14), BLACK)?;
        }
        text::write(root, panel.axis, NORMAL, (left, bottom + 38), BLACK, false)?;
        for (at, marks) in panel.marks.iter().enumerate() {
            for mark in marks {
                let middle = self.series.len() as i32 - 1;
                let y = self.middle(at) + (2 * mark.series as i32 - middle) * MARK / 2;
                let style = &self.series[mark.series].1;
                if let Some((low, high)) = mark.interval {
                    let ends = vec![(scale.pixel(low), y), (scale.pixel(high), y)];
                    draw(root, PathElement::new(ends, style.colour.stroke_width(2)))?;
                }
                style.mark(root, (scale.pixel(mark.value), y), mark.look)?;
            }
            let words = text::fit(&panel.texts[at], SMALL, panel.room);
            // Nothing was measured: the reason stands where the marks would be.
            let x = if marks.is_empty() { left + 8 } else { right + 16 };
            let words = if marks.is_empty() { text::fit(&panel.texts[at], SMALL, width - 16) } else { words };
            text::write(root, &words, SMALL, (x, self.middle(at)), BLACK, false)?;
        }
        Ok(())
    }
}
