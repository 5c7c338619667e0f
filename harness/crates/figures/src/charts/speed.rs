//! Requests per second against the number of clients, for one tool.

use super::caption::Caption;
use super::scale::Scale;
use super::style::{Area, Drawn, GREY, Look, Style, draw};
use super::text::{self, DARK, MARGIN, NORMAL, SMALL};
use anyhow::{Context, Result};
use plotters::prelude::*;
use records::{Cell, Limiter, label, order};

const WIDTH: i32 = 1240;
/// Of one panel at least; its legend may need more.
const PANEL: i32 = 400;
const TOP: i32 = 118;
/// Of a panel's axes, within the panel.
const HEAD: i32 = 36;
const FOOT: i32 = 64;
const LEFT: i32 = 96;
const RIGHT: i32 = WIDTH - 350;
/// Of the legend's lines.
const ENTRY: i32 = 24;
/// Markers of one number of clients stand at most so far apart.
const STEP: f64 = 16.0;
/// Behind the markers of one number of clients.
const BAND: RGBColor = RGBColor(244, 244, 244);

/// The rows of one server.
struct Series<'a> {
    name: &'a str,
    title: &'a str,
    style: Style,
    cells: Vec<&'a Cell>,
}

/// Draws the chart of one tool as SVG text: kept connections above, a connection per request below.
pub(super) fn svg(cells: &[&Cell], caption: &Caption) -> Result<String> {
    let mut panels: Vec<Panel> = Vec::new();
    let mut top = TOP;
    for (kind, keep_alive) in [("Connections kept (keep-alive)", true), ("A connection per request", false)] {
        let its: Vec<&Cell> =
            cells.iter().copied().filter(|cell| cell.shape.keep_alive == keep_alive).collect();
        if !its.is_empty() {
            let panel = Panel::new(kind, &its, top);
            top = panel.bottom;
            panels.push(panel);
        }
    }
    let notes = text::wrap_all(&notes(cells, caption), SMALL, WIDTH - 2 * MARGIN);
    let height = top + 36 + 22 * notes.len() as i32;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
        root.fill(&WHITE)?;
        text::header(&root, &caption.title, &caption.lines)?;
        let one_of_two = panels.len() > 1;
        for panel in &panels {
            panel.axes(&root, one_of_two)?;
            panel.curves(&root)?;
            legend(&root, &panel.series, panel.top + HEAD)?;
        }
        for (at, line) in notes.iter().enumerate() {
            text::write(&root, line, SMALL, (MARGIN, top + 20 + 22 * at as i32), DARK, false)?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// One series per server: the reference first, then the stages in order.
fn series<'a>(cells: &[&'a Cell]) -> Vec<Series<'a>> {
    let mut names: Vec<&str> = cells.iter().map(|cell| cell.shape.stage.as_str()).collect();
    names.sort_unstable_by_key(|name| order(name));
    names.dedup();
    let series = names.into_iter().map(|name| {
        let mut cells: Vec<&Cell> = cells.iter().copied().filter(|cell| cell.shape.stage == name).collect();
        cells.sort_by_key(|cell| cell.shape.concurrency);
        Series {
            name,
            title: cells.first().map_or("", |cell| cell.title.as_str()),
            style: Style::of(name),
            cells,
        }
    });
    series.collect()
}

/// One picture: the servers that have a point on it, and a band for each number of clients.
struct Panel<'a> {
    kind: &'static str,
    series: Vec<Series<'a>>,
    clients: Vec<usize>,
    top: i32,
    bottom: i32,
    y: Scale,
}

impl<'a> Panel<'a> {
    fn new(kind: &'static str, cells: &[&'a Cell], top: i32) -> Self {
        let series = series(cells);
        let mut clients: Vec<usize> = cells.iter().map(|cell| cell.shape.concurrency).collect();
        clients.sort_unstable();
        clients.dedup();
        let bottom = top + PANEL.max(HEAD + legend_height(&series) + 24);
        let values =
            cells.iter().map(|cell| cell.interval.map_or(cell.requests_per_second, |(_, high)| high));
        let y = Scale::from_zero(values, (bottom - FOOT, top + HEAD));
        Self { kind, series, clients, top, bottom, y }
    }

    /// The left and the right end of a band.
    fn band(&self, at: usize) -> (i32, i32) {
        let count = self.clients.len() as i32;
        let edge = |at: i32| LEFT + (RIGHT - LEFT) * at / count;
        (edge(at as i32) + 6, edge(at as i32 + 1) - 6)
    }

    fn axes(&self, root: &Area, one_of_two: bool) -> Drawn {
        let scale = if one_of_two { "; the scales of the two pictures differ" } else { "" };
        let title = format!("{}: requests per second (more is better){scale}", self.kind);
        text::write(root, &title, NORMAL, (LEFT, self.top + 16), BLACK, false)?;
        let (bottom, top) = self.y.ends();
        for (at, clients) in self.clients.iter().enumerate() {
            let (left, right) = self.band(at);
            draw(root, Rectangle::new([(left, top), (right, bottom)], BAND.filled()))?;
            let words = text::number(*clients as f64);
            text::centred(root, &words, SMALL, ((left + right) / 2, bottom + 16), BLACK)?;
        }
        for tick in self.y.ticks(8) {
            let y = self.y.pixel(tick);
            draw(root, PathElement::new(vec![(LEFT, y), (RIGHT, y)], GREY.mix(0.3).stroke_width(1)))?;
            text::write(root, &text::number(tick), SMALL, (LEFT - 8, y), BLACK, true)?;
        }
        text::centred(root, "clients at once", NORMAL, ((LEFT + RIGHT) / 2, bottom + 38), BLACK)
    }

    /// Where a point stands: in the band of its number of clients, beside those of the other servers, so that equally
    /// fast servers can all be seen.
    fn place(&self, series: usize, clients: usize, speed: f64) -> (i32, i32) {
        let band = self.clients.iter().position(|&one| one == clients).unwrap_or(0);
        let (left, right) = self.band(band);
        let step = (f64::from(right - left) / self.series.len() as f64).min(STEP);
        let aside = step * (series as f64 - (self.series.len() as f64 - 1.0) / 2.0);
        ((left + right) / 2 + aside.round() as i32, self.y.pixel(speed))
    }

    fn curves(&self, root: &Area) -> Drawn {
        // Lines first, so that no line covers a marker. A point where some clients starve is no step of a line.
        for (at, one) in self.series.iter().enumerate() {
            let fair = one.cells.iter().filter(|cell| !cell.starves_clients());
            let place = |cell: &&Cell| self.place(at, cell.shape.concurrency, cell.requests_per_second);
            one.style.faint_line(root, &fair.map(place).collect::<Vec<_>>())?;
        }
        for (at, one) in self.series.iter().enumerate() {
            for cell in &one.cells {
                let place = |speed: f64| self.place(at, cell.shape.concurrency, speed);
                let point = place(cell.requests_per_second);
                if let Some((low, high)) = cell.interval {
                    whisker(root, point.0, place(low).1, place(high).1, one.style.colour)?;
                }
                one.style.mark(root, point, look(cell))?;
            }
        }
        Ok(())
    }
}

fn whisker(panel: &Area, x: i32, low: i32, high: i32, colour: RGBColor) -> Drawn {
    for path in [[(x, low), (x, high)], [(x - 5, low), (x + 5, low)], [(x - 5, high), (x + 5, high)]] {
        draw(panel, PathElement::new(path.to_vec(), colour.stroke_width(1)))?;
    }
    Ok(())
}

pub(super) fn look(cell: &Cell) -> Look {
    match cell.limiter {
        _ if cell.starves_clients() => Look::Cross,
        Limiter::Generator => Look::Hollow,
        _ => Look::Filled,
    }
}

fn legend_height(series: &[Series]) -> i32 {
    let crosses = series.iter().filter(|one| one.cells.iter().any(|cell| cell.starves_clients())).count();
    ENTRY * (series.len() + crosses) as i32
}

/// Beside the plot, never over it: the servers that have a point there.
fn legend(root: &Area, series: &[Series], top: i32) -> Drawn {
    let left = RIGHT + 24;
    let room = WIDTH - MARGIN - left - 56;
    let mut y = top + ENTRY / 2;
    for one in series {
        one.style.line(root, &[(left, y), (left + 44, y)])?;
        one.style.mark(root, (left + 22, y), Look::Filled)?;
        let name = text::fit(&label(one.name, one.title), SMALL, room);
        text::write(root, &name, SMALL, (left + 56, y), BLACK, false)?;
        y += ENTRY;
        let starving: Vec<&&Cell> = one.cells.iter().filter(|cell| cell.starves_clients()).collect();
        if let (Some(first), Some(last)) = (starving.first(), starving.last()) {
            one.style.mark(root, (left + 22, y), Look::Cross)?;
            let clients = match (first.shape.concurrency, last.shape.concurrency) {
                (few, many) if few == many => few.to_string(),
                (few, many) => format!("{few} to {many}"),
            };
            let note = format!("{} of {clients} clients served", last.clients_served);
            text::write(root, &text::fit(&note, SMALL, room), SMALL, (left + 56, y), BLACK, false)?;
            y += ENTRY;
        }
    }
    Ok(())
}

fn notes(cells: &[&Cell], caption: &Caption) -> Vec<String> {
    let mut signs = Vec::new();
    if cells.iter().any(|cell| look(cell) == Look::Hollow) {
        signs.push("Hollow: the generator was the limit, the server could do more.");
    }
    if cells.iter().any(|cell| look(cell) == Look::Cross) {
        signs.push("Cross: the other clients got no answer at all.");
    }
    let mut shape = vec![
        "All markers in a grey band are of the same number of clients: they stand side by side only to be seen. Lines \
         guide the eye from band to band.",
    ];
    shape.extend(caption.whiskers);
    vec![signs.join(" "), shape.join(" "), caption.not_measured.join("; ")]
}

/// The file of a tool's chart.
pub(super) fn file_name(tool: &str) -> Result<String> {
    let plain = tool.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    plain
        .then(|| format!("requests-per-second-{tool}.svg"))
        .with_context(|| format!("'{tool}' is no tool's name"))
}
