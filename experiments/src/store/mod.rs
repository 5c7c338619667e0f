//! What is recorded: a file for each run, to which lines are only ever added.
//!
//! The first line says what the run is, then comes a line for each experiment, and the last one says that the
//! run is finished. So a run that was interrupted is known by its missing end, and goes on in the same file.

mod interrupted;

pub use interrupted::{ResumePoint, find_interrupted};

use crate::experiment::Profile;
use crate::report::Report;
use anyhow::{Context, Result, bail};
use lab_core::host::Host;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The name of every file of claims ends so: `20260102T030405Z-1234567890-claims.jsonl`.
const ENDING: &str = "-claims";

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line {
    /// What the run is.
    Begun(Begun),
    /// What an experiment found.
    Result(Box<Record>),
    /// Why an experiment found nothing.
    LeftOut {
        /// The experiment.
        id: String,
        /// One line.
        reason: String,
    },
    /// Nothing is left to do.
    Finished {
        /// The time.
        at: String,
    },
}

/// What a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    /// The time, UTC.
    pub at: String,
    /// Whether every experiment is to be run.
    pub all: bool,
    /// How much is measured.
    pub profile: Profile,
    /// Where.
    pub host: Host,
}

/// What an experiment found, complete by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The time when it ended, UTC.
    pub at: String,
    /// The experiment.
    pub id: String,
    /// The claim as it read then.
    pub claim: String,
    /// Its source.
    pub source: String,
    /// How it was measured.
    pub method: String,
    /// How much was measured.
    pub profile: Profile,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Where.
    pub host: Host,
    /// What it found.
    #[serde(flatten)]
    pub report: Report,
}

/// A file that is being written.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
}

impl Writer {
    /// Begins a new file in a directory, which is made if it is not there.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn begin(directory: &Path, begun: &Begun) -> Result<Self> {
        fs::create_dir_all(directory).with_context(|| format!("cannot write to {}", directory.display()))?;
        let commit = if begun.host.commit.is_empty() { "nocommit" } else { &begun.host.commit };
        let name = format!("{}-{commit}{ENDING}", begun.at.replace(['-', ':'], ""));
        for number in 1.. {
            let suffix = if number == 1 { String::new() } else { format!("-{number}") };
            let path = directory.join(format!("{name}{suffix}.jsonl"));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => {
                    // A filesystem may have no locks: then nobody finds it locked either.
                    let _ = file.try_lock();
                    let mut writer = Self { file, path };
                    writer.write(&Line::Begun(begun.clone()))?;
                    return Ok(writer);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot write {}", path.display()));
                }
            }
        }
        bail!("no free name for {name}")
    }

    /// Goes on with a file. A line that was cut off by a kill or a full disk is ended, so that the next one
    /// stands by itself.
    ///
    /// # Errors
    /// When it cannot be written, or is being written by a run that is alive.
    pub fn go_on(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot write {}", path.display());
        let is_cut = fs::read(path).with_context(cannot)?.last().is_some_and(|&byte| byte != b'\n');
        let file = OpenOptions::new().append(true).open(path).with_context(cannot)?;
        // One that is alive would record the same again, and each would measure the other.
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            bail!("{} is being written by a run that is still going on; wait for its end", path.display());
        }
        let mut writer = Self { file, path: path.to_owned() };
        if is_cut {
            writer.file.write_all(b"\n").with_context(cannot)?;
        }
        Ok(writer)
    }

    /// Adds a line, which is on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, line: &Line) -> Result<()> {
        let mut text = serde_json::to_string(line).context("a record is plain data")?;
        text.push('\n');
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A recorded run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its file.
    pub path: PathBuf,
    /// What it is.
    pub begun: Begun,
    /// What its experiments found, in the order in which they were run.
    pub records: Vec<Record>,
    /// Whether it came to its end.
    pub is_finished: bool,
}

/// The runs that are recorded in a directory, the oldest first. What is no line of ours is passed over, with
/// a word on stderr unless it is the cut-off end of a run that was killed.
pub fn runs(directory: &Path) -> Vec<Run> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| is_of_claims(path)).collect();
    // The names begin with the time. By their stems: `-claims` comes before `-claims-2`.
    paths.sort_by(|one, other| one.file_stem().cmp(&other.file_stem()));
    paths.into_iter().filter_map(read).collect()
}

fn is_of_claims(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let stem = stem.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
    path.extension().is_some_and(|ending| ending == "jsonl") && stem.ends_with(ENDING)
}

fn read(path: PathBuf) -> Option<Run> {
    let text = fs::read(&path).ok()?;
    let pass_over = |number: usize| {
        let place = path.display();
        eprintln!(
            "lab: {place}: line {number} is no record and is passed over (a run was killed, or the file damaged)"
        );
    };
    let (whole, _cut) = text.split_at(text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1));
    let lines = whole.split_inclusive(|&byte| byte == b'\n').enumerate().filter_map(|(at, line)| {
        let line = serde_json::from_slice::<Line>(line);
        line.inspect_err(|_| pass_over(at + 1)).ok()
    });
    let mut lines = lines.collect::<Vec<_>>().into_iter();
    let Line::Begun(begun) = lines.next()? else { return None };
    let mut run = Run { path, begun, records: Vec::new(), is_finished: false };
    for line in lines {
        match line {
            Line::Result(record) => run.records.push(*record),
            Line::Finished { .. } => run.is_finished = true,
            Line::Begun(_) | Line::LeftOut { .. } => {}
        }
    }
    Some(run)
}

/// The record that counts for each id: the newest full one; where there is none, the newest quick one. So a
/// look does not take the place of a measurement.
pub fn newest(runs: &[Run]) -> BTreeMap<String, Record> {
    let mut records: Vec<&Record> = runs.iter().flat_map(|run| &run.records).collect();
    // RFC 3339 in UTC sorts by time; of two in the same second the later one in the files is newer.
    let rank = |record: &Record| record.profile == Profile::Full;
    records.sort_by(|one, other| (rank(one), &one.at).cmp(&(rank(other), &other.at)));
    records.into_iter().map(|record| (record.id.clone(), record.clone())).collect()
}

impl Run {
    /// The experiments that need not be run again.
    pub fn done(&self) -> BTreeSet<&str> {
        self.records.iter().map(|record| record.id.as_str()).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests;
