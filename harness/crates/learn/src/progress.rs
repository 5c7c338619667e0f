//! What survives a restart: which exercises were opened, hinted at and solved.

use crate::exercise::{Exercise, Lab};
use anyhow::{Context, Result};
use lab_core::clock::now;
use lab_core::files::write_atomically;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Its file in the learner's folder.
pub(crate) const FILE: &str = "progress.json";

/// A learner's progress.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Progress {
    /// The exercise that was opened last.
    #[serde(default)]
    pub(crate) current: Option<String>,
    /// By the name of the exercise.
    #[serde(default)]
    pub(crate) exercises: BTreeMap<String, Entry>,
}

/// What has been done about one exercise. Times are UTC, as RFC 3339 writes them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    /// When its starter was made.
    #[serde(default)]
    pub(crate) opened: Option<String>,
    /// How often it was graded.
    #[serde(default)]
    pub(crate) attempts: u32,
    /// The most probes that passed at once.
    #[serde(default)]
    pub(crate) passed: usize,
    /// How many hints were shown.
    #[serde(default)]
    pub(crate) hints: usize,
    /// When all probes passed for the first time.
    #[serde(default)]
    pub(crate) solved: Option<String>,
}

/// How far an exercise is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    New,
    Opened,
    Solved,
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::New => "",
            Self::Opened => "opened",
            Self::Solved => "solved",
        }
    }
}

/// The file of a learner's folder.
fn file(work: &Path) -> PathBuf {
    work.join(FILE)
}

impl Progress {
    /// Reads it; none of it if there is no file.
    ///
    /// # Errors
    /// That the file is there and is no progress.
    pub(crate) fn read(work: &Path) -> Result<Self> {
        let file = file(work);
        match read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| file.display().to_string()),
            Ok(text) => serde_json::from_str(&text).with_context(|| {
                format!("{} is no progress: mend it, or move it away to begin anew", file.display())
            }),
        }
    }

    /// Changes it: what is there is read first, so another terminal's change stays.
    ///
    /// # Errors
    /// What cannot be read or written.
    pub(crate) fn update(work: &Path, change: impl FnOnce(&mut Self)) -> Result<Self> {
        let mut progress = Self::read(work)?;
        change(&mut progress);
        let text = serde_json::to_string_pretty(&progress)? + "\n";
        write_atomically(&file(work), text.as_bytes())?;
        Ok(progress)
    }

    pub(crate) fn entry(&mut self, exercise: &Exercise) -> &mut Entry {
        self.exercises.entry(exercise.name.clone()).or_default()
    }

    /// Notes that it was opened.
    pub(crate) fn open(&mut self, exercise: &Exercise) {
        self.current = Some(exercise.name.clone());
        self.entry(exercise).opened.get_or_insert_with(now);
    }

    /// Notes an attempt, of which so many probes passed.
    pub(crate) fn attempt(&mut self, exercise: &Exercise, passed: usize, is_solved: bool) {
        let entry = self.entry(exercise);
        entry.attempts += 1;
        entry.passed = entry.passed.max(passed);
        if is_solved {
            entry.solved.get_or_insert_with(now);
        }
    }

    pub(crate) fn state(&self, exercise: &Exercise) -> State {
        match self.exercises.get(&exercise.name) {
            Some(Entry { solved: Some(_), .. }) => State::Solved,
            Some(Entry { opened: Some(_), .. }) => State::Opened,
            _ => State::New,
        }
    }

    /// What to do next: the exercise that was opened last, unless it is solved; then the first that is not.
    pub(crate) fn next<'a>(&self, lab: &'a Lab) -> Option<&'a Exercise> {
        let is_open = |exercise: &&Exercise| self.state(exercise) != State::Solved;
        let is_current = |exercise: &&Exercise| self.current.as_ref() == Some(&exercise.name);
        lab.exercises.iter().filter(is_open).find(is_current).or_else(|| lab.exercises.iter().find(is_open))
    }

    pub(crate) fn solved(&self, lab: &Lab) -> usize {
        lab.exercises.iter().filter(|exercise| self.state(exercise) == State::Solved).count()
    }
}
