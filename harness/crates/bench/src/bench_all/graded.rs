//! Whether the servers that are measured are known to be right: what was graded, by the binary's hash.

use super::subject::Subject;
use lab_core::stages::Stage;
use records::ungraded;
use std::path::Path;

/// The stages among the servers that have no grade of the binary that is measured, in one line. Measuring goes on: a
/// smoke precedes each server in any case.
pub(super) fn note(stages: &[Stage], subjects: &[Subject], out: &Path) -> Option<String> {
    let is_measured = |stage: &&Stage| subjects.iter().any(|subject| subject.name == stage.name);
    let measured = stages.iter().filter(is_measured);
    let servers: Vec<(&str, &Path)> =
        measured.map(|stage| (stage.name.as_str(), stage.binary.as_path())).collect();
    // A look has no grades of its own.
    let directories = [out.join("data"), Path::new("results").join("data")];
    let ungraded = directories.iter().map(|directory| ungraded(directory, &servers)).min_by_key(Vec::len)?;
    (!ungraded.is_empty()).then(|| {
        format!("no grade of this binary is recorded: {} (./lab grade all --record)", ungraded.join(", "))
    })
}
