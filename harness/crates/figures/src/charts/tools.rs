//! The tools on the same server with the same number of clients: what a figure owes to the tool.

use super::caption::Caption;
use super::rows::{Mark, Panel, Rows};
use super::selection::{nearest, survey};
use super::source::{Chart, Source};
use super::speed::look;
use super::style::{Look, Style};
use super::text;
use anyhow::Result;
use records::{Cell, Record, label, order};
use std::collections::BTreeSet;

/// The tools, in the order in which they are drawn, each with what it does that the others do not.
const TOOLS: [(&str, &str); 4] = [
    ("wrk", "wrk: HTTP/1.1, an event loop, here one thread"),
    ("ab", "ab: HTTP/1.0, one thread; without keep-alive it also reads until the server closes"),
    ("webbench", "webbench: HTTP/1.0, a process forked for each client, a connection for each request"),
    ("builtin", "builtin: HTTP/1.1, one thread, checks every reply"),
];

/// Requests per second by each tool, kept connections and a connection per request apart.
pub(super) fn chart(cells: &[Cell], records: &[Record], source: &Source) -> Result<Option<Chart>> {
    let tools: Vec<(&str, &str)> = TOOLS.into_iter().filter(|(tool, _)| used(cells, tool)).collect();
    // One tool alone is beside nothing.
    if tools.len() < 2 {
        return Ok(None);
    }
    let Some(clients) = nearest(shared_clients(cells, &tools).into_iter()) else { return Ok(None) };
    let cells: Vec<&Cell> = cells.iter().filter(|cell| cell.shape.concurrency == clients).collect();
    let mut servers: Vec<(&str, &str)> =
        cells.iter().map(|cell| (cell.shape.stage.as_str(), cell.title.as_str())).collect();
    servers.sort_by_key(|(name, _)| order(name));
    servers.dedup_by_key(|(name, _)| *name);

    // What a tool cannot do by its nature is no gap.
    let panel_of = |record: &Record| {
        cells
            .iter()
            .any(|cell| (&cell.shape.tool, cell.shape.keep_alive) == (&record.tool, record.keep_alive))
    };
    let its_records: Vec<&Record> =
        survey(records).filter(|record| record.concurrency == clients && panel_of(record)).collect();
    let title = format!("The same servers, measured by {} tools with {clients} clients", tools.len());
    let caption = Caption::new(title.clone(), &its_records, source);
    let panels =
        [true, false].into_iter().filter_map(|keep_alive| panel(&cells, &servers, &tools, keep_alive));
    let rows = Rows {
        names: servers.iter().map(|(name, title)| label(name, title)).collect(),
        series: tools
            .iter()
            .enumerate()
            .map(|(at, (tool, _))| ((*tool).to_owned(), Style::series(at)))
            .collect(),
        panels: panels.collect(),
        notes: notes(&cells, &tools, &caption),
    };
    let svg = rows.svg(&caption)?;
    Ok(Some(source.chart("tools-side-by-side.svg", title, svg)))
}

fn used(cells: &[Cell], tool: &str) -> bool {
    cells.iter().any(|cell| cell.shape.tool == tool)
}

/// The numbers of clients that most of the tools were used with.
fn shared_clients(cells: &[Cell], tools: &[(&str, &str)]) -> Vec<usize> {
    let clients: BTreeSet<usize> = cells.iter().map(|cell| cell.shape.concurrency).collect();
    let used = |clients: usize| {
        let with =
            |tool| cells.iter().any(|cell| cell.shape.tool == tool && cell.shape.concurrency == clients);
        tools.iter().filter(|(tool, _)| with(*tool)).count()
    };
    let most = clients.iter().map(|&clients| used(clients)).max().unwrap_or(0);
    clients.into_iter().filter(|&clients| used(clients) == most).collect()
}

fn panel(
    cells: &[&Cell],
    servers: &[(&str, &str)],
    tools: &[(&str, &str)],
    keep_alive: bool,
) -> Option<Panel> {
    let cells: Vec<&&Cell> = cells.iter().filter(|cell| cell.shape.keep_alive == keep_alive).collect();
    if cells.is_empty() {
        return None;
    }
    let marks = |name: &str| {
        let of_tool = |series: usize, tool: &str| {
            let cell = cells.iter().find(|cell| cell.shape.stage == name && cell.shape.tool == tool)?;
            let (value, interval) = (cell.requests_per_second, cell.interval);
            Some(Mark { series, value, interval, look: look(cell) })
        };
        tools.iter().enumerate().filter_map(|(series, (tool, _))| of_tool(series, tool)).collect::<Vec<_>>()
    };
    let marks: Vec<Vec<Mark>> = servers.iter().map(|(name, _)| marks(name)).collect();
    let text = |marks: &Vec<Mark>| if marks.is_empty() { "not measured" } else { "" }.to_owned();
    let texts = marks.iter().map(text).collect();
    let kind = if keep_alive { "Connections kept (keep-alive)" } else { "A connection per request" };
    Some(Panel {
        title: format!("{kind}; scales differ"),
        axis: "requests per second (more is better)",
        log: false,
        marks,
        texts,
        room: 0,
        number: text::number,
    })
}

fn notes(cells: &[&Cell], tools: &[(&str, &str)], caption: &Caption) -> Vec<String> {
    let how: Vec<&str> = tools.iter().map(|(_, how)| *how).collect();
    let mut notes = vec![format!(
        "Why they differ: {}. A tool that needs more CPU time itself reaches its own limit sooner.",
        how.join("; ")
    )];
    let mut signs = Vec::new();
    if cells.iter().any(|cell| look(cell) == Look::Hollow) {
        signs.push("Hollow: the generator was the limit, the server could do more.");
    }
    if cells.iter().any(|cell| look(cell) == Look::Cross) {
        signs.push("Cross: some of the clients got no answer at all.");
    }
    signs.extend(caption.whiskers);
    notes.push(signs.join(" "));
    notes.push(caption.not_measured.join("; "));
    notes
}
