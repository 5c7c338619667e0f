//! One run of a program, here or on another host: bounded in time, its output and its files kept; here bound
//! to its CPUs too.

use super::bounded::{Output, bounded, bytes};
use super::load::Load;
use super::place::Place;
use super::word::Word;
use anyhow::Result;
use lab_core::server_process::Launch;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

/// What a tool may take beyond the time that it was told to run.
const GRACE: Duration = Duration::from_secs(10);

/// A program about to be run.
pub(super) struct Run<'a> {
    pub(super) program: &'a Path,
    pub(super) place: &'a Place,
    /// The CPUs that the program may use.
    pub(super) cpus: usize,
    pub(super) load: &'a Load,
    pub(super) meanwhile: &'a mut dyn FnMut() -> bool,
}

impl Run<'_> {
    /// Threads for a tool that can have several: each needs a connection, and more than CPUs only wait for
    /// each other.
    pub(super) fn threads(&self) -> usize {
        self.cpus.min(self.load.concurrency)
    }

    /// Runs the program with these words: plain texts, and files by [`Word`].
    pub(super) fn output(&mut self, words: impl IntoIterator<Item = impl Into<Word>>) -> Result<Output> {
        let words: Vec<Word> = words.into_iter().map(Into::into).collect();
        let limit = limit(self.load);
        match self.place {
            Place::Ssh(remote) => {
                remote.run(&self.program.display().to_string(), &words, limit, self.meanwhile)
            }
            Place::Here => self.output_here(&words, limit),
        }
    }

    fn output_here(&mut self, words: &[Word], limit: Duration) -> Result<Output> {
        let directory = tempfile::Builder::new().prefix("generator-").tempdir()?;
        let path = |name: &str| directory.path().join(name);
        let mut launch = Launch::new(self.program);
        for word in words {
            launch.args.push(match word {
                Word::Text(text) => text.clone(),
                Word::Given { name, contents } => {
                    fs::write(path(name), contents)?;
                    path(name).display().to_string()
                }
                Word::Wanted { name } => path(name).display().to_string(),
            });
        }
        launch.cpus = self.load.cpus.clone();
        let before = cpu_of_children()?;
        let mut output = bounded(&mut launch.command()?, limit, self.meanwhile)?;
        output.cpu_seconds = cpu_of_children()? - before;
        for word in words {
            if let Word::Wanted { name } = word
                && let Ok(mut file) = File::open(path(name))
            {
                let text = String::from_utf8_lossy(&bytes(&mut file)?).into_owned();
                output.files.insert((*name).to_owned(), text);
            }
        }
        Ok(output)
    }
}

/// How long a tool may take with this load.
pub(super) fn limit(load: &Load) -> Duration {
    Duration::from_secs(load.whole_seconds()) + GRACE
}

/// CPU time of all children that were waited for. Nothing else is waited for while a generator runs.
fn cpu_of_children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}
