//! A server as a process: started, spoken to by signals, and never left behind.

use anyhow::{Context, Result, anyhow, bail};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, killpg, signal};
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take from its start to being ready.
const START_LIMIT: Duration = Duration::from_secs(5);
/// How long a server may take to stop after SIGTERM: the drain of 2 s, and a slow machine.
const STOP_LIMIT: Duration = Duration::from_secs(6);
/// How often a process or a port is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(5);
/// How many lines of stderr are kept for error messages.
const KEPT_LINES: usize = 20;

/// What tells that a server is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// The first line on stdout: `listening on ADDRESS`.
    Line,
    /// A connection to this address is accepted; for servers that print nothing.
    Port(SocketAddr),
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
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to the environment.
    pub env: Vec<(OsString, OsString)>,
    /// The CPUs that it is bound to; `None` leaves it free.
    pub cpus: Option<Vec<usize>>,
    /// Its limit of open descriptors (`RLIMIT_NOFILE`), soft and hard.
    pub descriptors: Option<u64>,
    /// What tells that it is ready.
    pub ready: Ready,
    /// Where its stderr goes.
    pub stderr: Stderr,
}

impl Launch {
    /// A program without arguments that prints the line of a stage.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cpus: None,
            descriptors: None,
            ready: Ready::Line,
            stderr: Stderr::Kept,
        }
    }

    /// The command, with what must happen between fork and exec: its own process group, death together
    /// with the thread that started it, affinity and limits.
    ///
    /// The kernel ties the death signal to the *thread* that forked: start a server from a thread that
    /// outlives it.
    pub fn command(&self) -> Result<Command> {
        if !self.program.is_file() {
            bail!("{} is not built: run `cargo build --release --workspace --bins`", self.program.display());
        }
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.env.iter().cloned()).stdin(Stdio::null()).process_group(0);
        let cpus = self.cpus.as_deref().map(cpu_set).transpose()?;
        let descriptors = self.descriptors;
        let prepare = move || {
            // A shell starts background jobs with SIGINT ignored, and exec keeps that.
            // SAFETY: SIG_DFL runs no code of ours.
            unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) }?;
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
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

    /// Starts the server and waits until it is ready.
    pub fn start(&self) -> Result<Server> {
        let mut command = self.command()?;
        command.stdout(Stdio::piped());
        command.stderr(match self.stderr {
            Stderr::Kept => Stdio::piped(),
            Stderr::Inherited => Stdio::inherit(),
        });
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        let lines = Lines::default();
        if let Some(stderr) = child.stderr.take() {
            lines.keep(stderr);
        }
        let first_line = child.stdout.take().map(first_line);
        let mut server = Server { addr: ([127, 0, 0, 1], 0).into(), child, lines, status: None };
        server.addr = match (self.ready, first_line) {
            (Ready::Line, Some(line)) => server.await_line(&line)?,
            (Ready::Port(addr), _) => server.await_port(addr)?,
            (Ready::Line, None) => bail!("the server's stdout is missing"),
        };
        Ok(server)
    }
}

fn cpu_set(cpus: &[usize]) -> Result<CpuSet> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu).with_context(|| format!("CPU {cpu} is out of range"))?;
    }
    Ok(set)
}

/// The first line of a pipe. What comes after it is read and dropped, so that the server never blocks.
fn first_line(stdout: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        let read = stdout.read_line(&mut line);
        if read.is_ok_and(|length| length > 0) && sender.send(line).is_ok() {
            drop(sender);
            // An error ends the draining, and there is nobody to tell.
            let _ = std::io::copy(&mut stdout, &mut std::io::sink());
        }
    });
    receiver
}

/// The last lines of a server's stderr.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<VecDeque<String>>>);

impl Lines {
    fn keep(&self, stderr: impl Read + Send + 'static) {
        let lines = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(std::io::Result::ok) {
                let mut kept = lines.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                if kept.len() == KEPT_LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
    }

    fn joined(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.iter().cloned().collect::<Vec<_>>().join("\n")
    }
}

/// A running server. Dropping it kills its whole process group.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    child: Child,
    lines: Lines,
    status: Option<ExitStatus>,
}

impl Server {
    /// The process that was started; also the id of its process group.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Sends a signal to the process that was started. A process that is gone is no error.
    pub fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            // Not reaped yet, so the number is still its own.
            let _ = nix::sys::signal::kill(Pid::from_raw(self.pid()), signal);
        }
    }

    /// Sends a signal to its whole process group, as a terminal does at Ctrl-C.
    pub fn signal_group(&self, signal: Signal) {
        let _ = killpg(Pid::from_raw(self.pid()), signal);
    }

    /// Waits for the end of the process, at most for `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            if self.status.is_none() {
                self.status = self.child.try_wait().ok().flatten();
            }
            if self.status.is_some() || start.elapsed() >= limit {
                return self.status;
            }
            thread::sleep(POLL);
        }
    }

    /// Whether the process still runs.
    pub fn is_alive(&mut self) -> bool {
        self.wait(Duration::ZERO).is_none()
    }

    /// Stops the server with SIGTERM and waits; one that does not stop is an error (and is killed).
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM);
        self.wait(STOP_LIMIT).ok_or_else(|| {
            anyhow!("the server did not stop within {STOP_LIMIT:?} of SIGTERM{}", self.stderr_note())
        })
    }

    /// The last lines of its stderr, where they were kept.
    pub fn stderr(&self) -> String {
        self.lines.joined()
    }

    fn stderr_note(&self) -> String {
        match self.stderr().lines().last() {
            Some(line) => format!("; its last words: {line}"),
            None => String::new(),
        }
    }

    fn await_line(&mut self, first_line: &Receiver<String>) -> Result<SocketAddr> {
        match first_line.recv_timeout(START_LIMIT) {
            Ok(line) => {
                line.trim().strip_prefix("listening on ").and_then(|addr| addr.parse().ok()).with_context(
                    || format!("the first line must be `listening on ADDRESS`, not {:?}", line.trim()),
                )
            }
            Err(RecvTimeoutError::Timeout) => {
                bail!("no line `listening on …` within {START_LIMIT:?}{}", self.stderr_note())
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.early_end()),
        }
    }

    fn await_port(&mut self, addr: SocketAddr) -> Result<SocketAddr> {
        let start = Instant::now();
        while start.elapsed() < START_LIMIT {
            if !self.is_alive() {
                return Err(self.early_end());
            }
            if TcpStream::connect_timeout(&addr, START_LIMIT).is_ok() {
                return Ok(addr);
            }
            thread::sleep(POLL);
        }
        bail!("nothing listens on {addr} within {START_LIMIT:?}{}", self.stderr_note())
    }

    fn early_end(&mut self) -> anyhow::Error {
        // stdout is closed just before the status can be read, and stderr may still be on its way.
        let ended = self.wait(Duration::from_secs(1));
        thread::sleep(POLL * 4);
        match ended {
            Some(status) => anyhow!(EndedEarly(status))
                .context(format!("the server ended before it listened ({status}){}", self.stderr_note())),
            None => anyhow!("the server closed stdout before it said where it listens{}", self.stderr_note()),
        }
    }
}

/// The root of the error when a server ends before it is ready: its exit status.
#[derive(Debug)]
pub struct EndedEarly(pub ExitStatus);

impl std::fmt::Display for EndedEarly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for EndedEarly {}

impl Drop for Server {
    fn drop(&mut self) {
        // Its children too: a stage that forks may have left some.
        self.signal_group(Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
