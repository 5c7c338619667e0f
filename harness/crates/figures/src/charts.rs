//! `./lab chart`: finds the data, builds the figures, draws them as SVG.

use crate::figures::{self, Data, Source, build};
use crate::findings::{Finding, findings};
use crate::model::Figure;
use crate::output::{clean, write};
use crate::svg;
use anyhow::{Context, Result, bail, ensure};
use records::{Content, Record, newest, newest_first};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The options of `./lab chart`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Files of records: of runs of one commit, of source 002's table, of grades, of scenarios; default: in
    /// `data` below the output directory the newest of each kind, and the standard runs of the newest run's
    /// commit. A run brings the newest of the other kinds beside it.
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

/// What was drawn, from what, and where it is.
#[derive(Debug)]
pub struct Drawing {
    /// The figures, in the order of the pages.
    pub charts: Vec<Chart>,
    /// Their data; the runs first.
    pub sources: Vec<Source>,
    /// The directory of the pictures.
    pub out: PathBuf,
}

/// Draws again.
///
/// # Errors
///
/// The data cannot be read or drawn, or the pictures cannot be written.
pub fn run(args: Args) -> Result<ExitCode> {
    again(&args).map(|_| ExitCode::SUCCESS)
}

/// Draws again, and says what.
pub(crate) fn again(args: &Args) -> Result<Drawing> {
    let drawing = if args.data.is_empty() {
        draw(&newest_files(&args.out.join("data"))?, &args.out)?
    } else {
        draw(&args.data, &args.out)?
    };
    drawing.charts.iter().for_each(|chart| println!("{}", args.out.join(chart.figure.file()).display()));
    Ok(drawing)
}

/// What is not of a run, in the order of the pages.
const OTHERS: [Content; 12] = [
    Content::Latency,
    Content::Clients,
    Content::C10k,
    Content::Slow,
    Content::Overload,
    Content::Balance,
    Content::Uring,
    Content::Concurrency,
    Content::Cpus,
    Content::Grades,
    Content::Spin,
    Content::Table,
];

/// A file of another name may hold a run that a user has renamed.
fn content_of(file: &Path) -> Content {
    Content::of(file).unwrap_or(Content::Run)
}

fn is_run(file: &Path) -> bool {
    content_of(file) == Content::Run
}

/// The newest run with the other runs of its commit; where there is none, the newest of each other kind.
fn newest_files(directory: &Path) -> Result<Vec<PathBuf>> {
    match newest(directory, Content::Run) {
        Ok(run) => Ok(pooled(run, directory)),
        Err(none) => {
            let found: Vec<PathBuf> =
                OTHERS.into_iter().filter_map(|other| newest(directory, other).ok()).collect();
            if found.is_empty() { Err(none) } else { Ok(found) }
        }
    }
}

/// What a drawing of the newest data is made from, and every other kind beside it. Nothing where nothing was
/// measured.
pub(crate) fn newest_of_all(directory: &Path) -> Vec<PathBuf> {
    let mut files = newest_files(directory).unwrap_or_default();
    if files.iter().any(|file| is_run(file)) {
        files.extend(OTHERS.into_iter().filter_map(|other| newest(directory, other).ok()));
    }
    files
}

/// Standard runs of one commit are one measurement, repeated. A quick look stands alone.
fn pooled(run: PathBuf, directory: &Path) -> Vec<PathBuf> {
    let kind = |file: &Path| Some((commit(file)?, file.to_str()?.contains("quick")));
    let own = kind(&run).filter(|(_, is_quick)| !is_quick);
    let all = newest_first(directory, Content::Run).unwrap_or_default();
    let others = all.into_iter().filter(|file| *file != run && own.is_some() && kind(file) == own);
    let mut runs: Vec<PathBuf> = others.chain([run.clone()]).collect();
    // Their names begin with the time.
    runs.sort();
    runs
}

/// `20260102T030405Z-1234567890-standard.jsonl` is of 1234567890.
pub(crate) fn commit(file: &Path) -> Option<String> {
    Some(file.file_stem()?.to_str()?.split('-').nth(1)?.to_owned())
}

/// Medians over runs of two commits would be of neither.
fn ensure_one_of_each(files: &[PathBuf]) -> Result<()> {
    for content in Content::ALL {
        let its: Vec<PathBuf> = files.iter().filter(|file| content_of(file) == content).cloned().collect();
        let name = content.ending();
        let what = match content {
            Content::Run if its.iter().all(|file| commit(file) == commit(&its[0])) => continue,
            Content::Run => "commit's runs".to_owned(),
            Content::Table => "table".to_owned(),
            Content::Grades => "file of grades".to_owned(),
            _ => format!("`{name}` scenario"),
        };
        let names = names_of(&its);
        ensure!(its.len() <= 1, "--data takes one {what} at a time, and here are {}: {names}", its.len());
    }
    Ok(())
}

/// Draws every chart that these files allow. Runs bring the newest of every other kind in their directory, as
/// far as none was named, and remove the charts of an earlier run.
///
/// # Errors
///
/// Nothing can be drawn from the data, or the pictures cannot be written.
pub fn draw(files: &[PathBuf], out: &Path) -> Result<Drawing> {
    ensure_one_of_each(files)?;
    let runs: Vec<PathBuf> = files.iter().filter(|file| is_run(file)).cloned().collect();
    let other = |content: Content| {
        let named = files.iter().find(|file| Content::of(file) == Some(content)).cloned();
        named.or_else(|| newest(runs.first()?.parent()?, content).ok())
    };
    let others: Vec<PathBuf> = OTHERS.into_iter().filter_map(other).collect();
    let mut sources = Vec::new();
    for file in runs.iter().chain(&others) {
        eprintln!("drawing from {}", names_of(std::slice::from_ref(file)));
        sources.push(Source::open(file)?);
    }
    // The charts of what lies beside a run would hide that its own are missing.
    let is_empty =
        |source: &&Source| !source.records.iter().any(figures::is_measured) && source.grades.is_empty();
    if let Some(source) = sources.iter().take(runs.len()).find(is_empty) {
        let file = source.path.display();
        bail!("no figures in {file}: every point was skipped; name another file with --data");
    }
    let data = Data::new(&sources, out);
    let found = findings(&data);
    let charts = build(&data).into_iter().map(|figure| chart(figure, &found)).collect::<Result<Vec<_>>>()?;
    ensure!(!charts.is_empty(), "no chart can be drawn from this data{}", why_not(&sources));
    fs::create_dir_all(out).with_context(|| format!("cannot write to {}", out.display()))?;
    for chart in &charts {
        write(&out.join(chart.figure.file()), &chart.svg)?;
    }
    if !runs.is_empty() {
        remove_stale(&charts, out)?;
    }
    Ok(Drawing { charts, sources, out: out.to_owned() })
}

/// Why there may be nothing to draw, though everything was measured.
fn why_not(sources: &[Source]) -> &'static str {
    if sources.iter().flat_map(|source| &source.records).any(Record::straddles) {
        ": each pair stood in two states of the machine, and compares nothing; measure again with more rounds"
    } else {
        ""
    }
}

/// A figure says what was found in it.
fn chart(mut figure: Figure, found: &[Finding]) -> Result<Chart> {
    let its = found.iter().find(|finding| finding.figure == figure.id);
    figure.finding = its.map(|finding| finding.text.clone());
    let svg = clean(&svg::picture(&figure)?);
    Ok(Chart { figure, svg })
}

/// Removes the charts of a run that this drawing did not make, and says so: beside those of a narrower run
/// they would look as if they were its own, and the recorded data draws them again. Files of other names are
/// not the lab's.
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

/// The names of data files as a chart has them.
fn names_of(files: &[PathBuf]) -> String {
    let names: Vec<_> =
        files.iter().filter_map(|file| file.file_name()).map(|name| name.to_string_lossy()).collect();
    names.join(", ")
}
