//! The reader's guesses, kept in a file that is nobody else's: `work/predictions.json`.
//!
//! Nothing is lost: a guess is added to the ones before it, and so is a result. The file is written whole or
//! not at all, and two commands at the same time wait for each other.

use anyhow::{Context, Result};
use lab_core::clock::now;
use lab_core::files::write_atomically;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, create_dir_all, read_to_string};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The name of the file.
const NAME: &str = "predictions.json";
/// Held while it is read and written.
const LOCK: &str = "predictions.lock";

/// All that is kept.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// By the chapter and the id of the prediction: `05/which-hangs`; the oldest first.
    #[serde(default)]
    pub(crate) guesses: BTreeMap<String, Vec<Entry>>,
    /// What was measured, by the same names.
    #[serde(default)]
    pub(crate) results: BTreeMap<String, Vec<Entry>>,
}

/// A guess or a result.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// When, in UTC.
    pub(crate) at: String,
    /// The key of a choice, a number, or a sentence.
    pub(crate) answer: String,
}

/// Where it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Guesses {
    folder: PathBuf,
}

impl Guesses {
    pub(crate) fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// All that is kept; nothing, where there is no file.
    pub(crate) fn read(&self) -> Result<Kept> {
        let file = self.file();
        let text = match read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Kept::default()),
            text => text.with_context(|| format!("{} cannot be read", file.display()))?,
        };
        serde_json::from_str(&text).with_context(|| {
            format!("{} is no list of guesses: mend it, or move it away, and nothing is lost", file.display())
        })
    }

    /// Adds a guess.
    pub(crate) fn add_guess(&self, name: &str, answer: &str) -> Result<()> {
        self.change(|kept| kept.guesses.entry(name.to_owned()).or_default().push(Entry::of(answer)))
    }

    /// Adds a result.
    pub(crate) fn add_result(&self, name: &str, answer: &str) -> Result<()> {
        self.change(|kept| kept.results.entry(name.to_owned()).or_default().push(Entry::of(answer)))
    }

    fn change(&self, change: impl FnOnce(&mut Kept)) -> Result<()> {
        let cannot = || format!("cannot write to {}", self.folder.display());
        create_dir_all(&self.folder).with_context(cannot)?;
        // Unlocked when it is closed.
        let lock = File::create(self.folder.join(LOCK)).with_context(cannot)?;
        lock.lock().with_context(cannot)?;
        let mut kept = self.read()?;
        change(&mut kept);
        let text = serde_json::to_string_pretty(&kept)? + "\n";
        write_atomically(&self.file(), text.as_bytes())
    }
}

impl Entry {
    fn of(answer: &str) -> Self {
        Self { at: now(), answer: answer.to_owned() }
    }
}

impl Kept {
    /// The last guess.
    pub(crate) fn guess(&self, name: &str) -> Option<&str> {
        Some(&self.guesses.get(name)?.last()?.answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::scope;

    /// Protects the reader's guesses from a second run, and from one at the same time.
    #[test]
    fn no_guess_is_lost() {
        let folder = tempfile::tempdir().expect("a directory");
        let guesses = Guesses::of(&folder.path().join("work"));
        assert_eq!(guesses.read().expect("no file is no error"), Kept::default());
        scope(|scope| {
            for writer in 0..4 {
                let guesses = &guesses;
                scope.spawn(move || {
                    for at in 0..5 {
                        guesses.add_guess("05/hangs", &format!("{writer}.{at}")).expect("it is kept");
                    }
                });
            }
        });
        guesses.add_result("05/hangs", "edge-once").expect("it is kept");
        guesses.add_guess("05/hangs", "level-once").expect("it is kept");
        let kept = guesses.read().expect("it can be read");
        assert_eq!((kept.guesses["05/hangs"].len(), kept.results["05/hangs"].len()), (21, 1));
        assert_eq!(kept.guess("05/hangs"), Some("level-once"));
        assert_eq!(kept.guess("05/other"), None);
    }

    /// Protects what a reader has in a file that was broken by hand: it is not written over.
    #[test]
    fn a_file_that_is_broken_is_left_alone() {
        let folder = tempfile::tempdir().expect("a directory");
        let guesses = Guesses::of(folder.path());
        std::fs::write(guesses.file(), "{ \"guesses\": ").expect("written");
        let error = format!("{:#}", guesses.add_guess("05/hangs", "x").expect_err("it is broken"));
        assert!(error.contains("is no list of guesses: mend it") && !error.contains('\n'), "{error}");
        assert_eq!(read_to_string(guesses.file()).expect("it is there"), "{ \"guesses\": ");
    }
}
