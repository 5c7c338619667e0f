//! What a request costs each server, as a multiple of the floor's cost around it.

use super::caption::Caption;
use super::scale::linear_ticks;
use super::style::{Drawn, GREY, Look, Style, draw};
use super::text::NAMES;
use super::text::{self, DARK, MARGIN, NORMAL, SMALL};
use anyhow::Result;
use lab_core::units::ratio;
use plotters::prelude::*;
use records::{FLOOR, Pair, label, order};

const WIDTH: i32 = 1240;
const TOP: i32 = 140;
const ROW: i32 = 34;
/// For the figures at the right.
const FIGURES: i32 = 380;

/// Draws the pairs as SVG text; the floor against itself first.
pub(super) fn svg(pairs: &[Pair], caption: &Caption) -> Result<String> {
    let mut rows: Vec<&Pair> = pairs.iter().collect();
    rows.sort_by(|one, other| order(&one.stage).cmp(&order(&other.stage)));
    let floor = rows.first().copied().filter(|pair| pair.stage == FLOOR);
    let bottom = TOP + ROW * rows.len() as i32 + 10;
    let mut svg = String::new();
    {
        let size = (WIDTH as u32, bottom as u32 + 106);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        text::header(&root, &caption.title, &caption.lines)?;
        let scale = Scale::over(&rows);
        if let Some((low, high)) = floor.and_then(|pair| pair.interval) {
            let corners = [(scale.pixel(low), TOP), (scale.pixel(high), bottom)];
            draw(&root, Rectangle::new(corners, GREY.mix(0.2).filled()))?;
        }
        axis(&root, &scale, bottom)?;
        for (at, pair) in rows.iter().enumerate() {
            let y = TOP + ROW * at as i32 + ROW / 2;
            let name = match pair.stage == FLOOR {
                true => "floor against itself".to_owned(),
                false => label(&pair.stage, &pair.title),
            };
            let name = text::fit(&name, NORMAL, NAMES - MARGIN - 8);
            text::write(&root, &name, NORMAL, (NAMES - 10, y), BLACK, true)?;
            let style = Style::of(&pair.stage);
            if let Some((low, high)) = pair.interval {
                let ends = vec![(scale.pixel(low), y), (scale.pixel(high), y)];
                draw(&root, PathElement::new(ends, style.colour.stroke_width(3)))?;
            }
            if pair.ratio.is_finite() {
                style.mark(&root, (scale.pixel(pair.ratio), y), Look::Filled)?;
            }
            let figures = text::fit(&figures(pair, floor), SMALL, FIGURES - MARGIN - 16);
            text::write(&root, &figures, SMALL, (WIDTH - FIGURES + 16, y), BLACK, false)?;
        }
        let band = "Grey band: the floor against itself. A server whose line touches it cannot be told from the floor here.";
        let lines = [band, caption.whiskers.unwrap_or_default()];
        for (at, line) in lines.into_iter().enumerate() {
            text::write(&root, line, SMALL, (MARGIN, bottom + 70 + 22 * at as i32), DARK, false)?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// `1.07 (1.03 to 1.10)`, and whether that is more than chance.
fn figures(pair: &Pair, floor: Option<&Pair>) -> String {
    let mut text = ratio(pair.ratio);
    if let Some((low, high)) = pair.interval {
        text.push_str(&format!(" ({low:.2} to {high:.2})"));
    }
    if let Some(verdict) =
        floor.filter(|floor| floor.stage != pair.stage).and_then(|floor| pair.verdict(floor))
    {
        text.push_str(&format!(", {verdict}"));
    }
    text
}

/// Ratios to pixels.
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn over(rows: &[&Pair]) -> Self {
        let ends = || rows.iter().flat_map(|pair| pair.interval.map_or([pair.ratio; 2], <[f64; 2]>::from));
        let least = ends().fold(1.0, f64::min);
        let most = ends().fold(1.0, f64::max);
        // A difference of a few per cent must not fill the picture.
        let room = (0.06 * (most - least)).max(0.05);
        Self { least: (least - room).max(0.0), most: most + room }
    }

    fn pixel(&self, ratio: f64) -> i32 {
        let width = f64::from(WIDTH - NAMES - FIGURES);
        NAMES + (width * (ratio - self.least) / (self.most - self.least)).round() as i32
    }
}

fn axis(root: &super::style::Area, scale: &Scale, bottom: i32) -> Drawn {
    for tick in linear_ticks(scale.least, scale.most, 8) {
        let x = scale.pixel(tick);
        draw(root, PathElement::new(vec![(x, TOP), (x, bottom)], GREY.mix(0.3).stroke_width(1)))?;
        text::write(root, &format!("{tick:.2}"), SMALL, (x + 16, bottom + 16), BLACK, true)?;
    }
    let one = scale.pixel(1.0);
    draw(root, PathElement::new(vec![(one, TOP), (one, bottom)], BLACK.stroke_width(1)))?;
    let title = "server CPU time per request ÷ the floor's";
    text::write(root, title, NORMAL, (NAMES, bottom + 42), BLACK, false)
}
