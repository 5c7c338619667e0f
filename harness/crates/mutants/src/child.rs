//! A command that is bounded in time and memory, and leaves no process behind.

use anyhow::{Context, Result, bail};
use lab_core::interruption::Interruption;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::all_processes;
use std::ffi::OsStr;
use std::fs::{File, read_to_string};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A variable that every process of a run inherits: a server that has left its process group, or whose parent
/// is gone, is still found by it.
const TAG: &str = "C10K_LAB_MUTANT";

const POLL: Duration = Duration::from_millis(20);

/// What a command may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How long it may run.
    pub(crate) time: Duration,
    /// The address space of each of its processes, in KiB (RLIMIT_AS).
    pub(crate) memory_kib: Option<u64>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None: its time was over.
    pub(crate) status: Option<ExitStatus>,
    /// What it wrote to stdout and stderr.
    pub(crate) output: String,
}

impl Ended {
    /// Whether it ended in time, with status 0.
    pub(crate) fn is_good(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// Its last line that says anything.
    pub(crate) fn last_line(&self) -> &str {
        self.output.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("(no output)")
    }
}

/// Runs a command in a folder, with its output in a file.
///
/// # Errors
/// That it could not be started, or that the user has ended the run.
pub(crate) fn run(
    command: &mut Command,
    folder: &Path,
    log: &Path,
    bounds: Bounds,
    interruption: &Interruption,
) -> Result<Ended> {
    // Relaxed: a number that is used once.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let tag = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    // The shell sets the limit and becomes the program, so no code of ours runs between fork and exec.
    let limit = bounds.memory_kib.map_or_else(|| "unlimited".to_owned(), |kib| kib.to_string());
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", r#"ulimit -v "$0"; exec "$@""#, &limit])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    // A group of its own: Ctrl-C comes to us, and we end it.
    shell.env(TAG, &tag).current_dir(folder).process_group(0).stdin(Stdio::null());
    shell.stderr(file.try_clone()?).stdout(file);
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = shell.spawn().with_context(|| format!("cannot start {name}"))?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if interruption.has_come() || begun.elapsed() > bounds.time {
            break None;
        }
        sleep(POLL);
    };
    end_all(&tag);
    if status.is_none() {
        child.wait()?;
    }
    if interruption.has_come() {
        bail!("interrupted");
    }
    let output = read_to_string(log).unwrap_or_default();
    Ok(Ended { status, output })
}

/// Kills every process that has the tag, until there is none.
fn end_all(tag: &str) {
    loop {
        let tagged = all_processes().into_iter().flatten().flatten().filter(|process| {
            // A zombie has no environment any more.
            process.environ().is_ok_and(|all| all.get(OsStr::new(TAG)).is_some_and(|value| *value == *tag))
        });
        let pids: Vec<i32> = tagged.map(|process| process.pid).collect();
        if pids.is_empty() {
            return;
        }
        for pid in pids {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, time: Duration, memory_kib: Option<u64>) -> Ended {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let interruption = Interruption::catch().unwrap();
        run(&mut command, folder.path(), &log, Bounds { time, memory_kib }, &interruption).unwrap()
    }

    /// Protects the machine: a mutated server that has left its group, and its parent, is ended with the run.
    #[test]
    fn nothing_is_left_behind() {
        let ended = shell("setsid sleep 1000 & echo $!; exit 3", Duration::from_secs(60), None);
        assert_eq!(ended.status.and_then(|status| status.code()), Some(3));
        let pid: i32 = ended.last_line().parse().unwrap();
        let gone = || {
            kill(Pid::from_raw(pid), None).is_err()
                || read_to_string(format!("/proc/{pid}/environ")).unwrap_or_default().is_empty()
        };
        assert!(gone(), "{pid} runs on");
    }

    #[test]
    fn time_and_memory_are_bounded() {
        let ended = shell("echo begun; sleep 1000", Duration::from_millis(200), None);
        assert!(ended.status.is_none());
        assert_eq!(ended.last_line(), "begun");
        let ended = shell("ulimit -v", Duration::from_secs(60), Some(500_000));
        assert_eq!(ended.last_line(), "500000");
    }
}
