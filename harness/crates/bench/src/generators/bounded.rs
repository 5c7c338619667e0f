//! A command run to its end, bounded in time and in its output.

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How exactly the end of a run is seen; the tools time themselves.
const POLL: Duration = Duration::from_millis(5);
/// More output than this is nonsense.
const OUTPUT_LIMIT: u64 = 4 << 20;

/// What a program left behind.
#[derive(Debug)]
pub struct Output {
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) status: ExitStatus,
    pub(super) cpu_seconds: f64,
    /// The file that was wanted; empty where the program wrote none.
    pub(super) file: String,
}

/// Runs a command that leads a process group to its end, and kills the group if that does not come in time.
/// `meanwhile` is called with the process's id about every 5 ms and ends the run early by returning `false`.
/// The CPU time is left at zero: the caller knows where it was spent.
pub fn bounded(
    command: &mut Command,
    limit: Duration,
    meanwhile: &mut dyn FnMut(u32) -> bool,
) -> Result<Output> {
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
    let (stdout, stderr) = (text(&mut stdout)?, text(&mut stderr)?);
    Ok(Output { stdout, stderr, status, cpu_seconds: 0.0, file: String::new() })
}

impl Output {
    /// What it printed on stdout.
    pub fn stdout(&self) -> &str {
        &self.stdout
    }

    /// The last line of its complaints, for an error message: of stderr, and of stdout only if that is empty.
    /// What a tool prints last on stdout may be its banner.
    pub fn last_words(&self) -> String {
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
        meanwhile: &mut dyn FnMut(u32) -> bool,
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
            if !meanwhile(self.0.id()) {
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

/// What was written, in whatever encoding: what is no UTF-8 is replaced.
pub(super) fn text(file: &mut File) -> Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
