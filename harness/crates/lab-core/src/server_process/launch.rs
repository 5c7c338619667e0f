//! How a server is started: as a process of its own group, bound to its CPUs, never left behind.

use super::guard::divide;
use anyhow::{Context, Result, bail};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How it is known that a server is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// The first line on stdout: `listening on ADDRESS`.
    Line,
    /// A connection to this address is accepted; for servers that print nothing.
    Port(SocketAddr),
    /// A connection is accepted on a free port of 127.0.0.1, which stands for `{port}` in the arguments and
    /// in the files.
    FreePort,
}

/// Where the server's stderr goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stderr {
    /// Read, and the last lines kept for error messages.
    Kept,
    /// To the terminal.
    Inherited,
}

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments. In them and in the files, `{directory}` stands for the private directory of the server
    /// and `{cpus}` for the number of its CPUs.
    pub args: Vec<String>,
    /// Variables added to the environment.
    pub env: Vec<(OsString, OsString)>,
    /// The CPUs that it is bound to; `None` leaves it free.
    pub cpus: Option<Vec<usize>>,
    /// Its limit of open descriptors (`RLIMIT_NOFILE`), soft and hard.
    pub descriptors: Option<u64>,
    /// Files that it needs, name and text: written into a private directory, which is removed when the server
    /// has ended.
    pub files: Vec<(String, String)>,
    /// What the kernel sends it when the thread that started it has ended, be it by SIGKILL. Only the process
    /// that was started gets it: one that has workers must be able to end them.
    pub orphan_signal: Signal,
    /// How it is known that it is ready.
    pub ready: Ready,
    /// Where its stderr goes.
    pub stderr: Stderr,
    /// How long it may take to be ready.
    pub start_limit: Duration,
    /// It has a guard that ends whatever it leaves behind, and the process that listens is taken for the
    /// server: for one of which nothing is known but its command.
    pub is_guarded: bool,
}

/// How long a server of the lab may take to be ready.
const START_LIMIT: Duration = Duration::from_secs(5);

impl Launch {
    /// A program without arguments that prints the line of a stage.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cpus: None,
            descriptors: None,
            files: Vec::new(),
            orphan_signal: Signal::SIGKILL,
            ready: Ready::Line,
            stderr: Stderr::Kept,
            start_limit: START_LIMIT,
            is_guarded: false,
        }
    }

    /// The command, with what must happen between fork and exec: its own process group, death together
    /// with the thread that started it, affinity and limits.
    ///
    /// The kernel ties the death signal to the *thread* that forked: start a server from a thread that
    /// outlives it.
    pub fn command(&self) -> Result<Command> {
        self.command_with(None)
    }

    /// The same, with a guard at the other end of the socket.
    pub(super) fn command_with(&self, guard: Option<UnixStream>) -> Result<Command> {
        if !self.program.is_file() {
            bail!("{} is not built: run `cargo build --release --workspace --bins`", self.program.display());
        }
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.env.iter().cloned()).stdin(Stdio::null()).process_group(0);
        let cpus = self.cpus.as_deref().map(cpu_set).transpose()?;
        let descriptors = self.descriptors;
        let orphan_signal = self.orphan_signal;
        let prepare = move || {
            if let Some(socket) = &guard {
                // What follows is of the server alone.
                divide(socket.as_raw_fd())?;
            }
            // A shell starts background jobs with SIGINT ignored, and exec keeps that.
            // SAFETY: SIG_DFL runs no code of ours.
            unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) }?;
            nix::sys::prctl::set_pdeathsig(orphan_signal)?;
            if let Some(cpus) = &cpus {
                sched_setaffinity(Pid::from_raw(0), cpus)?;
            }
            if let Some(limit) = descriptors {
                setrlimit(Resource::RLIMIT_NOFILE, limit, limit)?;
            }
            Ok(())
        };
        // SAFETY: the closure runs after fork in a copy of a process that may have had other threads. It
        // makes system calls only: no allocation, no lock.
        unsafe { command.pre_exec(prepare) };
        Ok(command)
    }
}

fn cpu_set(cpus: &[usize]) -> Result<CpuSet> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu).with_context(|| format!("CPU {cpu} is out of range"))?;
    }
    Ok(set)
}
