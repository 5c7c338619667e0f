//! `[package.metadata.stage]` in the stages' manifests, read through cargo.

use super::{Stage, Variant};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A typing mistake in a manifest must not become a probe that is silently expected to pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StageTable {
    number: u8,
    builds_on: Option<u8>,
    title: String,
    idea: String,
    flaw: String,
    chapter: String,
    serves_at_once: Option<usize>,
    #[serde(default)]
    workers: bool,
    needs: Option<String>,
    #[serde(default)]
    expect: BTreeMap<String, String>,
    #[serde(default)]
    twins: Vec<TwinTable>,
    #[serde(default)]
    variants: Vec<VariantTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TwinTable {
    binary: String,
    title: String,
    idea: String,
    serves_at_once: Option<usize>,
    #[serde(default)]
    expect: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VariantTable {
    args: Vec<String>,
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
        let table = StageTable::deserialize(table)
            .with_context(|| format!("[package.metadata.stage] in {}", package.manifest_path))?;
        let folder = package.manifest_path.parent().context("a manifest has a folder")?.as_std_path();
        stages.extend(describe(table, package.name.as_str(), folder, binaries));
    }
    // Twins sort behind their stage: `05` is a prefix of `05-mio`.
    stages.sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
    Ok(stages)
}

/// The stage, then its twins.
fn describe(table: StageTable, package: &str, folder: &Path, binaries: &Path) -> Vec<Stage> {
    let name = format!("{:02}", table.number);
    let stage = Stage {
        number: table.number,
        binary: binaries.join(format!("stage-{name}")),
        name,
        package: package.to_owned(),
        folder: folder.to_owned(),
        builds_on: table.builds_on.unwrap_or(table.number.saturating_sub(1)),
        title: table.title,
        idea: table.idea,
        flaw: table.flaw,
        chapter: table.chapter,
        serves_at_once: table.serves_at_once,
        expect: table.expect,
        variants: table.variants.into_iter().map(|v| Variant { args: v.args, expect: v.expect }).collect(),
        has_workers: table.workers,
        needs: table.needs,
        is_twin: false,
    };
    let twins = table.twins.into_iter().map(|twin| Stage {
        name: twin.binary.trim_start_matches("stage-").to_owned(),
        binary: binaries.join(&twin.binary),
        title: twin.title,
        idea: twin.idea,
        serves_at_once: twin.serves_at_once,
        expect: twin.expect,
        variants: Vec::new(),
        has_workers: false,
        needs: None,
        is_twin: true,
        ..stage.clone()
    });
    let twins: Vec<Stage> = twins.collect();
    std::iter::once(stage).chain(twins).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(json: serde_json::Value) -> Result<StageTable, serde_json::Error> {
        serde_json::from_value(json)
    }

    /// Protects the rule that twins and variants inherit no expectation from their stage.
    #[test]
    fn a_twin_and_a_variant_declare_for_themselves() {
        let table = table(serde_json::json!({
            "number": 5, "title": "t", "idea": "i", "flaw": "f", "chapter": "05.md", "serves_at_once": 4,
            "workers": true,
            "expect": { "fast-beside-slow": "starved" },
            "twins": [{ "binary": "stage-05-mio", "title": "on mio", "idea": "on mio" }],
            "variants": [{ "args": ["--drain", "once"] }],
        }));
        let stages = describe(table.unwrap(), "edge-vs-level", Path::new("/05"), Path::new("/bin"));
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
        assert!(table(misspelt).is_err_and(|error| error.to_string().contains("expects")));
    }
}
