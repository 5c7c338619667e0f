//! `[package.metadata.stage]` in the stages' manifests, read through cargo.

use super::Stage;
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The twin of a stage. Like a stage it inherits no expectation, and a typing mistake in a manifest must not
/// become a probe that is silently expected to pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Twin {
    binary: String,
    title: String,
    idea: String,
    serves_at_once: Option<usize>,
    #[serde(default)]
    workers: bool,
    #[serde(default)]
    expect: BTreeMap<String, String>,
}

/// The stages of the workspace of `manifest`, whose binaries are in `binaries`.
pub(super) fn read(manifest: &Path, binaries: &Path) -> Result<Vec<Stage>> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()
        .context("cargo cannot describe the workspace")?;
    let mut stages = Vec::new();
    for package in &metadata.packages {
        let Some(table) = package.metadata.get("stage") else { continue };
        let folder = package.manifest_path.parent().context("a manifest has a folder")?.as_std_path();
        let described = describe(table.clone(), package.name.as_str(), folder, binaries);
        let place = || format!("[package.metadata.stage] in {}", package.manifest_path);
        stages.extend(described.with_context(place)?);
    }
    // Twins sort behind their stage: `05` is a prefix of `05-mio`.
    stages.sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
    Ok(stages)
}

/// The stage, then its twins.
fn describe(mut table: Value, package: &str, folder: &Path, binaries: &Path) -> Result<Vec<Stage>> {
    let twins = table.as_object_mut().and_then(|table| table.remove("twins"));
    let twins: Vec<Twin> = twins.map_or(Ok(Vec::new()), serde_json::from_value)?;
    let mut stage: Stage = serde_json::from_value(table)?;
    stage.name = format!("{:02}", stage.number);
    stage.binary = binaries.join(format!("stage-{}", stage.name));
    (stage.package, stage.folder) = (package.to_owned(), folder.to_owned());
    stage.builds_on = if stage.builds_on == 0 { stage.number.saturating_sub(1) } else { stage.builds_on };
    stage.compared_with = if stage.compared_with == 0 { stage.builds_on } else { stage.compared_with };
    let twins = twins.into_iter().map(|twin| Stage {
        name: twin.binary.trim_start_matches("stage-").to_owned(),
        binary: binaries.join(&twin.binary),
        title: twin.title,
        idea: twin.idea,
        serves_at_once: twin.serves_at_once,
        expect: twin.expect,
        variants: Vec::new(),
        has_workers: twin.workers,
        needs: None,
        is_twin: true,
        ..stage.clone()
    });
    let twins: Vec<Stage> = twins.collect();
    Ok(std::iter::once(stage).chain(twins).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(table: Value) -> Result<Vec<Stage>> {
        describe(table, "edge-vs-level", Path::new("/05"), Path::new("/bin"))
    }

    /// Protects the rule that twins and variants inherit no expectation from their stage.
    #[test]
    fn a_twin_and_a_variant_declare_for_themselves() {
        let stages = described(serde_json::json!({
            "number": 5, "title": "t", "idea": "i", "flaw": "f", "chapter": "05.md", "serves_at_once": 4,
            "workers": true,
            "expect": { "fast-beside-slow": "starved" },
            "twins": [{ "binary": "stage-05-mio", "title": "on mio", "idea": "on mio" }],
            "variants": [{ "args": ["--drain", "once"] }],
        }));
        let stages = stages.unwrap();
        assert_eq!(stages[0].name, "05");
        assert_eq!(stages[0].expect.len(), 1);
        assert_eq!(
            (stages[0].builds_on, stages[1].builds_on),
            (4, 4),
            "the stage before, unless it says otherwise"
        );
        assert!(stages[0].expected_with(&["--drain=once".into()]).is_empty());
        assert_eq!(stages[1].name, "05-mio");
        assert_eq!(stages[1].binary, Path::new("/bin/stage-05-mio"));
        assert!(stages[0].has_workers && !stages[1].has_workers);
        assert!(stages[1].is_twin && stages[1].expect.is_empty() && stages[1].serves_at_once.is_none());
    }

    /// Protects against a misspelt key, which would otherwise be a declaration that is never read.
    #[test]
    fn an_unknown_key_is_refused() {
        let misspelt = serde_json::json!({
            "number": 5, "title": "t", "idea": "i", "flaw": "f", "chapter": "05.md", "expects": {},
        });
        assert!(described(misspelt).is_err_and(|error| error.to_string().contains("expects")));
    }
}
