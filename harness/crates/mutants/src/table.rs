//! What came of the mutants: the table that is committed, and the outcomes of an unfinished run.

use anyhow::{Context, Result};
use lab_core::files::write_atomically;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, read_to_string};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The table, from the root of the tree.
pub const TABLE: &str = "results/mutants.json";

/// Whether a mutant was caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was.
    Caught,
    /// It was not, though it should have been.
    Survived,
    /// Nothing of this sort is named for it.
    NotAsked,
    /// Nothing can be said: it was not built, or could not be judged.
    Fault,
}

/// What came of a mutant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// By the probe that is named.
    pub probe: Verdict,
    /// What the probe said, or what went wrong.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
    /// By the test that is named.
    pub test: Verdict,
    /// Why nothing can be said about the test.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub test_said: String,
    /// The probes that caught it in a whole grade, where one was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all_probes: Vec<String>,
}

impl Outcome {
    /// Whether what is named for it caught it.
    pub fn is_good(&self) -> bool {
        [self.probe, self.test].iter().all(|verdict| matches!(verdict, Verdict::Caught | Verdict::NotAsked))
    }
}

/// Outcomes by the mutants' names.
pub type Table = BTreeMap<String, Outcome>;

/// Reads the table; an empty one where there is none.
///
/// # Errors
/// What is wrong with it.
pub fn read(root: &Path) -> Result<Table> {
    let path = root.join(TABLE);
    match read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).with_context(|| TABLE.to_owned()),
        Err(_) => Ok(Table::new()),
    }
}

/// Writes the table.
///
/// # Errors
/// What cannot be written.
pub fn write(root: &Path, table: &Table) -> Result<()> {
    write_atomically(&root.join(TABLE), (serde_json::to_string_pretty(table)? + "\n").as_bytes())
}

/// Outcomes of a run that may be interrupted, one JSON object a line.
#[derive(Debug)]
pub struct Progress {
    path: PathBuf,
    done: Vec<Done>,
}

/// The outcome of one mutant, and what it stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Done {
    /// The mutant.
    pub name: String,
    /// The hash of its file.
    pub patch: String,
    /// The hash of the tree.
    pub tree: String,
    /// The whole grade was asked for.
    pub whole: bool,
    /// How long it took.
    pub seconds: f64,
    /// What came of it.
    pub outcome: Outcome,
}

impl Progress {
    /// What earlier runs have left. A line that was cut off by an interruption is none.
    pub fn read(path: PathBuf) -> Self {
        let text = read_to_string(&path).unwrap_or_default();
        let done = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Self { path, done }
    }

    /// The outcome that still stands, if any.
    pub fn find(&self, name: &str, patch: &str, tree: &str, whole: bool) -> Option<&Outcome> {
        let stands = |done: &&Done| {
            done.name == name && done.patch == patch && done.tree == tree && (done.whole || !whole)
        };
        self.done.iter().rev().find(stands).map(|done| &done.outcome)
    }

    /// How long the mutant took the last time.
    pub fn seconds(&self, name: &str) -> Option<f64> {
        self.done.iter().rev().find(|done| done.name == name).map(|done| done.seconds)
    }

    /// Keeps an outcome.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn add(&mut self, done: Done) -> Result<()> {
        let cannot = || format!("cannot write {}", self.path.display());
        fs::create_dir_all(self.path.parent().unwrap_or(Path::new("."))).with_context(cannot)?;
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path).with_context(cannot)?;
        file.write_all((serde_json::to_string(&done)? + "\n").as_bytes()).with_context(cannot)?;
        self.done.push(done);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(name: &str, tree: &str, probe: Verdict) -> Done {
        let outcome = Outcome {
            probe,
            said: String::new(),
            test: Verdict::NotAsked,
            test_said: String::new(),
            all_probes: Vec::new(),
        };
        Done { name: name.into(), patch: "p".into(), tree: tree.into(), whole: false, seconds: 3.0, outcome }
    }

    /// Protects a run that was interrupted: it goes on where it was, but not with what was judged of another
    /// tree or another patch.
    #[test]
    fn an_outcome_stands_for_its_own_patch_and_tree_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/outcomes");
        let mut progress = Progress::read(path.clone());
        progress.add(done("one", "t", Verdict::Survived)).unwrap();
        progress.add(done("one", "t", Verdict::Caught)).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"name\":\"tw").unwrap();
        let progress = Progress::read(path);
        let probe =
            |name, patch, tree, whole| progress.find(name, patch, tree, whole).map(|found| found.probe);
        assert_eq!(probe("one", "p", "t", false), Some(Verdict::Caught), "the last one");
        assert_eq!(probe("one", "q", "t", false), None);
        assert_eq!(probe("one", "p", "u", false), None);
        assert_eq!(probe("one", "p", "t", true), None, "the whole grade was not made");
        assert_eq!((progress.seconds("one"), progress.seconds("two")), (Some(3.0), None));
    }

    #[test]
    fn a_table_reads_back() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("results")).unwrap();
        assert!(read(root.path()).unwrap().is_empty());
        let table = Table::from([("one".to_owned(), done("one", "t", Verdict::Caught).outcome)]);
        write(root.path(), &table).unwrap();
        assert_eq!(read(root.path()).unwrap(), table);
    }
}
