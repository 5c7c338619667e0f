//! All servers on one picture: how much it does, and what a request costs it.

use super::caption::Caption;
use super::speed::look;
use super::style::{Area, Drawn, GREY, Look, Style, draw};
use super::text::NAMES;
use super::text::{self, DARK, MARGIN, NORMAL, SMALL};
use anyhow::Result;
use plotters::prelude::*;
use records::{Cell, FLOOR, is_reference, label, order};

const WIDTH: i32 = 1240;
const TOP: i32 = 172;
const ROW: i32 = 34;
const THICKNESS: i32 = 20;
/// For the figure at the end of a bar, and what restricts it.
const FIGURE: i32 = 200;
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(230, 159, 0);

/// Draws the cells of one load as SVG text.
pub(super) fn svg(cells: &[&Cell], caption: &Caption) -> Result<String> {
    let mut rows = cells.to_vec();
    rows.sort_by(|one, other| order(&one.shape.stage).cmp(&order(&other.shape.stage)));
    let notes = text::wrap_all(&notes(&rows, caption), SMALL, WIDTH - 2 * MARGIN);
    let bottom = TOP + ROW * rows.len() as i32;
    let height = bottom + 34 + 22 * notes.len() as i32;
    let mut lines = caption.lines.clone();
    let hollow = rows.iter().filter(|cell| look(cell) == Look::Hollow).count();
    if hollow > 0 {
        lines.push(format!(
            "Hollow ({hollow} of {}): the generator was the limit. The lengths of these bars do not compare the servers; \
             the right side does.",
            rows.len()
        ));
    }
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
        root.fill(&WHITE)?;
        text::header(&root, &caption.title, &lines)?;
        for (at, cell) in rows.iter().enumerate() {
            let name = text::fit(&label(&cell.shape.stage, &cell.title), NORMAL, NAMES - MARGIN - 8);
            text::write(&root, &name, NORMAL, (NAMES - 10, middle(at)), BLACK, true)?;
        }
        let half = (WIDTH - NAMES) / 2;
        let speed = |cell: &Cell| Bar {
            value: Some(cell.requests_per_second),
            interval: cell.interval,
            look: look(cell),
        };
        column(&root, &rows, NAMES, half, ("Requests per second (more is better)", BLUE), &speed)?;
        let cost = |cell: &Cell| Bar {
            value: cell.cpu_us_per_request,
            interval: cell.cpu_interval,
            look: Look::Filled,
        };
        column(
            &root,
            &rows,
            NAMES + half,
            half,
            ("Server CPU time per request, µs (less is better)", ORANGE),
            &cost,
        )?;
        for (at, line) in notes.iter().enumerate() {
            text::write(&root, line, SMALL, (MARGIN, bottom + 30 + 22 * at as i32), DARK, false)?;
        }
        root.present()?;
    }
    Ok(svg)
}

fn middle(row: usize) -> i32 {
    TOP + ROW * row as i32 + ROW / 2
}

fn notes(rows: &[&Cell], caption: &Caption) -> Vec<String> {
    let mut signs = Vec::new();
    if rows.iter().any(|cell| look(cell) == Look::Cross) {
        signs.push("Pale: the other clients got no answer at all.");
    }
    signs.extend(caption.whiskers);
    let mut notes = vec![signs.join(" ")];
    let floor = rows.iter().find(|cell| cell.shape.stage == FLOOR);
    let above = floor
        .is_some_and(|floor| rows.iter().any(|cell| cell.requests_per_second > floor.requests_per_second));
    if above {
        notes.push(
            "Longer than the floor's bar does not mean less work than the kernel's own: where the generator was the limit \
             the difference is chance, and elsewhere the floor, one thread with epoll, need not be the fastest way."
                .to_owned(),
        );
    }
    notes
}

/// What one bar shows.
struct Bar {
    value: Option<f64>,
    interval: Option<(f64, f64)>,
    look: Look,
}

fn column(
    root: &Area,
    rows: &[&Cell],
    left: i32,
    width: i32,
    (title, colour): (&str, RGBColor),
    bar_of: &dyn Fn(&Cell) -> Bar,
) -> Drawn {
    text::write(root, title, NORMAL, (left, TOP - 16), BLACK, false)?;
    let ends = rows
        .iter()
        .map(|cell| bar_of(cell))
        .filter_map(|bar| bar.interval.map(|(_, high)| high).or(bar.value));
    let most = ends.fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let pixel = |value: f64| left + (f64::from(width - FIGURE) * value / most).round() as i32;
    for (at, cell) in rows.iter().enumerate() {
        let y = middle(at);
        let bar = bar_of(cell);
        let Some(value) = bar.value else {
            text::write(root, "no answers", SMALL, (left + 8, y), GREY, false)?;
            continue;
        };
        let name = &cell.shape.stage;
        let colour = if is_reference(name) { Style::of(name).colour } else { colour };
        let mut right = pixel(value).max(left + 1);
        let corners = [(left, y - THICKNESS / 2), (right, y + THICKNESS / 2)];
        let inside = match bar.look {
            Look::Filled => colour.to_rgba(),
            Look::Hollow => WHITE.to_rgba(),
            Look::Cross => colour.mix(0.25),
        };
        draw(root, Rectangle::new(corners, inside.filled()))?;
        draw(root, Rectangle::new(corners, colour.stroke_width(2)))?;
        if let Some((low, high)) = bar.interval {
            draw(root, PathElement::new(vec![(pixel(low), y), (pixel(high), y)], BLACK.stroke_width(2)))?;
            right = right.max(pixel(high));
        }
        let mut figure = text::number(value);
        if bar.look == Look::Cross {
            figure.push_str(&format!(" ({} of {} served)", cell.clients_served, cell.shape.concurrency));
        }
        text::write(root, &text::fit(&figure, SMALL, FIGURE - 12), SMALL, (right + 8, y), BLACK, false)?;
    }
    Ok(())
}
