//! `harness chart`: finds the data, builds the figures, draws them as SVG.

use crate::figures::{self, Data, build};
use crate::model::Figure;
use crate::output::{clean, write};
use crate::svg;
use anyhow::{Context, Result, bail, ensure};
use records::{Content, Record, grades, newest, read};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The options of `harness chart`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Files of records: of a run, of source 002's table, of grades, of a scenario; default: the newest of
    /// each kind in `data` below the output directory. A run brings the newest of the other kinds beside it.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    data: Vec<PathBuf>,
    /// Where the charts go.
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
}

/// A figure with its picture.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What is drawn.
    pub figure: Figure,
    /// The picture.
    pub svg: String,
}

/// Draws again.
///
/// # Errors
///
/// The data cannot be read or drawn, or the pictures cannot be written.
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
    charts.iter().for_each(|chart| println!("{}", args.out.join(chart.figure.file()).display()));
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
            Content::Latency => "`latency` scenario",
            Content::Clients => "`clients` scenario",
            Content::C10k => "`c10k` scenario",
            Content::Cpus => "`cpus` scenario",
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
        "no chart can be drawn from {}: its name does not say what it holds, and it cannot be drawn as a \
         run; give it back its name, TIME-COMMIT-KIND.jsonl, where KIND is one of {}",
        file.display(),
        endings.join(", ")
    )
}

/// The newest run, which brings what is beside it; where there is none, the newest of each other kind.
fn newest_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let run = newest(directory, Content::Run);
    run.map(|run| vec![run]).or_else(|none| {
        let found: Vec<PathBuf> =
            OTHERS.into_iter().filter_map(|other| newest(directory, other).ok()).collect();
        if found.is_empty() { Err(none) } else { Ok(found) }
    })
}

/// What is not of a run, in the order of the pages.
const OTHERS: [Content; 4] = [Content::Grades, Content::Table, Content::Spin, Content::Slow];

/// Draws every chart that the records of a run allow, and those of the newest grades, table and scenarios in
/// the same directory of data. `files` are where the records are from. The charts of an earlier run do not
/// stay beside them.
///
/// # Errors
///
/// Nothing can be drawn from the data, or the pictures cannot be written.
pub fn draw(records: &[Record], files: &[PathBuf], out: &Path) -> Result<Vec<Chart>> {
    draw_all(records, files, &[], out)
}

/// `others` are files of other kinds that were named; those of a kind that was not named are looked for.
fn draw_all(records: &[Record], files: &[PathBuf], others: &[PathBuf], out: &Path) -> Result<Vec<Chart>> {
    let mut all = Vec::new();
    if !files.is_empty() {
        say(files);
        all.extend(build(Content::Run, &Data::of_run(records, files, out)?)?);
        // The charts of what lies beside it would hide that its own are missing.
        let unnamed = files.iter().find(|file| Content::of(file).is_none());
        if let (Some(file), true) = (unnamed, all.is_empty()) {
            bail!(no_run(file));
        }
    }
    for content in OTHERS {
        let named = others.iter().find(|file| Content::of(file) == Some(content)).cloned();
        let beside = || newest(files.first()?.parent()?, content).ok();
        let Some(file) = named.or_else(beside) else { continue };
        let files = [file];
        say(&files);
        if content == Content::Grades {
            all.extend(build(content, &Data::of_grades(&grades(&files[0])?, &files, out))?);
        } else {
            all.extend(build(content, &Data::new(&read(&files[0])?, &files, out))?);
        }
    }
    ensure!(!all.is_empty(), "no chart can be drawn from this data");
    fs::create_dir_all(out).with_context(|| format!("cannot write to {}", out.display()))?;
    let charts: Vec<Chart> = all.into_iter().map(chart).collect::<Result<_>>()?;
    for chart in &charts {
        write(&out.join(chart.figure.file()), &chart.svg)?;
    }
    if !files.is_empty() {
        remove_stale(&charts, out)?;
    }
    Ok(charts)
}

fn chart(figure: Figure) -> Result<Chart> {
    let svg = clean(&svg::picture(&figure)?);
    Ok(Chart { figure, svg })
}

/// Removes the charts of a run that this drawing did not make, and says so: beside those of a narrower run
/// they would look as if they were its own, and the recorded data draws them again. Files of other names are
/// somebody else's.
fn remove_stale(drawn: &[Chart], out: &Path) -> Result<()> {
    for entry in fs::read_dir(out).with_context(|| format!("cannot read {}", out.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_drawn = drawn.iter().any(|chart| chart.figure.file() == name);
        if figures::is_of_a_run(name) && !is_drawn && entry.file_type()?.is_file() {
            fs::remove_file(entry.path()).with_context(|| format!("cannot remove {name}"))?;
            eprintln!("removed {}: it was drawn from another run", entry.path().display());
        }
    }
    Ok(())
}

fn say(files: &[PathBuf]) {
    eprintln!("drawing from {}", names_of(files));
}

/// The names of data files as a chart gives them.
fn names_of(files: &[PathBuf]) -> String {
    let names: Vec<_> =
        files.iter().filter_map(|file| file.file_name()).map(|name| name.to_string_lossy()).collect();
    names.join(", ")
}
