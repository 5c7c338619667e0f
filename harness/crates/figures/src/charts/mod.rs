//! `harness chart`: SVG charts from recorded data.
//!
//! * `overview`: all servers under one load, as bars;
//! * `ratio`: what a request costs, between runs of the floor;
//! * `speed`: requests per second against clients, a chart per tool; `dots`: the same where there is one
//!   number of clients;
//! * `tools`: the tools on one server, side by side;
//! * `latency`: how long requests wait, at shares of the server's peak;
//! * `switches` and `idle`: context switches per request, memory per idle connection;
//! * `matrix`: what each stage can do; `seed`: seed 002's table, done again;
//! * `spin` and `slow`: the scenarios, throughput against workers and quick requests beside slow ones;
//! * `stale`: charts of an earlier run; `selection`: which load is shown; `source` and `caption`: where the
//!   figures are from;
//! * `rows`, `scale`, `style` and `text`: what things look like.

mod caption;
mod dots;
mod idle;
mod latency;
mod matrix;
mod overview;
mod ratio;
mod rows;
mod run;
mod scale;
mod seed;
mod selection;
mod slow;
mod source;
mod speed;
mod spin;
mod stale;
mod style;
mod switches;
mod text;
mod tools;

pub use source::Chart;
pub(crate) use style::Style;

use anyhow::{Context, Result, bail, ensure};
use lab_core::files::write_atomically;
use records::{Content, Record, grades, newest, read};
use source::Source;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The options of `harness chart`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Files of records: of a run, of seed 002's table, of grades, of a scenario; default: the newest of each
    /// kind in `data` below the output directory. A run brings the newest of the other kinds beside it.
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
    /// Of the run; empty if only other kinds of data were named.
    pub(crate) records: Vec<Record>,
    pub(crate) data: Vec<PathBuf>,
    pub(crate) charts: Vec<Chart>,
    pub(crate) out: PathBuf,
}

/// Draws again, and says what.
pub(crate) fn again(args: Args) -> Result<Drawing> {
    let named = if args.data.is_empty() { newest_files(&args.out.join("data"))? } else { args.data };
    ensure_one_of_each(&named)?;
    let (data, others): (Vec<_>, Vec<_>) =
        named.into_iter().partition(|file| content_of(file) == Content::Run);
    let mut records = Vec::new();
    for file in &data {
        let has_its_name = Content::of(file).is_some() || !file.is_file();
        let of_file = read(file);
        records.extend(if has_its_name { of_file? } else { of_file.with_context(|| no_run(file))? });
    }
    let charts = draw_all(&records, &data, &others, &args.out)?;
    charts.iter().for_each(|chart| println!("{}", args.out.join(&chart.file).display()));
    Ok(Drawing { records, data, charts, out: args.out })
}

/// A file of another name may hold a run that somebody keeps under a name of his own.
fn content_of(file: &Path) -> Content {
    Content::of(file).unwrap_or(Content::Run)
}

/// Medians over two runs would be neither's: another commit, another hour, another machine.
fn ensure_one_of_each(files: &[PathBuf]) -> Result<()> {
    for content in Content::ALL {
        let its: Vec<PathBuf> = files.iter().filter(|file| content_of(file) == content).cloned().collect();
        let what = match content {
            Content::Run => "run",
            Content::Table => "table",
            Content::Grades => "file of grades",
            Content::Spin => "`spin` scenario",
            Content::Slow => "`slow` scenario",
        };
        ensure!(
            its.len() <= 1,
            "--data takes one {what} at a time, and here are {}: {}",
            its.len(),
            names_of(&its)
        );
    }
    Ok(())
}

/// Nothing but its name says what a file holds.
fn no_run(file: &Path) -> String {
    let endings: Vec<&str> = Content::ALL.iter().flat_map(|content| content.endings()).copied().collect();
    format!(
        "no chart can be drawn from {}: its name does not say what it holds, and it cannot be drawn as a run; give it back \
         its name, TIME-COMMIT-KIND.jsonl, where KIND is one of {}",
        file.display(),
        endings.join(", ")
    )
}

/// The newest run, which brings what is beside it; where there is none, the newest of each other kind.
fn newest_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let run = newest(directory, Content::Run);
    let others = [Content::Grades, Content::Table, Content::Spin, Content::Slow];
    run.map(|run| vec![run]).or_else(|none| {
        let found: Vec<PathBuf> =
            others.into_iter().filter_map(|other| newest(directory, other).ok()).collect();
        if found.is_empty() { Err(none) } else { Ok(found) }
    })
}

/// Draws every chart that the records of a run allow, and those of the newest grades, table and scenarios in
/// the same directory of data. `files` are where the records are from. The charts of an earlier run do not
/// stay beside them.
pub fn draw(records: &[Record], files: &[PathBuf], out: &Path) -> Result<Vec<Chart>> {
    draw_all(records, files, &[], out)
}

/// `others` are files of other kinds that were named; those of a kind that was not named are looked for.
fn draw_all(records: &[Record], files: &[PathBuf], others: &[PathBuf], out: &Path) -> Result<Vec<Chart>> {
    let mut charts = Vec::new();
    if !files.is_empty() {
        let source = Source::new(files, out).with_gaps_of(records);
        say(files);
        charts.extend(run::charts(records, &source)?);
        // The charts of what lies beside it would hide that its own are missing.
        let unnamed = files.iter().find(|file| Content::of(file).is_none());
        if let (Some(file), true) = (unnamed, charts.is_empty()) {
            bail!(no_run(file));
        }
    }
    let file_of = |content: Content| {
        let named = others.iter().find(|file| Content::of(file) == Some(content)).cloned();
        let beside = || newest(files.first()?.parent()?, content).ok();
        named.or_else(beside).map(|file| vec![file])
    };
    if let Some(files) = file_of(Content::Grades) {
        say(&files);
        let grades = grades(&files[0])?;
        charts.extend(matrix::chart(&grades, &Source::new(&files, out).with_gaps_in(&grades))?);
    }
    let of_others: [(Content, Draw); 3] =
        [(Content::Table, seed::chart), (Content::Spin, spin::chart), (Content::Slow, slow::chart)];
    for (content, chart) in of_others {
        if let Some(files) = file_of(content) {
            say(&files);
            let records = read(&files[0])?;
            charts.extend(chart(&records, &Source::new(&files, out).with_gaps_of(&records))?);
        }
    }
    ensure!(!charts.is_empty(), "no chart can be drawn from this data");
    fs::create_dir_all(out).with_context(|| format!("cannot write to {}", out.display()))?;
    for chart in &charts {
        write_atomically(&out.join(&chart.file), chart.svg.as_bytes())?;
    }
    if !files.is_empty() {
        stale::remove(&charts, out)?;
    }
    Ok(charts)
}

/// Draws the chart of a kind of data, if there are figures of it.
type Draw = fn(&[Record], &Source) -> Result<Option<Chart>>;

fn say(files: &[PathBuf]) {
    eprintln!("drawing from {}", names_of(files));
}

/// The names of data files as a chart gives them.
fn names_of(files: &[PathBuf]) -> String {
    let names: Vec<_> =
        files.iter().filter_map(|file| file.file_name()).map(|name| name.to_string_lossy()).collect();
    names.join(", ")
}
