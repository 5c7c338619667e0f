//! Requests per second against the number of clients, for one tool.

use super::caption::Caption;
use super::servers::{label, order};
use super::style::{Area, Drawn, GREY, Look, Style};
use super::text::{self, DARK, MARGIN, NORMAL, SMALL};
use crate::records::{Cell, Limiter};
use anyhow::{Context, Result};
use plotters::coord::combinators::{BindKeyPoints, IntoLogRange};
use plotters::prelude::*;

const WIDTH: i32 = 1240;
/// Of one panel, where two stand side by side.
const PANEL: i32 = 472;
/// Of one panel, where they stand one above the other.
const STACKED: i32 = 400;
/// So many series have room side by side.
const FEW: usize = 8;
const LEGEND: i32 = 340;
const TOP: i32 = 124;
/// Keeps the turned title of the y axis off the edge.
const INSET: i32 = 12;
/// Below the panels, for what hollow markers, crosses and whiskers mean.
const BOTTOM: i32 = 84;

/// The rows of one server.
struct Series<'a> {
    name: &'a str,
    title: &'a str,
    style: Style,
    cells: Vec<&'a Cell>,
}

/// Draws the chart of one tool as SVG text.
pub(super) fn svg(cells: &[&Cell], caption: &Caption) -> Result<String> {
    let series = series(cells);
    let kinds: Vec<bool> = [true, false]
        .into_iter()
        .filter(|&kind| cells.iter().any(|cell| cell.shape.keep_alive == kind))
        .collect();
    // Markers that stand side by side at each number of clients need the width.
    let stacked = kinds.len() > 1 && series.len() > FEW;
    let panels = if stacked { STACKED * kinds.len() as i32 } else { PANEL };
    let height = (TOP + panels).max(legend_end(&series)) + BOTTOM;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
        root.fill(&WHITE)?;
        text::header(&root, &caption.title, &caption.lines)?;
        let room = WIDTH - LEGEND - INSET;
        let size = if stacked { (room, STACKED) } else { (room / kinds.len().max(1) as i32, PANEL) };
        for (at, &keep_alive) in kinds.iter().enumerate() {
            let at = at as i32;
            let corner = if stacked { (INSET, TOP + STACKED * at) } else { (INSET + size.0 * at, TOP) };
            let panel = root.clone().shrink(corner, size);
            panel_of(&panel, &series, keep_alive, kinds.len() > 1)?;
        }
        legend(&root, &series)?;
        footnotes(&root, cells, caption, height)?;
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

fn panel_of(panel: &Area, series: &[Series], keep_alive: bool, own_scale: bool) -> Drawn {
    let cells =
        || series.iter().flat_map(|one| &one.cells).filter(|cell| cell.shape.keep_alive == keep_alive);
    let mut clients: Vec<f64> = cells().map(|cell| cell.shape.concurrency as f64).collect();
    clients.sort_by(f64::total_cmp);
    clients.dedup();
    let (Some(&least), Some(&most)) = (clients.first(), clients.last()) else { return Ok(()) };
    let top = cells().map(|cell| cell.interval.map_or(cell.requests_per_second, |(_, high)| high));
    let top = top.fold(0.0, f64::max).max(1.0) * 1.08;

    let kind = if keep_alive { "Connections kept (keep-alive)" } else { "A connection per request" };
    let scale = if own_scale { " (scales differ)" } else { "" };
    text::write(panel, &format!("{kind}{scale}"), NORMAL, (84, 12), BLACK, false)?;

    // Room at both ends for the markers that stand beside the first and the last number.
    let pad = if least < most { (most / least).powf(0.2) } else { 2.0 };
    let x = (least / pad..most * pad).log_scale().base(2.0).with_key_points(clients.clone());
    let mut chart = ChartBuilder::on(panel)
        .margin_top(30)
        .margin_right(20)
        .x_label_area_size(56)
        .y_label_area_size(84)
        .build_cartesian_2d(x, 0.0..top)?;
    chart
        .configure_mesh()
        .x_labels(99)
        .y_labels(8)
        .x_label_formatter(&|clients| format!("{clients:.0}"))
        .y_label_formatter(&|speed| text::number(*speed))
        .x_desc("clients at once")
        .y_desc("requests per second")
        .label_style(text::font(SMALL))
        .axis_desc_style(text::font(NORMAL))
        .bold_line_style(GREY.mix(0.3))
        .light_line_style(TRANSPARENT)
        .draw()?;

    let dodge = Dodge::new(&clients, pad, chart.plotting_area().dim_in_pixel().0, series.len());
    let pixel = |at: usize, clients: usize, speed: f64| {
        let (x, y) = chart.backend_coord(&(clients as f64, speed));
        let (left, up) = panel.get_base_pixel();
        (x - left + dodge.of(at), y - up)
    };
    // Lines first, so that no line covers a marker. A point where some clients starve is no step of a line.
    for (at, one) in series.iter().enumerate() {
        let fair =
            one.cells.iter().filter(|cell| cell.shape.keep_alive == keep_alive && !cell.starves_clients());
        let points: Vec<(i32, i32)> =
            fair.map(|cell| pixel(at, cell.shape.concurrency, cell.requests_per_second)).collect();
        one.style.line(panel, &points)?;
    }
    for (at, one) in series.iter().enumerate() {
        for cell in one.cells.iter().filter(|cell| cell.shape.keep_alive == keep_alive) {
            let point = pixel(at, cell.shape.concurrency, cell.requests_per_second);
            if let Some((low, high)) = cell.interval {
                let [low, high] = [low, high].map(|speed| pixel(at, cell.shape.concurrency, speed).1);
                whisker(panel, point.0, low, high, one.style.colour)?;
            }
            one.style.mark(panel, point, look(cell))?;
        }
    }
    Ok(())
}

/// Sets the markers of several series side by side, so that equally fast servers can all be seen.
struct Dodge {
    step: f64,
    middle: f64,
}

impl Dodge {
    /// For markers at these numbers of clients, on a logarithmic axis that is longer by `pad` at each end.
    fn new(clients: &[f64], pad: f64, width: u32, series: usize) -> Self {
        let span = (clients[clients.len() - 1] / clients[0] * pad * pad).log2();
        let per_doubling = f64::from(width) / span;
        let nearest = clients.windows(2).map(|pair| (pair[1] / pair[0]).log2());
        let nearest = nearest.fold(2.0 * pad.log2(), f64::min) * per_doubling;
        Self { step: (0.8 * nearest / series as f64).min(14.0), middle: (series as f64 - 1.0) / 2.0 }
    }

    fn of(&self, at: usize) -> i32 {
        ((at as f64 - self.middle) * self.step).round() as i32
    }
}

fn whisker(panel: &Area, x: i32, low: i32, high: i32, colour: RGBColor) -> Drawn {
    for path in [[(x, low), (x, high)], [(x - 5, low), (x + 5, low)], [(x - 5, high), (x + 5, high)]] {
        super::style::draw(panel, PathElement::new(path.to_vec(), colour.stroke_width(1)))?;
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

/// Where the legend ends.
fn legend_end(series: &[Series]) -> i32 {
    let crosses = series.iter().filter(|one| one.cells.iter().any(|cell| cell.starves_clients())).count();
    TOP + 44 + 28 * series.len() as i32 + 22 * crosses as i32
}

/// Beside the plot, never over it.
fn legend(root: &Area, series: &[Series]) -> Drawn {
    let left = WIDTH - LEGEND + 4;
    let room = LEGEND - 4 - 56 - MARGIN;
    let mut y = TOP + 44;
    for one in series {
        one.style.line(root, &[(left, y), (left + 44, y)])?;
        one.style.mark(root, (left + 22, y), Look::Filled)?;
        let name = text::fit(&label(one.name, one.title), SMALL, room);
        text::write(root, &name, SMALL, (left + 56, y), BLACK, false)?;
        y += 22;
        let starving: Vec<&&Cell> = one.cells.iter().filter(|cell| cell.starves_clients()).collect();
        if let (Some(first), Some(last)) = (starving.first(), starving.last()) {
            one.style.mark(root, (left + 22, y), Look::Cross)?;
            let clients = match (first.shape.concurrency, last.shape.concurrency) {
                (few, many) if few == many => few.to_string(),
                (few, many) => format!("{few} to {many}"),
            };
            let note = format!("{} of {clients} clients served", last.clients_served);
            text::write(root, &text::fit(&note, SMALL, room), SMALL, (left + 56, y), BLACK, false)?;
            y += 22;
        }
        y += 6;
    }
    Ok(())
}

fn footnotes(root: &Area, cells: &[&Cell], caption: &Caption, height: i32) -> Drawn {
    let mut signs = Vec::new();
    if cells.iter().any(|cell| look(cell) == Look::Hollow) {
        signs.push("Hollow: the generator was the limit, the server could do more.");
    }
    if cells.iter().any(|cell| look(cell) == Look::Cross) {
        signs.push("Cross: the other clients got no answer at all.");
    }
    let mut shape = vec!["Markers stand side by side at each number of clients."];
    shape.extend(caption.whiskers);
    let room = WIDTH - 2 * MARGIN;
    let lines = [signs.join(" "), shape.join(" "), caption.not_measured.join("; ")];
    for (at, line) in lines.iter().filter(|line| !line.is_empty()).enumerate() {
        let y = height - BOTTOM + 20 + 22 * at as i32;
        text::write(root, &text::fit(line, SMALL, room), SMALL, (MARGIN, y), DARK, false)?;
    }
    Ok(())
}

/// The file of a tool's chart.
pub(super) fn file_name(tool: &str) -> Result<String> {
    let plain = tool.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    plain
        .then(|| format!("requests-per-second-{tool}.svg"))
        .with_context(|| format!("'{tool}' is no tool's name"))
}
