//! The solution of an exercise: a diff of the starter.

use crate::exercise::{Exercise, Lab, without_marks};
use crate::starter::Starter;
use anyhow::{Context, Result, ensure};
use lab_core::diff::Diff;
use lab_core::files::write_atomically;
use similar::TextDiff;
use std::fmt::Write;
use std::fs::{create_dir_all, read_to_string};
use std::path::Path;

/// Applies the solution to a starter. Lines above it in the stage may have come or gone since it was written:
/// a hunk that has moved is found if there is one place only that has its lines.
///
/// # Errors
/// What of the diff does not fit.
pub fn solve(starter: &mut Starter<'_>) -> Result<()> {
    let path = starter.exercise.solution(&starter.lab.root);
    let name = || path.display().to_string();
    let diff = Diff::parse(&read_to_string(&path).with_context(name)?).with_context(name)?;
    let read = |path: &str| starter.sources.get(Path::new(path)).cloned().with_context(|| path.to_owned());
    let diff = diff.refreshed(read).with_context(name)?;
    for change in diff.files {
        let source = starter.sources.get_mut(Path::new(&change.path));
        let source = source.with_context(|| format!("{}: no source {}", name(), change.path))?;
        *source = change.apply(source).with_context(name)?;
    }
    Ok(())
}

/// Whether the solution that is there makes the stage of the starter again. Others were written by hand.
///
/// # Errors
/// What cannot be read.
pub(crate) fn is_of_stage(lab: &Lab, exercise: &Exercise) -> Result<bool> {
    let mut starter = Starter::of(lab, exercise)?;
    if solve(&mut starter).is_err() {
        return Ok(false);
    }
    let stage = &lab.stage(exercise)?.folder;
    for (path, solved) in &starter.sources {
        let file = stage.join(path);
        let text = read_to_string(&file).with_context(|| file.display().to_string())?;
        if without_marks(&text) != *solved {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes the difference between the starter and the sources of the crate `from`.
pub(crate) fn write(lab: &Lab, exercise: &Exercise, from: &Path, to: &Path) -> Result<()> {
    let mut diff = String::new();
    for (path, before) in Starter::of(lab, exercise)?.sources {
        let file = from.join(&path);
        let after = read_to_string(&file).with_context(|| file.display().to_string())?;
        let after = without_marks(&after);
        if before != after {
            let path = path.display();
            let _ = writeln!(diff, "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}");
            let _ = write!(diff, "{}", TextDiff::from_lines(&before, &after).unified_diff());
        }
    }
    ensure!(!diff.is_empty(), "{} is the starter itself: there is no difference", from.display());
    create_dir_all(to.parent().unwrap_or(Path::new(".")))?;
    write_atomically(to, diff.as_bytes())
}
