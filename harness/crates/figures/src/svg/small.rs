//! A few servers beside each other on one logarithmic axis, as wide as a column of text. The background is
//! white and drawn, so that the picture can be read on a dark page too.

use super::draw::{GREY, draw, symbol};
use super::text::{self, MARGIN, NORMAL, SMALL};
use crate::model::{Interval, Marker, Style};
use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

/// A page of the book is about as wide, in pixels.
const WIDTH: i32 = 720;
/// The room for the names, and for the numbers at the right.
const NAMES: i32 = 210;
const NUMBERS: i32 = 170;
/// The height of a row, and of a group's title.
const ROW: i32 = 30;
/// What may stand at the axis: each is about as far from the next.
const TICKS: [f64; 13] = [1.0, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];

/// A server in a group.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) server: String,
    pub(crate) label: String,
    /// Its median; a row without one says why.
    pub(crate) value: Option<f64>,
    pub(crate) interval: Option<Interval>,
    /// At the right: the number, or why there is none.
    pub(crate) text: String,
}

/// Draws groups of rows, each under its title.
pub(crate) fn small(title: &str, groups: &[(String, Vec<Row>)], axis: &str) -> Result<String> {
    let rows: i32 = groups.iter().map(|(_, rows)| 1 + rows.len() as i32).sum();
    let (top, foot) = (44, 62);
    let height = top + ROW * rows + foot;
    let ends = groups.iter().flat_map(|(_, rows)| rows).flat_map(|row| {
        let interval = row.interval.iter().flat_map(|interval| [interval.low, interval.high]);
        interval.chain(row.value).collect::<Vec<_>>()
    });
    // The floor is always there, and a picture of nothing else has some width too.
    let (low, high) = ends
        .fold((0.95, 1.3), |(low, high): (f64, f64), value| (low.min(value / 1.03), high.max(value * 1.06)));
    let x = |value: f64| {
        let share = (value / low).ln() / (high / low).ln();
        NAMES + (share * f64::from(WIDTH - NAMES - NUMBERS)).round() as i32
    };
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
        root.fill(&WHITE)?;
        let bottom = top + ROW * rows;
        text::write(&root, title, NORMAL, (MARGIN, 22), BLACK, HPos::Left)?;
        let mut last = i32::MIN;
        for tick in TICKS.into_iter().filter(|tick| (low..=high).contains(tick)) {
            let line = vec![(x(tick), top), (x(tick), bottom)];
            let style = if tick == 1.0 { GREY.stroke_width(2) } else { GREY.mix(0.3).stroke_width(1) };
            draw(&root, PathElement::new(line, style))?;
            if x(tick) >= last + 34 {
                last = x(tick);
                text::write(&root, &tick.to_string(), SMALL, (last, bottom + 14), BLACK, HPos::Center)?;
            }
        }
        let middle = (NAMES + WIDTH - NUMBERS) / 2;
        text::write(&root, axis, SMALL, (middle, bottom + 40), text::DARK, HPos::Center)?;
        let mut y = top + ROW / 2;
        for (name, rows) in groups {
            text::write(&root, name, SMALL, (MARGIN, y), text::DARK, HPos::Left)?;
            y += ROW;
            for row in rows {
                let style = Style::of(&row.server);
                let label = text::fit(&row.label, SMALL, NAMES - MARGIN - 12);
                text::write(&root, &label, SMALL, (NAMES - 12, y), BLACK, HPos::Right)?;
                if let Some(interval) = &row.interval {
                    let stroke = RGBColor::from(style.colour).stroke_width(2);
                    let (low, high) = (x(interval.low), x(interval.high));
                    draw(&root, PathElement::new(vec![(low, y), (high, y)], stroke))?;
                    // The ends are seen even where the marker is wider than the interval.
                    for end in [low, high] {
                        draw(&root, PathElement::new(vec![(end, y - 10), (end, y + 10)], stroke))?;
                    }
                }
                if let Some(value) = row.value {
                    draw(&root, symbol((x(value), y), style, Marker::Filled))?;
                }
                let words = text::fit(&row.text, SMALL, NUMBERS - 20);
                text::write(&root, &words, SMALL, (WIDTH - NUMBERS + 14, y), BLACK, HPos::Left)?;
                y += ROW;
            }
        }
        root.present()?;
    }
    Ok(svg)
}
