//! The charts of a run of `harness bench-all`.

use super::caption::Caption;
use super::selection::{clients_in_words, leading, nearest, survey};
use super::source::{Chart, Source};
use super::{dots, idle, latency, overview, ratio, speed, switches, tools};
use anyhow::{Context, Result};
use records::{Cell, Phase, Record, cells, label, pairs};
use std::collections::BTreeSet;

/// Every chart that the records allow.
pub(super) fn charts(records: &[Record], source: &Source) -> Result<Vec<Chart>> {
    // Pipelined requests are another unit; they are charted only if there is nothing else.
    let measured = records.iter().filter(|record| record.figures.is_some() || record.idle.is_some());
    let depth = measured.map(|record| record.pipeline).min().with_context(|| {
        format!("no figures in {}: every point was skipped; name another file with --data", source.line())
    })?;
    let records: Vec<Record> = records.iter().filter(|record| record.pipeline == depth).cloned().collect();
    let cells = cells(&records);
    let mut charts = Vec::new();
    charts.extend(overview(&cells, &records, source)?);
    charts.extend(ratio(&records, source)?);
    charts.extend(speeds(&cells, &records, source)?);
    charts.extend(tools::chart(&cells, &records, source)?);
    charts.extend(latency::chart(&records, source)?);
    charts.extend(switches::chart(&records, source)?);
    charts.extend(idle::chart(&records, source)?);
    Ok(charts)
}

/// Requests per second against clients, a chart per tool.
fn speeds(cells: &[Cell], records: &[Record], source: &Source) -> Result<Vec<Chart>> {
    let tools: BTreeSet<&str> = cells.iter().map(|cell| cell.shape.tool.as_str()).collect();
    let chart = |tool: &str| {
        let its_cells: Vec<&Cell> = cells.iter().filter(|cell| cell.shape.tool == tool).collect();
        let drawn = |keep_alive| its_cells.iter().any(|cell| cell.shape.keep_alive == keep_alive);
        let its_records: Vec<&Record> =
            survey(records).filter(|record| record.tool == tool && drawn(record.keep_alive)).collect();
        let (title, svg) = match dots::one_load(&its_cells) {
            Some(clients) => {
                let clients = if clients == 1 { "1 client".to_owned() } else { format!("{clients} clients") };
                let title = format!("Requests per second with {clients}, measured with {tool}");
                let svg = dots::svg(&its_cells, &Caption::new(title.clone(), &its_records, source))?;
                (title, svg)
            }
            None => {
                let title = format!("Requests per second against clients, measured with {tool}");
                let svg = speed::svg(&its_cells, &Caption::new(title.clone(), &its_records, source))?;
                (title, svg)
            }
        };
        Ok(source.chart(speed::file_name(tool)?, title, svg))
    };
    tools.into_iter().map(chart).collect()
}

/// All servers with kept connections.
fn overview(cells: &[Cell], records: &[Record], source: &Source) -> Result<Option<Chart>> {
    let kept = || cells.iter().filter(|cell| cell.shape.keep_alive);
    let Some(tool) = leading(kept().map(|cell| cell.shape.tool.as_str())) else { return Ok(None) };
    let its = || kept().filter(|cell| cell.shape.tool == tool);
    let Some(clients) = nearest(its().map(|cell| cell.shape.concurrency)) else { return Ok(None) };
    let cells: Vec<&Cell> = its().filter(|cell| cell.shape.concurrency == clients).collect();
    let its_records: Vec<&Record> = survey(records)
        .filter(|record| record.tool == tool && record.keep_alive && record.concurrency == clients)
        .collect();
    let who = match cells.as_slice() {
        [only] => label(&only.shape.stage, &only.title),
        _ => "Servers".to_owned(),
    };
    let title = format!("{who} with {} ({tool})", clients_in_words(clients));
    let svg = overview::svg(&cells, &Caption::new(title.clone(), &its_records, source))?;
    Ok(Some(source.chart("overview.svg", title, svg)))
}

/// The CPU time per request over the floor's, if it was measured in pairs.
fn ratio(records: &[Record], source: &Source) -> Result<Option<Chart>> {
    let pairs = pairs(records);
    let its_records: Vec<&Record> =
        records.iter().filter(|record| record.phase == Phase::Paired && !record.dropped).collect();
    let Some(first) = its_records.first() else { return Ok(None) };
    let title = format!(
        "What a request costs with {} kept connections ({}), each run between two runs of the floor",
        first.concurrency, first.tool
    );
    let svg = ratio::svg(&pairs, &Caption::new(title.clone(), &its_records, source))?;
    Ok(Some(source.chart("cpu-per-request.svg", title, svg)))
}
