//! The Cargo.toml of a starter: the stage's own, as a package and a workspace of its own.
//!
//! Cargo tells packages in one target folder apart by their names, and programs too, so both have the name of
//! the exercise (that of a package begins with a letter); the library keeps the name by which the code calls
//! it.

use anyhow::{Context, Result};
use lab_core::files::link;
use std::fs::read_to_string;
use std::path::Path;
use toml::{Table, Value};

/// The programs of a crate cut from a stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    /// Its only program, after which the package is called.
    pub(crate) own: &'a str,
    /// The program of the stage that this is.
    pub(crate) of_stage: &'a str,
}

/// The package in `stage`, without its workspace.
pub(crate) fn package(stage: &Path, names: Names<'_>) -> Result<Table> {
    let mut manifest = read(&stage.join("Cargo.toml"))?;
    let package = table(&mut manifest, "package")?;
    let old = package.insert("name".into(), format!("learn-{}", names.own).into());
    let old = old.as_ref().and_then(Value::as_str).context("the stage's package has no name")?.to_owned();
    package.remove("metadata");
    // The twin of the stage is not built.
    package.insert("autobins".into(), false.into());
    // Not the stage's own table, which may say that there are no tests: a learner may write some.
    let library: Table = [("name".to_owned(), old.replace('-', "_").into())].into_iter().collect();
    manifest.insert("lib".into(), Value::Table(library));
    let bins = manifest.get_mut("bin").and_then(Value::as_array_mut).context("the stage has no program")?;
    bins.retain(|bin| bin.get("name").and_then(Value::as_str) == Some(names.of_stage));
    let bin = bins.first_mut().and_then(Value::as_table_mut);
    let bin = bin.with_context(|| format!("there is no program {}", names.of_stage))?;
    bin.insert("name".into(), names.own.into());
    bin.remove("test");
    // Of its tests those in the sources come with them; the folders `tests` and `benches` do not.
    manifest.remove("test");
    manifest.remove("bench");
    Ok(manifest)
}

/// What the workspace at `root` gives to its members, for a workspace in `folder` that uses these
/// dependencies.
pub(crate) fn workspace(
    root: &Path,
    folder: &Path,
    members: &[&str],
    is_used: &dyn Fn(&str) -> bool,
) -> Result<Table> {
    let manifest = read(&root.join("Cargo.toml"))?;
    let mut workspace = manifest.get("workspace").and_then(Value::as_table).context("no workspace")?.clone();
    workspace.remove("exclude");
    let members = members.iter().map(|member| Value::from(*member)).collect();
    workspace.insert("members".into(), Value::Array(members));
    let dependencies = table(&mut workspace, "dependencies")?;
    dependencies.retain(|name, _| is_used(name));
    for dependency in dependencies.iter_mut().map(|(_, value)| value) {
        if let Some(path) = dependency.get_mut("path") {
            let target = root.join(path.as_str().context("a path is a text")?);
            *path = link(folder, &target).into();
        }
    }
    // A learner's first lines need no documentation.
    if let Some(lints) = workspace.get_mut("lints").and_then(|lints| lints.get_mut("rust")) {
        lints.as_table_mut().map(|lints| lints.remove("missing_docs"));
    }
    let mut all = Table::new();
    all.insert("workspace".into(), workspace.into());
    if let Some(dev) = manifest.get("profile").and_then(|profiles| profiles.get("dev")) {
        all.insert("profile".into(), Value::Table([("dev".to_owned(), dev.clone())].into_iter().collect()));
    }
    Ok(all)
}

/// Whether a package names this dependency, on some target at least: stage 07 has loom for its model alone.
pub(crate) fn names(package: &Table, dependency: &str) -> bool {
    let targets = package.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(|targets| targets.values().filter_map(Value::as_table));
    let mut tables = std::iter::once(package).chain(targets).flat_map(|owner| {
        ["dependencies", "dev-dependencies"].iter().filter_map(|name| owner.get(*name)?.as_table())
    });
    tables.any(|table| table.contains_key(dependency))
}

fn read(path: &Path) -> Result<Table> {
    let name = || path.display().to_string();
    read_to_string(path).with_context(name)?.parse().with_context(name)
}

fn table<'a>(table: &'a mut Table, name: &str) -> Result<&'a mut Table> {
    table.get_mut(name).and_then(Value::as_table_mut).with_context(|| format!("no table `{name}`"))
}
