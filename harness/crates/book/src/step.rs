//! What changed from one stage to the next, file by file, from the working tree.

use anyhow::{Context, Result};
use similar::{ChangeTag, TextDiff};
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

/// A file of a step, before and after.
#[derive(Clone, Debug)]
pub struct Change {
    /// Below the folder that was compared.
    pub path: PathBuf,
    /// Empty if the file is new.
    pub before: String,
    /// What it is now.
    pub after: String,
}

impl Change {
    /// Whether the stage before has no such file.
    pub fn is_new(&self) -> bool {
        self.before.is_empty()
    }

    /// How many lines are added, and how many removed.
    pub fn counts(&self) -> (usize, usize) {
        let diff = TextDiff::from_lines(&self.before, &self.after);
        let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
        (count(ChangeTag::Insert), count(ChangeTag::Delete))
    }

    /// The difference in the unified format, without the lines that name the files.
    pub fn unified(&self) -> String {
        TextDiff::from_lines(&self.before, &self.after).unified_diff().to_string()
    }
}

/// The files of a step from one folder of sources to another: the loop first, then the others, by name. What
/// a stage inherits it uses where it is, so a file that the later folder lacks is no part of the step.
///
/// # Errors
///
/// A file cannot be read.
pub fn changes(from: &Path, to: &Path) -> Result<Vec<Change>> {
    let mut files = Vec::new();
    collect(to, &mut files)?;
    files.sort_by_key(|path| (path.file_name() != Some("server.rs".as_ref()), path.clone()));
    let mut changes = Vec::new();
    for file in files {
        let path = file.strip_prefix(to)?.to_owned();
        let before = from.join(&path);
        let before = if before.is_file() { read(&before)? } else { String::new() };
        changes.push(Change { path, before, after: read(&file)? });
    }
    changes.retain(|change| change.before != change.after);
    Ok(changes)
}

/// A source text without the lines that mark the book's excerpts, which are no part of a step.
///
/// # Errors
///
/// It cannot be read.
pub fn read(file: &Path) -> Result<String> {
    let text = read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("// ANCHOR")).collect())
}

/// The files of a crate's source, without those that only list or start the others.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match name.as_ref() {
            "bin" | "lib.rs" | "main.rs" => {}
            _ if path.is_dir() => collect(&path, files)?,
            name if name.ends_with(".rs") => files.push(path),
            _ => {}
        }
    }
    Ok(())
}
