//! Requests per second with one number of clients: a row for each server, since there is no curve to draw.

use super::caption::Caption;
use super::rows::{Mark, Panel, Rows};
use super::speed::look;
use super::style::{Look, Style};
use super::text;
use anyhow::Result;
use records::{Cell, label, order};

/// Whether the cells have one number of clients, kept connections and others alike.
pub(super) fn one_load(cells: &[&Cell]) -> Option<usize> {
    let clients = cells.first()?.shape.concurrency;
    cells.iter().all(|cell| cell.shape.concurrency == clients).then_some(clients)
}

/// Draws the cells of one tool as SVG text.
pub(super) fn svg(cells: &[&Cell], caption: &Caption) -> Result<String> {
    let mut servers: Vec<(&str, &str)> =
        cells.iter().map(|cell| (cell.shape.stage.as_str(), cell.title.as_str())).collect();
    servers.sort_by_key(|(name, _)| order(name));
    servers.dedup_by_key(|(name, _)| *name);
    let kinds: Vec<bool> = [true, false]
        .into_iter()
        .filter(|&kind| cells.iter().any(|cell| cell.shape.keep_alive == kind))
        .collect();
    let panel = |keep_alive: bool| {
        let cell = |name: &str| {
            cells.iter().find(|cell| cell.shape.stage == name && cell.shape.keep_alive == keep_alive)
        };
        let mark = |name: &str| {
            let cell = cell(name)?;
            let (value, interval) = (cell.requests_per_second, cell.interval);
            Some(Mark { series: 0, value, interval, look: look(cell) })
        };
        let kind = if keep_alive { "Connections kept (keep-alive)" } else { "A connection per request" };
        let scale = if kinds.len() > 1 { "; scales differ" } else { "" };
        Panel {
            title: format!("{kind}{scale}"),
            axis: "requests per second (more is better)",
            log: false,
            marks: servers.iter().map(|(name, _)| mark(name).into_iter().collect()).collect(),
            texts: servers
                .iter()
                .map(|(name, _)| cell(name).map_or("not measured".into(), |cell| words(cell)))
                .collect(),
            room: 150,
            number: text::number,
        }
    };
    let picture = Rows {
        names: servers.iter().map(|(name, title)| label(name, title)).collect(),
        series: vec![(String::new(), Style::series(0))],
        panels: kinds.iter().map(|&kind| panel(kind)).collect(),
        notes: notes(cells, caption),
    };
    picture.svg(caption)
}

/// `20,350`, `17,126 (1 of 64)`.
fn words(cell: &Cell) -> String {
    let speed = text::number(cell.requests_per_second);
    match cell.starves_clients() {
        true => format!("{speed} ({} of {})", cell.clients_served, cell.shape.concurrency),
        false => speed,
    }
}

fn notes(cells: &[&Cell], caption: &Caption) -> Vec<String> {
    let mut signs = Vec::new();
    if cells.iter().any(|cell| look(cell) == Look::Hollow) {
        signs.push("Hollow: the generator was the limit, the server could do more.");
    }
    if cells.iter().any(|cell| look(cell) == Look::Cross) {
        signs.push("Cross: only so many of the clients were served, the others got no answer at all.");
    }
    signs.extend(caption.whiskers);
    vec![signs.join(" "), caption.not_measured.join("; ")]
}
