//! A server that runs: signalled, waited for, killed with its whole group at the latest when it is
//! dropped.

use super::lines::each_line;
use super::owner::owns;
use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take from its start to being ready.
const START_LIMIT: Duration = Duration::from_secs(5);
/// How long a server may take to stop after SIGTERM: the drain of 2 s, and a slow machine.
const STOP_LIMIT: Duration = Duration::from_secs(6);
/// How often a process or a port is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(5);
/// How many lines of each of its outputs are kept for error messages.
const KEPT_LINES: usize = 20;

/// A running server. Dropping it kills its whole process group.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    child: Child,
    stdout: Tail,
    stderr: Tail,
    status: Option<ExitStatus>,
    /// What was written for it.
    _directory: Option<TempDir>,
}

impl Server {
    /// Takes over a child that has just been started and reads what it prints: its first line comes through
    /// the channel.
    pub(super) fn of(mut child: Child, directory: Option<TempDir>) -> (Self, Receiver<String>) {
        let (stdout, stderr) = (Tail::default(), Tail::default());
        if let Some(pipe) = child.stderr.take() {
            stderr.follow(pipe);
        }
        // Without a pipe the channel is closed at once.
        let first_line = child.stdout.take().map_or_else(|| sync_channel(1).1, |pipe| stdout.follow(pipe));
        let addr = ([127, 0, 0, 1], 0).into();
        (Self { addr, child, stdout, stderr, status: None, _directory: directory }, first_line)
    }

    /// The process that was started; also the id of its process group.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Fails if a process outside of the server's group listens on its address: that one would be measured
    /// instead. (A command that is only probed may well hand its port to a service that is no child of it.)
    pub fn must_own_its_port(&self) -> Result<()> {
        let (addr, is_owner) = (self.addr, owns(self.pid(), self.addr));
        ensure!(is_owner, "another process listens on {addr}: see `ss -tlnp`");
        Ok(())
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

    /// How it died, in one line; `None` while it lives.
    pub fn death(&mut self) -> Option<String> {
        let status = self.wait(Duration::ZERO)?;
        // Its last line may still be on its way through the pipe.
        thread::sleep(POLL * 4);
        Some(format!("the server has died ({status}){}", self.note()))
    }

    /// How it ended, if it did so within `limit`, in one line: what is said of a server that nobody told to
    /// end.
    pub fn end(&mut self, limit: Duration) -> Option<String> {
        let status = self.wait(limit)?;
        // Its last line may still be on its way through the pipe.
        thread::sleep(POLL * 4);
        Some(format!("the server ended: {status}{}", self.note()))
    }

    /// Stops the server with SIGTERM and waits; one that does not stop is an error (and is killed).
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM);
        self.wait(STOP_LIMIT)
            .ok_or_else(|| anyhow!("the server did not stop within {STOP_LIMIT:?} of SIGTERM{}", self.note()))
    }

    /// The last lines of its stderr, where they were kept.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// The last line that it printed, on stderr if there is one, as the end of a message.
    fn note(&self) -> String {
        let last = |lines: String| lines.lines().rfind(|line| !line.trim().is_empty()).map(str::to_owned);
        let line = last(self.stderr.text()).or_else(|| last(self.stdout.text()));
        line.map_or_else(String::new, |line| format!("; its last line: {line}"))
    }

    /// Waits for the line `listening on ADDRESS`.
    pub(super) fn await_line(&mut self, first_line: &Receiver<String>) -> Result<()> {
        match first_line.recv_timeout(START_LIMIT) {
            Ok(line) => {
                let addr = line.trim().strip_prefix("listening on ").and_then(|addr| addr.parse().ok());
                self.addr = addr.with_context(|| {
                    format!("the first line must be `listening on ADDRESS`, not {:?}", line.trim())
                })?;
                Ok(())
            }
            Err(RecvTimeoutError::Timeout) => {
                bail!("no line `listening on …` within {START_LIMIT:?}{}", self.note())
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.early_end()),
        }
    }

    /// Waits until a connection to `addr` is accepted.
    pub(super) fn await_port(&mut self, addr: SocketAddr) -> Result<()> {
        self.addr = addr;
        let start = Instant::now();
        while start.elapsed() < START_LIMIT {
            if !self.is_alive() {
                return Err(self.early_end());
            }
            if TcpStream::connect_timeout(&addr, START_LIMIT).is_ok() {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        bail!("nothing listens on {addr} within {START_LIMIT:?}{}", self.note())
    }

    fn early_end(&mut self) -> anyhow::Error {
        // stdout is closed just before the status can be read, and stderr may still be on its way.
        let ended = self.wait(Duration::from_secs(1));
        thread::sleep(POLL * 4);
        match ended {
            Some(status) => anyhow!(EndedEarly(status))
                .context(format!("the server ended before it listened{}", self.note())),
            None => anyhow!("the server closed stdout before it said where it listens{}", self.note()),
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

/// The last lines of one of a server's outputs.
#[derive(Debug, Clone, Default)]
struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    /// Keeps the last lines as they come; the first one goes through the channel too, which is closed when
    /// the output ends.
    fn follow(&self, output: impl Read + Send + 'static) -> Receiver<String> {
        let (sender, receiver) = sync_channel(1);
        let tail = self.clone();
        thread::spawn(move || {
            each_line(output, |line| {
                // It has room for one line, and the first one alone is ever awaited.
                let _ = sender.try_send(line.clone());
                let mut kept = tail.lock();
                if kept.len() == KEPT_LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
            });
        });
        receiver
    }

    fn text(&self) -> String {
        self.lock().iter().cloned().collect::<Vec<_>>().join("\n")
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
