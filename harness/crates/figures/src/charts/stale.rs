//! Charts of an earlier run in the same directory: beside those of a narrower run they would look as if they were its own.

use super::source::Chart;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// The charts of a run that have a fixed name.
const NAMES: [&str; 6] = [
    "overview.svg",
    "cpu-per-request.svg",
    "tools-side-by-side.svg",
    "latency.svg",
    "context-switches.svg",
    "idle-memory.svg",
];

/// Removes the charts of a run that this drawing did not make, and says so: the recorded data draws them again. Files of
/// other names are somebody else's.
pub(super) fn remove(drawn: &[Chart], out: &Path) -> Result<()> {
    for entry in fs::read_dir(out).with_context(|| format!("cannot read {}", out.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if is_of_a_run(name) && drawn.iter().all(|chart| chart.file != name) && entry.file_type()?.is_file() {
            fs::remove_file(entry.path()).with_context(|| format!("cannot remove {name}"))?;
            eprintln!("removed {}: it was drawn from another run", entry.path().display());
        }
    }
    Ok(())
}

/// Whether `harness` draws a chart of that name from a run.
fn is_of_a_run(name: &str) -> bool {
    let tool = name.strip_prefix("requests-per-second-").and_then(|rest| rest.strip_suffix(".svg"));
    NAMES.contains(&name) || tool.is_some_and(|tool| ["ab", "wrk", "webbench", "builtin"].contains(&tool))
}
