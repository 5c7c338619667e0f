//! A server that runs: signalled, waited for, killed with its whole group at the latest when it is
//! dropped.

use super::guard::Guard;
use super::lines::each_line;
use super::owner::{listening, owns, sockets_of};
use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::collections::{BTreeSet, VecDeque};
use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

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
    /// What was started: the server, or its guard.
    child: Child,
    guard: Option<Mutex<Guard>>,
    /// The process that listens is none of ours, or may not be looked at.
    is_hidden: bool,
    stdout: Tail,
    stderr: Tail,
    status: Option<ExitStatus>,
    /// What was written for it.
    _directory: Option<TempDir>,
}

impl Server {
    /// Takes over a child that has just been started and reads what it prints: its first line comes through
    /// the channel.
    pub(super) fn of(
        mut child: Child,
        guard: Option<UnixStream>,
        directory: Option<TempDir>,
    ) -> Result<(Self, Receiver<String>)> {
        let (stdout, stderr) = (Tail::default(), Tail::default());
        if let Some(pipe) = child.stderr.take() {
            stderr.follow(pipe);
        }
        // Without a pipe the channel is closed at once.
        let first_line = child.stdout.take().map_or_else(|| sync_channel(1).1, |pipe| stdout.follow(pipe));
        let addr = ([127, 0, 0, 1], 0).into();
        let pid = child.id() as i32;
        let guard = guard.map(|socket| Guard::of(socket, pid).map(Mutex::new)).transpose()?;
        let server = Self {
            addr,
            child,
            guard,
            is_hidden: false,
            stdout,
            stderr,
            status: None,
            _directory: directory,
        };
        Ok((server, first_line))
    }

    /// The server's process: the one that was started, which leads its process group, or behind a guard the
    /// one that listens.
    pub fn pid(&self) -> i32 {
        self.guard().map_or(self.child.id() as i32, |guard| guard.main())
    }

    fn guard(&self) -> Option<MutexGuard<'_, Guard>> {
        self.guard.as_ref().map(|guard| guard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why nothing can be said about the server's process, where nothing can: what listens is none of those
    /// that the command has started, or may not be looked at.
    pub fn is_hidden(&self) -> bool {
        self.is_hidden
    }

    /// Whether the status with which it ended could not be seen: behind a wrapper, on Linux before 6.15. It
    /// counts as 0.
    pub fn is_status_hidden(&self) -> bool {
        self.guard().is_some_and(|guard| guard.is_status_hidden())
    }

    /// A handle with which another thread can end it; only for a server with a guard.
    pub fn ender(&self) -> Option<Ender> {
        Some(Ender(self.guard()?.socket().ok()?))
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
        if let Some(mut guard) = self.guard() {
            guard.signal(signal);
        } else if self.status.is_none() {
            // Not reaped yet, so the number is still its own.
            let _ = nix::sys::signal::kill(Pid::from_raw(self.pid()), signal);
        }
    }

    /// Sends a signal to its whole process group, as a terminal does at Ctrl-C.
    pub fn signal_group(&self, signal: Signal) {
        match self.guard() {
            Some(mut guard) => guard.signal_group(signal),
            None => drop(killpg(Pid::from_raw(self.pid()), signal)),
        }
    }

    /// Waits for the end of the process, at most for `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            if self.status.is_none() {
                self.status = self.status_now();
            }
            if self.status.is_some() || start.elapsed() >= limit {
                return self.status;
            }
            thread::sleep(POLL);
        }
    }

    fn status_now(&mut self) -> Option<ExitStatus> {
        let addr = self.addr;
        match &mut self.guard {
            Some(guard) => {
                let guard = guard.get_mut().unwrap_or_else(PoisonError::into_inner);
                guard.status(|| listeners_of(addr))
            }
            None => self.child.try_wait().ok().flatten(),
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

    /// The last lines of its stderr, and how many came, once it has ended and its pipe is read.
    pub(super) fn whole_stderr(&self) -> (String, usize) {
        /// What it has started may keep the pipe open.
        const LIMIT: Duration = Duration::from_secs(1);
        let start = Instant::now();
        while !self.stderr.lock().is_over && start.elapsed() < LIMIT {
            thread::sleep(POLL);
        }
        (self.stderr.text(), self.stderr.lock().count)
    }

    /// The last line that it printed, on stderr if there is one, as the end of a message.
    fn note(&self) -> String {
        let last = |lines: String| lines.lines().rfind(|line| !line.trim().is_empty()).map(str::to_owned);
        let line = last(self.stderr.text()).or_else(|| last(self.stdout.text()));
        line.map_or_else(String::new, |line| format!("; its last line: {line}"))
    }

    /// Waits for the line `listening on ADDRESS`.
    pub(super) fn await_line(&mut self, first_line: &Receiver<String>, limit: Duration) -> Result<()> {
        match first_line.recv_timeout(limit) {
            Ok(line) => {
                let addr = line.trim().strip_prefix("listening on ").and_then(|addr| addr.parse().ok());
                self.addr = addr.with_context(|| {
                    format!("the first line must be `listening on ADDRESS`, not {:?}", line.trim())
                })?;
                Ok(())
            }
            Err(RecvTimeoutError::Timeout) => {
                bail!("no line `listening on …` within {limit:?}{}", self.note())
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.early_end()),
        }
    }

    /// Waits until a connection to `addr` is accepted.
    pub(super) fn await_port(&mut self, addr: SocketAddr, limit: Duration) -> Result<()> {
        self.addr = addr;
        let start = Instant::now();
        while start.elapsed() < limit {
            if !self.is_alive() {
                return Err(self.early_end());
            }
            if TcpStream::connect_timeout(&addr, limit).is_ok() {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        bail!("nothing listens on {addr} within {limit:?}{}", self.note())
    }

    /// Waits until a process behind the guard listens on `addr`: that one is the server, and not what has
    /// started it. No connection is made, which would be the server's first one.
    pub(super) fn await_listener(&mut self, addr: SocketAddr, limit: Duration) -> Result<()> {
        /// A process that forks while it is looked for is missed once.
        const LOOKS: usize = 10;
        self.addr = addr;
        let (start, mut looks) = (Instant::now(), 0);
        while start.elapsed() < limit {
            let inodes = listeners_of(addr);
            if !inodes.is_empty() {
                looks += 1;
                if self.guard().is_some_and(|mut guard| guard.adopt_listener(&inodes)) {
                    return Ok(());
                }
                if looks == LOOKS {
                    self.is_hidden = true;
                    return Ok(());
                }
            }
            // It does so when nothing is left of what it has started.
            if self.child.try_wait()?.is_some() {
                self.status = self.guard().and_then(|mut guard| guard.first_status());
                return Err(self.early_end());
            }
            thread::sleep(POLL);
        }
        bail!("nothing listens on {addr} within {limit:?}{}{}", self.elsewhere(), self.note())
    }

    /// Where it listens instead, as the end of a message.
    fn elsewhere(&self) -> String {
        let processes = self.guard().map_or_else(Vec::new, |guard| guard.processes());
        let own: BTreeSet<u64> = processes.iter().filter_map(sockets_of).flatten().collect();
        let all = listening();
        let places: Vec<String> =
            all.iter().filter(|at| own.contains(&at.inode)).map(|at| at.addr.to_string()).collect();
        match places.is_empty() {
            true => String::new(),
            false => format!(" (it listens on {})", places.join(", ")),
        }
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

/// Ends a server, and all that it has started, from another thread than that of its [`Server`].
#[derive(Debug)]
pub struct Ender(UnixStream);

impl Ender {
    /// Ends it. The server looks as if it had been killed.
    pub fn end(&self) {
        // One that is closed has ended already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        /// What the kernel cannot end at once, or we may not, is not waited for.
        const LIMIT: Duration = Duration::from_secs(5);
        if let Some(ender) = self.ender() {
            ender.end();
            let start = Instant::now();
            while self.child.try_wait().is_ok_and(|status| status.is_none()) && start.elapsed() < LIMIT {
                thread::sleep(POLL / 5);
            }
            return;
        }
        // Its children too: a stage that forks may have left some.
        self.signal_group(Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// The sockets to which a client of `addr` may come.
fn listeners_of(addr: SocketAddr) -> BTreeSet<u64> {
    listening().into_iter().filter(|at| at.accepts(addr)).map(|at| at.inode).collect()
}

/// The last lines of one of a server's outputs.
#[derive(Debug, Clone, Default)]
struct Tail(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    last: VecDeque<String>,
    /// Lines that are not empty, of all that came.
    count: usize,
    is_over: bool,
}

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
                if kept.last.len() == KEPT_LINES {
                    kept.last.pop_front();
                }
                kept.count += usize::from(!line.trim().is_empty());
                kept.last.push_back(line);
            });
            tail.lock().is_over = true;
        });
        receiver
    }

    fn text(&self) -> String {
        Vec::from(self.lock().last.clone()).join("\n")
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
