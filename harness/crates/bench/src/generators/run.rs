//! One run of a program, here or on another host: bounded in time, its output and its file kept; here bound
//! to its CPUs too.

use super::bounded::{Output, bounded, text};
use super::load::Load;
use super::ssh::Place;
use anyhow::{Context, Result, bail};
use lab_core::server_process::Launch;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

/// What a tool may take beyond the time that it was told to run.
const GRACE: Duration = Duration::from_secs(10);

/// Called about every 5 ms with the process's id, where it is a process of this host; ends the run early by
/// returning `false`.
pub type Meanwhile<'a> = &'a mut dyn FnMut(Option<u32>) -> bool;

/// A word of a generator's command line. A generator that reads or writes a file has it in a directory that
/// is made for the one run, on the host where it runs, so the word for such a file stands for a path that is
/// not known before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// As it is.
    Text(String),
    /// The path of a file that has these contents when the program starts.
    Given(&'static str),
    /// The path of the file that the program writes; it is read when the program has ended.
    Wanted,
}

impl<T: Into<String>> From<T> for Word {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

/// A program about to be run.
pub(super) struct Run<'a> {
    pub(super) program: &'a Path,
    pub(super) place: &'a Place,
    /// The CPUs that the program may use.
    pub(super) cpus: usize,
    pub(super) load: &'a Load,
    pub(super) meanwhile: Meanwhile<'a>,
}

impl Run<'_> {
    /// Threads for a tool that can have several: each needs a connection, and more than CPUs only wait for
    /// each other.
    pub(super) fn threads(&self) -> usize {
        self.cpus.min(self.load.concurrency)
    }

    /// Runs the program with these words.
    pub(super) fn output(&mut self, words: Vec<Word>) -> Result<Output> {
        let limit = limit(self.load);
        match self.place {
            Place::Ssh(remote) => {
                let mut meanwhile = |_| (self.meanwhile)(None);
                remote.run(&self.program.display().to_string(), &words, limit, &mut meanwhile)
            }
            Place::Here => self.output_here(words, limit),
        }
    }

    /// The same; a program that fails is an error with its last words.
    pub(super) fn report(&mut self, words: Vec<Word>) -> Result<Output> {
        let output = self.output(words)?;
        if !output.status.success() {
            let name = self.program.file_name().unwrap_or_default().to_string_lossy();
            bail!("{name} gave up: {}", output.last_words());
        }
        Ok(output)
    }

    fn output_here(&mut self, words: Vec<Word>, limit: Duration) -> Result<Output> {
        let directory = tempfile::Builder::new().prefix("generator-").tempdir()?;
        let (given, wanted) = (directory.path().join("given"), directory.path().join("wanted"));
        let mut launch = Launch::new(self.program);
        for word in words {
            launch.args.push(match word {
                Word::Text(text) => text,
                Word::Given(contents) => {
                    fs::write(&given, contents)?;
                    given.display().to_string()
                }
                Word::Wanted => wanted.display().to_string(),
            });
        }
        launch.cpus = self.load.cpus.clone();
        let before = cpu_of_children()?;
        let mut meanwhile = |pid| (self.meanwhile)(Some(pid));
        let mut output = bounded(&mut launch.command()?, limit, &mut meanwhile)?;
        output.cpu_seconds = cpu_of_children()? - before;
        if let Ok(mut file) = File::open(wanted) {
            output.file = text(&mut file)?;
        }
        Ok(output)
    }
}

/// The line of JSON that a report ends with.
pub(super) fn json<T: serde::de::DeserializeOwned>(report: &str) -> Result<T> {
    let json = report.lines().rfind(|line| line.starts_with('{')).context("no line of JSON")?;
    Ok(serde_json::from_str(json)?)
}

/// How long a tool may take with this load.
pub(super) fn limit(load: &Load) -> Duration {
    Duration::from_secs(load.whole_seconds()) + load.warm_up + GRACE
}

/// CPU time of all children that were waited for. Nothing else is waited for while a generator runs.
fn cpu_of_children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}
