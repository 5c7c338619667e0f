//! Requests per second, and what a request costs, against the number of clients; a figure for each tool.

use super::data::{Data, HOLLOW, connections, servers_of, signs};
use super::overview::{points_of, speed_and_cost};
use crate::model::{Axis, Figure, Look, Plot, Point, Points, Scale, Show, Unit};
use anyhow::{Result, ensure};
use records::{Cell, Record, cells};
use std::collections::BTreeSet;

/// A tool each.
pub(super) fn build(data: &Data) -> Result<Vec<Figure>> {
    let cells = cells(&data.records);
    let tools: BTreeSet<&str> = cells.iter().map(|cell| cell.shape.tool.as_str()).collect();
    let of_tool = |tool: &str| {
        let its: Vec<&Cell> = cells.iter().filter(|cell| cell.shape.tool == tool).collect();
        by(tool, &its, data)
    };
    tools.into_iter().map(of_tool).collect()
}

fn by(tool: &str, cells: &[&Cell], data: &Data) -> Result<Figure> {
    let is_plain = tool.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    ensure!(is_plain, "'{tool}' is no tool's name");
    let clients: BTreeSet<usize> = cells.iter().map(|cell| cell.shape.concurrency).collect();
    let clients: Vec<usize> = clients.into_iter().collect();
    let title = match clients.as_slice() {
        [1] => format!("Requests per second with 1 client, measured with {tool}"),
        [one] => format!("Requests per second with {one} clients, measured with {tool}"),
        _ => format!("Requests per second against clients, measured with {tool}"),
    };
    // What a tool cannot do by its nature is no gap.
    let is_drawn = |kept: bool| cells.iter().any(|cell| cell.shape.keep_alive == kept);
    let records: Vec<&Record> =
        data.survey().filter(|record| record.key.tool == tool && is_drawn(record.key.keep_alive)).collect();
    let mut figure = data.figure(format!("requests-per-second-{tool}"), title, &records);
    let mut points = Points {
        measures: speed_and_cost(),
        choices: vec![connections(if clients.len() > 1 { Show::Below } else { Show::Beside })],
        series: servers_of(cells.iter().copied()),
        gaps: data.gaps(&records, |record| Some(vec![usize::from(!record.key.keep_alive)])),
        figures: true,
        ..Points::default()
    };
    // One number of clients is no curve: each server has a row then.
    points.x = (clients.len() > 1).then(|| Axis {
        label: "clients at once".into(),
        scale: Scale::Bands(clients.iter().map(|&clients| Unit::Count.text(clients as f64)).collect()),
        ..Axis::default()
    });
    for cell in cells {
        let Some(series) = points.series_of(&cell.shape.stage) else { continue };
        let band = clients.iter().position(|&clients| clients == cell.shape.concurrency).unwrap_or(0);
        let options = vec![usize::from(!cell.shape.keep_alive)];
        let its = points_of(data, cell, series);
        points.points.extend(its.map(|point| Point { x: band as f64, options: options.clone(), ..point }));
    }
    for series in &mut points.series {
        series.remark = starved(cells, &series.server).map(|remark| (Some(Look::Cross), remark));
    }
    figure.about = "A closed loop: each client asks again when it has its answer. The figure that everybody \
                    looks for, and the one that depends most on the generator and on what else the machine \
                    does."
        .into();
    if points.x.is_some() {
        figure.notes.push(
            "All markers in a grey band are of the same number of clients: they stand side by side only to \
             be seen. Lines guide the eye from band to band."
                .into(),
        );
    }
    let cross = (Look::Cross, "Cross: the other clients got no answer at all.");
    figure.notes.push(signs(&points, &[HOLLOW, cross]));
    figure.plot = Plot::Points(points);
    Ok(figure)
}

/// `1 of 16 to 256 clients served`.
fn starved(cells: &[&Cell], server: &str) -> Option<String> {
    let starving = cells.iter().filter(|cell| cell.shape.stage == server && cell.starves_clients());
    let few = starving.clone().min_by_key(|cell| cell.shape.concurrency)?.shape.concurrency;
    let most = starving.max_by_key(|cell| cell.shape.concurrency)?;
    let clients = match most.shape.concurrency {
        many if few == many => few.to_string(),
        many => format!("{few} to {many}"),
    };
    Some(format!("{} of {clients} clients served", most.clients_served))
}
