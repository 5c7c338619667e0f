//! The pages beside the charts: what was measured, on what, and the command that draws it again. From the recorded data
//! alone.
//!
//! * `markdown`: `README.md`, for a repository browser; `tables`: its tables;
//! * `html`: `report.html`, for a browser;
//! * `machine`: what both say of how the figures were made.

mod html;
mod machine;
mod markdown;
mod tables;

use crate::charts::{self, Chart};
use anyhow::{Context, Result};
use lab_core::files::{link, write_atomically};
use markdown::Page;
use records::Record;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What seed 002 is: the charts name it, and nobody else does.
const SEED_TABLE: &str = "Seed 002 is a web server that a fellow learner wrote step by step. Its author published this table, made with \
                          webbench on two single-core machines and an accept queue of five, and asked why the serial server \
                          drops at ten clients.";

/// Draws the charts again, and writes the pages.
pub fn run(args: charts::Args) -> Result<ExitCode> {
    let drawing = charts::again(args)?;
    let data = drawing.data.first().context("a report is about a run: name its file with --data")?;
    for page in write(&drawing.records, &drawing.charts, data, &drawing.out)? {
        println!("{}", page.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes `report.html` and `README.md` beside the charts, and gives their paths. `data` is the file of the records.
pub fn write(records: &[Record], charts: &[Chart], data: &Path, out: &Path) -> Result<[PathBuf; 2]> {
    let page = Page {
        records,
        charts,
        data: link(out, data),
        again: format!("./lab report --data {} --out {}", data.display(), out.display()),
        measuring: to_measuring(out),
    };
    let file = out.join("README.md");
    write_atomically(&file, page.text().as_bytes())?;
    Ok([html::write(charts, out)?, file])
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
