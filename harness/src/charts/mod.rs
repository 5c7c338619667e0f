//! `harness chart`: SVG charts from recorded data.
//!
//! * `speed`: requests per second against clients, a chart per tool;
//! * `overview`: all servers under one load, as bars;
//! * `ratio`: what a request costs, between runs of the floor;
//! * `caption`: where the figures are from; `style` and `text`: what things look like.

mod caption;
mod overview;
mod ratio;
mod speed;
mod style;
mod text;

use crate::records::{Cell, Content, Phase, Record, cells, newest, pairs, read};
use anyhow::{Context, Result, ensure};
use caption::Caption;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The options of `harness chart`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Files of records; default: the newest in `data` below the output directory.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    data: Vec<PathBuf>,
    /// Where the charts go.
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
}

/// Draws again.
pub fn run(args: Args) -> Result<ExitCode> {
    again(args).map(|_| ExitCode::SUCCESS)
}

/// What was drawn again, and from what.
pub(crate) struct Drawing {
    pub(crate) records: Vec<Record>,
    pub(crate) data: Vec<PathBuf>,
    pub(crate) charts: Vec<PathBuf>,
    pub(crate) out: PathBuf,
}

/// Draws again, and says what.
pub(crate) fn again(args: Args) -> Result<Drawing> {
    let files =
        if args.data.is_empty() { vec![newest(&args.out.join("data"), Content::Run)?] } else { args.data };
    eprintln!("drawing from {}", names_of(&files));
    let mut records = Vec::new();
    for file in &files {
        records.extend(read(file)?);
    }
    let charts = draw(&records, &names_of(&files), &args.out)?;
    charts.iter().for_each(|chart| println!("{}", chart.display()));
    Ok(Drawing { records, data: files, charts, out: args.out })
}

/// The names of data files as a chart gives them.
pub fn names_of(files: &[PathBuf]) -> String {
    let names: Vec<_> =
        files.iter().filter_map(|file| file.file_name()).map(|name| name.to_string_lossy()).collect();
    names.join(", ")
}

/// The name of the reference.
const FLOOR: &str = "floor";

/// A server as a chart names it.
fn label(name: &str, title: &str) -> String {
    if name == FLOOR { format!("{name}: {title}") } else { format!("{name} {title}") }
}

/// Draws every chart that the records allow, and gives the files. Other charts are left as they are.
pub fn draw(records: &[Record], data: &str, out: &Path) -> Result<Vec<PathBuf>> {
    let data = &with_gaps(data, records);
    // Pipelined requests are another unit; they are charted only if there is nothing else.
    let depth = records.iter().filter(|record| record.figures.is_some()).map(|record| record.pipeline).min();
    let depth = depth.with_context(|| {
        format!("no figures in {data}: every point was skipped; name another file with --data")
    })?;
    let records: Vec<Record> = records.iter().filter(|record| record.pipeline == depth).cloned().collect();
    let cells = cells(&records);
    let mut charts = Vec::new();
    let tools: BTreeSet<&str> = cells.iter().map(|cell| cell.shape.tool.as_str()).collect();
    for tool in tools {
        let its_cells: Vec<&Cell> = cells.iter().filter(|cell| cell.shape.tool == tool).collect();
        let drawn = |keep_alive| its_cells.iter().any(|cell| cell.shape.keep_alive == keep_alive);
        let its_records: Vec<&Record> =
            survey(&records).filter(|record| record.tool == tool && drawn(record.keep_alive)).collect();
        let title = format!("Requests per second against clients, measured with {tool}");
        let svg = speed::svg(&its_cells, &Caption::new(title, &its_records, data))?;
        charts.push((speed::file_name(tool)?, svg));
    }
    charts.extend(overview(&cells, &records, data)?);
    charts.extend(ratio(&records, data)?);
    fs::create_dir_all(out).with_context(|| format!("cannot write to {}", out.display()))?;
    let mut files = Vec::new();
    for (name, svg) in charts {
        let file = out.join(name);
        fs::write(&file, svg).with_context(|| format!("cannot write {}", file.display()))?;
        files.push(file);
    }
    ensure!(!files.is_empty(), "no chart can be drawn from this data");
    Ok(files)
}

/// wrk with keep-alive and 64 clients, or the number nearest to it.
fn overview(cells: &[Cell], records: &[Record], data: &str) -> Result<Option<(String, String)>> {
    const CLIENTS: usize = 64;
    let kept: Vec<&Cell> =
        cells.iter().filter(|cell| cell.shape.tool == "wrk" && cell.shape.keep_alive).collect();
    let clients =
        kept.iter().map(|cell| cell.shape.concurrency).min_by_key(|clients| clients.abs_diff(CLIENTS));
    let Some(clients) = clients else { return Ok(None) };
    let cells: Vec<&Cell> = kept.into_iter().filter(|cell| cell.shape.concurrency == clients).collect();
    let its_records: Vec<&Record> = survey(records)
        .filter(|record| record.tool == "wrk" && record.keep_alive && record.concurrency == clients)
        .collect();
    let who = if clients == 1 {
        "1 client that keeps its connection".into()
    } else {
        format!("{clients} clients that keep their connections")
    };
    let title = format!("Every stage with {who} (wrk)");
    let svg = overview::svg(&cells, &Caption::new(title, &its_records, data))?;
    Ok(Some(("overview.svg".into(), svg)))
}

/// The CPU time per request over the floor's, if it was measured in pairs.
fn ratio(records: &[Record], data: &str) -> Result<Option<(String, String)>> {
    let pairs = pairs(records);
    let its_records: Vec<&Record> =
        records.iter().filter(|record| record.phase == Phase::Paired && !record.dropped).collect();
    let Some(first) = its_records.first() else { return Ok(None) };
    let title = format!(
        "What a request costs with {} kept connections ({}), each run between two runs of the floor",
        first.concurrency, first.tool
    );
    let svg = ratio::svg(&pairs, &Caption::new(title, &its_records, data))?;
    Ok(Some(("cpu-per-request.svg".into(), svg)))
}

/// The data's name, and what is missing in a run that was interrupted or in which a server failed.
fn with_gaps(data: &str, records: &[Record]) -> String {
    let mut runs: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    for record in records {
        let (planned, measured) = runs.entry(record.seed).or_default();
        *planned = record.points_planned;
        *measured += usize::from(record.figures.is_some() && !record.dropped);
    }
    let (planned, measured) = runs.values().fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
    if measured < planned {
        format!("{data} (INCOMPLETE: {measured} of {planned} points)")
    } else {
        data.to_owned()
    }
}

/// The records that speeds are drawn from.
fn survey(records: &[Record]) -> impl Iterator<Item = &Record> {
    records.iter().filter(|record| record.phase == Phase::Survey && !record.dropped)
}
