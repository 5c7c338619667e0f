//! `./lab report`: the pages beside the charts. What was found, on what it was measured, and the command
//! that draws it again, from the recorded data alone.

use crate::charts::{self, Drawing};
use crate::findings::Front;
use crate::markdown::Page;
use crate::output::{clean, write as write_file};
use crate::page;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Draws the charts again, and writes the pages.
///
/// # Errors
///
/// The data cannot be read or drawn, or the pages cannot be written.
pub fn run(args: charts::Args) -> Result<ExitCode> {
    let drawing = charts::again(&args)?;
    for page in write(&drawing)? {
        println!("{}", page.display());
    }
    let ids: Vec<&str> = drawing.charts.iter().map(|chart| chart.figure.id.as_str()).collect();
    for kind in crate::figures::ALL.iter().filter(|kind| !ids.iter().any(|id| id.starts_with(kind.name))) {
        println!("no data for {}: `{}` records them", kind.name, kind.content.command());
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes `report.html` and `README.md` beside the charts, and returns their paths.
///
/// # Errors
///
/// The pages cannot be written.
pub fn write(drawing: &Drawing) -> Result<[PathBuf; 2]> {
    let figures: Vec<_> = drawing.charts.iter().map(|chart| &chart.figure).collect();
    let front = Front::of(drawing);
    let page = Page { front: &front, figures: &figures, measuring: to_measuring(&drawing.out) };
    let file = drawing.out.join("README.md");
    write_file(&file, &clean(&page.text()))?;
    Ok([page::write(&front, drawing)?, file])
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
