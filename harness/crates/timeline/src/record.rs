//! A run: the server under strace(1), and the clients beside it.

use crate::build::{Words, timeline};
use crate::clients::{Played, drive};
use crate::model::Timeline;
use crate::scenario::Step;
use crate::strace::{Trace, parse};
use anyhow::{Context, Result, bail};
use lab_core::server_process::{Launch, Ready};
use nix::sys::signal::Signal;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The calls that say who waits for whom. A `?` allows a name that a machine's kernel does not have.
const CALLS: &str = "?accept,?accept4,?listen,?read,?readv,?recvfrom,?recvmsg,?write,?writev,?sendto,?sendmsg,\
                     ?sendfile,?shutdown,?close,?epoll_wait,?epoll_pwait,?epoll_pwait2,?epoll_ctl,?poll,?ppoll,\
                     ?select,?pselect6,?futex,?nanosleep,?clock_nanosleep,?socketpair,?io_uring_enter,?clone,\
                     ?clone3,?fork,?vfork,?wait4,?waitid,?prctl,?exit,?exit_group";
/// Of a string that a call reads or writes; a request's `Host` must be in it.
const STRING: &str = "96";
/// How long a server may take until it listens; strace slows it.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long it may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(6);
/// A server that makes no call for so long has started.
const QUIET: Duration = Duration::from_millis(150);
/// One that never stops making calls is taken as it is.
const QUIET_LIMIT: Duration = Duration::from_secs(3);

/// strace as it is on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Strace {
    program: PathBuf,
    /// `6.1`.
    version: String,
}

impl Strace {
    /// Finds it, and sees whether it may trace a process of ours. The error is one line with what helps.
    pub(crate) fn find() -> Result<Self> {
        Self::find_in(&std::env::var_os("PATH").unwrap_or_default())
    }

    /// The same in the directories of a `PATH`.
    pub(crate) fn find_in(path: &OsStr) -> Result<Self> {
        let programs = std::env::split_paths(path).map(|directory| directory.join("strace"));
        let Some(program) = programs.into_iter().find(|program| program.is_file()) else {
            bail!("a timeline is recorded by strace, which is not installed: apt-get install strace");
        };
        let run = |args: &[&str]| Command::new(&program).args(args).stdin(Stdio::null()).output();
        let tried = run(&["-f", "-o", "/dev/null", "true"]).context("strace cannot be started")?;
        if !tried.status.success() {
            let said = String::from_utf8_lossy(&tried.stderr);
            let said = said.lines().next().unwrap_or("strace: it says nothing").to_owned();
            bail!(
                "a timeline is recorded by strace, which may not trace here ({said}): it needs ptrace(2), so look at \
                 sysctl kernel.yama.ptrace_scope, or give the container SYS_PTRACE"
            );
        }
        let version = run(&["-V"]).map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let version = version
            .unwrap_or_default()
            .lines()
            .next()
            .and_then(|line| line.rsplit(' ').next())
            .map(str::to_owned);
        Ok(Self { program, version: version.unwrap_or_default() })
    }

    /// By what a run is recorded, in one sentence.
    pub(crate) fn words(&self) -> String {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        // What stands behind the numbers names a distribution or a machine.
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let release: String = release.chars().take_while(|&c| is_number(c)).collect();
        format!("Recorded by strace {} on Linux {}.", self.version, release.trim_end_matches('.'))
    }
}

/// A server to record: `{port}` in the arguments stands for its port.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
}

/// What a run leaves.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) trace: Trace,
    /// As strace wrote it.
    pub(crate) text: Vec<u8>,
    pub(crate) played: Played,
}

impl Run {
    /// The run as it is drawn.
    pub(crate) fn timeline(&self, words: Words) -> Timeline {
        timeline(words, &self.trace, &self.played)
    }
}

/// Starts the server under strace, lets the clients do their steps, and ends it.
pub(crate) fn record(strace: &Strace, server: &Server, steps: &[Step]) -> Result<Run> {
    let folder = tempfile::Builder::new().prefix("c10k-lab-").tempdir().context("no folder for the trace")?;
    let file = folder.path().join("trace");
    let mut launch = Launch::new(&strace.program);
    let path = file.to_str().context("the temporary folder's name is no text")?;
    let options = ["-f", "-ttt", "-T", "-y", "-s", STRING, "-e", "signal=none", "-o", path, "-e"];
    launch.args = options.map(str::to_owned).to_vec();
    launch.args.extend([format!("trace={CALLS}"), "--".to_owned()]);
    launch.args.push(server.program.display().to_string());
    launch.args.extend(server.args.iter().cloned());
    // What listens is the server and not strace, and nothing of either is left behind.
    (launch.ready, launch.is_guarded, launch.start_limit) = (Ready::FreePort, true, START_LIMIT);
    let mut running = launch.start()?;
    let mut trace = File::open(&file).context("strace has written nothing")?;
    // Both have it open: whatever ends this run leaves no file behind.
    drop(folder);
    wait_until_quiet(&trace);
    let played = drive(running.addr, steps)?;
    running.signal(Signal::SIGTERM);
    // One that does not end is ended with its guard; what it did until then is in the trace.
    running.wait(STOP_LIMIT);
    wait_until_quiet(&trace);
    drop(running);
    let mut text = Vec::new();
    trace.read_to_end(&mut text).context("the trace cannot be read")?;
    Ok(Run { trace: parse(&text), text, played })
}

/// Waits until a file does not grow.
fn wait_until_quiet(file: &File) {
    const LOOK: Duration = Duration::from_millis(10);
    let length = || file.metadata().map_or(0, |metadata| metadata.len());
    let (start, mut since, mut before) = (Instant::now(), Instant::now(), length());
    while since.elapsed() < QUIET && start.elapsed() < QUIET_LIMIT {
        sleep(LOOK);
        let now = length();
        if now != before {
            (since, before) = (Instant::now(), now);
        }
    }
}
