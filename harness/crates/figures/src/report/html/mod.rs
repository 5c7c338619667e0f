//! `report.html`: one page that holds everything, its charts drawn by the reader's browser, so that servers can be
//! switched on and off and every point asked where it comes from. It works from a file, without any network.
//!
//! * `data`: the records as the page holds them, said once what is the same in all;
//! * `servers`: who is measured, and what each one looks like;
//! * `plots`: the points of each chart, each with the records behind it;
//! * `document`: the HTML; the scripts and the style beside it are in `page`.

mod data;
mod document;
mod plots;
mod servers;

use crate::charts::Chart;
use anyhow::Result;
use data::Data;
use lab_core::files::{link, write_atomically};
use records::{Content, Record, read};
use std::path::{Path, PathBuf};

/// The page's name.
const FILE: &str = "report.html";

/// A file of records.
struct Source {
    /// The file as a link from the page.
    link: String,
    /// The file as the command line takes it.
    path: String,
    records: Vec<Record>,
}

impl Source {
    fn open(file: &Path, out: &Path) -> Result<Self> {
        Ok(Self { link: link(out, file), path: file.display().to_string(), records: read(file)? })
    }
}

/// Writes `report.html` into the directory of the charts, from the records that they were drawn from. The page draws most
/// of the charts itself; of the others it takes the pictures.
pub(super) fn write(charts: &[Chart], out: &Path) -> Result<PathBuf> {
    let sources =
        files_of(charts, out).iter().map(|file| Source::open(file, out)).collect::<Result<Vec<_>>>()?;
    let records: Vec<&Record> = sources.iter().flat_map(|source| &source.records).collect();
    let data = Data::new(&sources);
    let paths: Vec<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let again = format!("./lab report --data {} --out {}", paths.join(" "), out.display());
    let page = document::Page { data: &data, charts, sources: &sources, records: &records, again };
    let file = out.join(FILE);
    write_atomically(&file, page.html()?.as_bytes())?;
    Ok(file)
}

/// The files of records behind the charts, each once. Grades are no figures; their matrix comes as a picture.
fn files_of(charts: &[Chart], out: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for link in charts.iter().flat_map(|chart| &chart.data) {
        let file = out.join(link);
        // The reader of a command is spared the way up and down again.
        let file = if link.starts_with("..") { file.canonicalize().unwrap_or(file) } else { file };
        if Content::of(&file) != Some(Content::Grades) && !files.contains(&file) {
            files.push(file);
        }
    }
    files
}
