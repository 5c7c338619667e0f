//! One run of a program, here or on another host: bounded in time, its output and its files kept; here bound to its CPUs too.

use super::Load;
use super::place::{Place, Word};
use crate::stages::Launch;
use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, killpg};
use nix::sys::time::TimeVal;
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a tool may take beyond the time that it was told to run.
const GRACE: Duration = Duration::from_secs(10);
/// Also how exactly the end of a run is seen; the tools time themselves.
const POLL: Duration = Duration::from_millis(5);
/// More output than this is nonsense.
const OUTPUT_LIMIT: u64 = 4 << 20;

/// A program about to be run.
pub(super) struct Run<'a> {
    pub(super) program: &'a Path,
    pub(super) place: &'a Place,
    /// The CPUs that the program may use.
    pub(super) cpus: usize,
    pub(super) load: &'a Load,
    pub(super) meanwhile: &'a mut dyn FnMut() -> bool,
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Output {
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) status: ExitStatus,
    pub(super) cpu_seconds: f64,
    /// The files that were wanted, by name, where the program wrote them.
    pub(super) files: BTreeMap<String, String>,
}

impl Run<'_> {
    /// Threads for a tool that can have several: each needs a connection, and more than CPUs only wait for each other.
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

/// Runs a command that leads a process group to its end, and kills the group if that does not come in time. The CPU time
/// is left at zero: where it was spent, the caller knows.
pub(crate) fn bounded(
    command: &mut Command,
    limit: Duration,
    meanwhile: &mut dyn FnMut() -> bool,
) -> Result<Output> {
    let (stdout, stderr, status) = bounded_bytes(command, limit, meanwhile)?;
    Ok(Output::new(&stdout, &stderr, status))
}

/// The same, with stdout and stderr as they were written: in whatever encoding.
pub(super) fn bounded_bytes(
    command: &mut Command,
    limit: Duration,
    meanwhile: &mut dyn FnMut() -> bool,
) -> Result<(Vec<u8>, Vec<u8>, ExitStatus)> {
    // Files, not pipes: a tool that prints without end fills no pipe and blocks on nothing.
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let child = command
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
    // A disk that others use too is not filled by nonsense.
    let is_nonsense = || {
        let length = |file: &File| file.metadata().map_or(0, |metadata| metadata.len());
        length(&stdout).max(length(&stderr)) > OUTPUT_LIMIT
    };
    let status = Group(child).wait(limit, &is_nonsense, meanwhile)?;
    Ok((bytes(&mut stdout)?, bytes(&mut stderr)?, status))
}

impl Output {
    /// What a program left behind that wrote these bytes.
    pub(super) fn new(stdout: &[u8], stderr: &[u8], status: ExitStatus) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(stdout), text(stderr));
        Self { stdout, stderr, status, cpu_seconds: 0.0, files: BTreeMap::new() }
    }

    /// The last line of its complaints, for an error message: of stderr, and of stdout only if that is empty.
    /// What a tool prints last on stdout may be its banner.
    pub(crate) fn last_words(&self) -> String {
        let last =
            |text: &'_ str| text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned);
        match last(&self.stderr).or_else(|| last(&self.stdout)) {
            Some(line) => format!("{}: {line}", self.status),
            None => format!("{}, without a word", self.status),
        }
    }
}

/// A child that leads a process group, killed with it unless it has ended.
struct Group(Child);

impl Group {
    fn wait(
        mut self,
        limit: Duration,
        is_nonsense: &dyn Fn() -> bool,
        meanwhile: &mut dyn FnMut() -> bool,
    ) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            if start.elapsed() > limit {
                bail!("did not end within {} s and was killed", limit.as_secs());
            }
            if is_nonsense() {
                bail!("printed more than {} MB and was killed", OUTPUT_LIMIT >> 20);
            }
            if !meanwhile() {
                bail!("interrupted");
            }
            sleep(POLL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its children too: webbench has one per client, and the original does not wait for them.
        let _ = killpg(Pid::from_raw(self.0.id() as i32), Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

fn bytes(file: &mut File) -> Result<Vec<u8>> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// CPU time of all children that were waited for. Nothing else is waited for while a generator runs.
fn cpu_of_children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}
