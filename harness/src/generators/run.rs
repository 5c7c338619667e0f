//! One run of a program: bound to its CPUs, bounded in time, its output kept.

use super::Load;
use crate::stages::Launch;
use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, killpg};
use nix::sys::time::TimeVal;
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a tool may take beyond the time that it was told to run.
const GRACE: Duration = Duration::from_secs(10);
/// Also how exactly the end of a run is seen; the tools time themselves.
const POLL: Duration = Duration::from_millis(5);
/// More output than this is nonsense.
const OUTPUT_LIMIT: u64 = 1 << 20;

/// A program about to be run.
pub(super) struct Run<'a> {
    pub(super) program: &'a Path,
    pub(super) load: &'a Load,
    pub(super) meanwhile: &'a mut dyn FnMut() -> bool,
}

/// What a program left behind.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) status: ExitStatus,
    pub(super) cpu_seconds: f64,
}

impl Run<'_> {
    pub(super) fn output(&mut self, args: Vec<String>) -> Result<Output> {
        let mut launch = Launch::new(self.program);
        launch.args = args;
        launch.cpus = self.load.cpus.clone();
        // Files, not pipes: a tool that prints without end fills no pipe and blocks on nothing.
        let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
        let mut command = launch.command()?;
        command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        let limit = Duration::from_secs(self.load.seconds.into()) + GRACE;
        let before = cpu_of_children()?;
        let child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        let status = Group(child).wait(limit, self.meanwhile)?;
        let cpu_seconds = cpu_of_children()? - before;
        Ok(Output { stdout: text(&mut stdout)?, stderr: text(&mut stderr)?, status, cpu_seconds })
    }
}

impl Output {
    /// The last line of its complaints, for an error message.
    pub(super) fn last_words(&self) -> String {
        let lines = self.stderr.lines().chain(self.stdout.lines());
        match lines.map(str::trim).rfind(|line| !line.is_empty()) {
            Some(line) => format!("{}: {line}", self.status),
            None => format!("{}, without a word", self.status),
        }
    }
}

/// A child that leads a process group, killed with it unless it has ended.
struct Group(Child);

impl Group {
    fn wait(mut self, limit: Duration, meanwhile: &mut dyn FnMut() -> bool) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            if start.elapsed() > limit {
                bail!("did not end within {} s and was killed", limit.as_secs());
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

fn text(file: &mut File) -> Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// CPU time of all children that were waited for. Nothing else is waited for while a generator runs.
fn cpu_of_children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}
