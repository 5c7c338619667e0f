//! The crate that a learner gets: the stage with a lesser part.

use crate::exercise::{Exercise, Lab, without_marks};
use crate::manifest::{self, Names};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs::{copy, create_dir_all, read_dir, read_to_string, write};
use std::path::{Path, PathBuf};

/// The starter of an exercise: its files, by their paths in the crate.
#[derive(Clone, Debug)]
pub struct Starter<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) exercise: &'a Exercise,
    /// Where the replaced parts begin: `src/server.rs:42`.
    pub(crate) places: Vec<String>,
    /// The sources.
    pub(crate) sources: BTreeMap<PathBuf, String>,
}

/// Which workspace a starter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of its own: so a learner has it, and no exercise can break another one.
    Alone,
    /// That of the folder above, in which several are built at once.
    Member,
}

impl<'a> Starter<'a> {
    /// Cuts it from the stage.
    ///
    /// # Errors
    /// What cannot be read, or which part is not there.
    pub fn of(lab: &'a Lab, exercise: &'a Exercise) -> Result<Self> {
        let folder = &lab.stage(exercise)?.folder;
        let mut sources = BTreeMap::new();
        collect(folder, &folder.join("src"), &mut sources)?;
        for part in &exercise.replace {
            let source = sources.get_mut(Path::new(&part.file));
            let source = source.with_context(|| format!("{}: {} is no source", exercise.name, part.file))?;
            *source = part.in_place(&exercise.folder, source).with_context(|| exercise.name.clone())?;
        }
        let places =
            exercise.replace.iter().map(|part| part.place(&sources[Path::new(&part.file)])).collect();
        sources.values_mut().for_each(|source| *source = without_marks(source));
        Ok(Self { lab, exercise, places, sources })
    }

    /// Writes it into a folder as a crate with the program `name`.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn write(&self, folder: &Path, name: &str, kind: Kind) -> Result<()> {
        let stage = self.lab.stage(self.exercise)?;
        let binary = stage.binary.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut manifest = manifest::package(&stage.folder, Names { own: name, of_stage: &binary })?;
        create_dir_all(folder).with_context(|| folder.display().to_string())?;
        if kind == Kind::Alone {
            let is_used = |name: &str| manifest::names(&manifest, name);
            let workspace = manifest::workspace(&self.lab.root, folder, &["."], &is_used)?;
            manifest.extend(workspace);
            lock(&self.lab.root, folder)?;
        }
        save(&folder.join("Cargo.toml"), &manifest.to_string())?;
        for (path, text) in &self.sources {
            save(&folder.join(path), text)?;
        }
        Ok(())
    }

    /// Makes `folder` a workspace of these crates, which are written as [`Kind::Member`].
    ///
    /// # Errors
    /// What cannot be written.
    pub fn workspace(lab: &Lab, folder: &Path, members: &[&str]) -> Result<()> {
        create_dir_all(folder).with_context(|| folder.display().to_string())?;
        lock(&lab.root, folder)?;
        save(
            &folder.join("Cargo.toml"),
            &manifest::workspace(&lab.root, folder, members, &|_| true)?.to_string(),
        )
    }
}

/// The versions are those of the lab, and cargo asks nobody which ones there are.
fn lock(root: &Path, folder: &Path) -> Result<()> {
    let to = folder.join("Cargo.lock");
    if !to.exists() {
        copy(root.join("Cargo.lock"), &to).with_context(|| to.display().to_string())?;
    }
    Ok(())
}

/// Writes a file unless it has this text already: cargo goes by times.
fn save(path: &Path, text: &str) -> Result<()> {
    if read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let cannot = || format!("cannot write {}", path.display());
    create_dir_all(path.parent().unwrap_or(Path::new("."))).with_context(cannot)?;
    write(path, text).with_context(cannot)
}

/// The sources below a folder, by their paths from `root`.
fn collect(root: &Path, folder: &Path, sources: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    for entry in read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, sources)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = read_to_string(&path).with_context(|| path.display().to_string())?;
            sources.insert(path.strip_prefix(root)?.to_owned(), text);
        }
    }
    Ok(())
}
