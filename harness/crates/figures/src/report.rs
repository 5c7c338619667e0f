//! `harness report`: the pages beside the charts. What was measured, on what, and the command that draws it
//! again, from the recorded data alone.

use crate::charts::{self, Chart};
use crate::markdown::Page;
use crate::output::{clean, write as write_file};
use crate::page;
use anyhow::{Context, Result};
use lab_core::files::link;
use records::Record;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Draws the charts again, and writes the pages.
///
/// # Errors
///
/// There is no run among the data, or the pages cannot be written.
pub fn run(args: charts::Args) -> Result<ExitCode> {
    let drawing = charts::again(args)?;
    let data = drawing.data.first().context("a report is about a run: name its file with --data")?;
    for page in write(&drawing.records, &drawing.charts, data, &drawing.out)? {
        println!("{}", page.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes `report.html` and `README.md` beside the charts, and returns their paths. `data` is the file of the
/// records.
///
/// # Errors
///
/// The data behind a chart cannot be read again, or the pages cannot be written.
pub fn write(records: &[Record], charts: &[Chart], data: &Path, out: &Path) -> Result<[PathBuf; 2]> {
    let figures: Vec<_> = charts.iter().map(|chart| &chart.figure).collect();
    let page = Page {
        records,
        figures: &figures,
        data: link(out, data),
        again: format!("./lab report --data {} --out {}", data.display(), out.display()),
        measuring: to_measuring(out),
    };
    let file = out.join("README.md");
    write_file(&file, &clean(&page.text()))?;
    Ok([page::write(&figures, out)?, file])
}

/// The path from a directory to the chapter about measuring; `None` outside the work tree.
fn to_measuring(out: &Path) -> Option<String> {
    const CHAPTER: &str = "notes/src/measuring.md";
    let out = out.canonicalize().ok()?;
    let up = out.ancestors().position(|directory| directory.join(CHAPTER).is_file())?;
    Some("../".repeat(up) + CHAPTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_chapter_is_linked_from_wherever_the_page_is() {
        let tree = tempfile::tempdir().expect("a directory");
        let look = tree.path().join("results/look");
        fs::create_dir_all(&look).expect("made");
        assert_eq!(to_measuring(&look), None, "there is no chapter to link");
        fs::create_dir_all(tree.path().join("notes/src")).expect("made");
        fs::write(tree.path().join("notes/src/measuring.md"), "").expect("written");
        assert_eq!(to_measuring(&look).as_deref(), Some("../../notes/src/measuring.md"));
        assert_eq!(to_measuring(tree.path()).as_deref(), Some("notes/src/measuring.md"));
    }
}
