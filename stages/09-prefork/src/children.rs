//! The children: started, reaped, started again. A child has a *slot*, and so has its successor.

use crate::control_pipe::{ControlPipe, Received, control_pipe};
use crate::scoreboard::Scoreboard;
use fork_per_connection::children::end_with_parent;
use kit::error::failed;
use kit::stderr::log_stderr;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid};
use std::io;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::{Duration, Instant};

/// A child that ran for less and has accepted no connection has failed, and is not replaced at once a second
/// time.
const MIN_UPTIME: Duration = Duration::from_secs(1);

/// The longest pause before a child that fails again and again is replaced.
const MAX_RESPAWN_PAUSE: Duration = Duration::from_secs(5);

/// All children.
#[derive(Debug)]
pub struct Children {
    workers: Vec<Worker>,
    scoreboard: Scoreboard,
}

/// One slot.
#[derive(Debug, Default)]
struct Worker {
    process: Option<Process>,
    /// How many of its processes have failed in a row.
    failures: u32,
    /// When its next process is to be started.
    start_at: Option<Instant>,
}

#[derive(Debug)]
struct Process {
    pid: Pid,
    control: ControlPipe,
    started: Instant,
    /// What the earlier processes of this slot had accepted.
    accepted_before: u64,
    /// It was notified and has not answered, or cannot serve yet.
    notified: bool,
}

/// What a process is when a function returns that has forked: it returns in every child too.
#[derive(Debug)]
pub enum Role {
    /// The parent.
    Parent,
    /// A child.
    Child(NewChild),
}

/// What a new child has.
#[derive(Debug)]
pub struct NewChild {
    /// Its slot.
    pub slot: usize,
    /// Its end of the control pipe.
    pub control: ControlPipe,
}

impl Children {
    /// A worker for each slot of the scoreboard, all to be started now.
    pub fn new(scoreboard: Scoreboard) -> Self {
        let worker = || Worker { start_at: Some(Instant::now()), ..Worker::default() };
        Self { workers: (0..scoreboard.count()).map(|_| worker()).collect(), scoreboard }
    }

    /// Starts all children and waits until they can serve.
    ///
    /// # Errors
    /// Why a child could not be started, or cannot serve. Others may be there then.
    pub fn start_all(&mut self, epoll: &Epoll) -> io::Result<Role> {
        for slot in 0..self.workers.len() {
            if let Role::Child(child) = self.start(slot, epoll)? {
                return Ok(Role::Child(child));
            }
        }
        for process in self.workers.iter_mut().filter_map(|worker| worker.process.as_mut()) {
            match process.control.wait() {
                Received::Failure(why) => return Err(io::Error::other(why)),
                Received::Closed => return Err(io::Error::other("a child ended before it could serve")),
                Received::Nothing | Received::Notification => process.notified = false,
            }
        }
        Ok(Role::Parent)
    }

    /// Starts the children that are due and needed. If one cannot be started, it is due again a little later.
    pub fn start_due(&mut self, is_needed: impl Fn(usize) -> bool, epoll: &Epoll) -> Role {
        let now = Instant::now();
        for slot in 0..self.workers.len() {
            if self.workers[slot].start_at.is_some_and(|at| at <= now) && is_needed(slot) {
                match self.start(slot, epoll) {
                    Ok(Role::Parent) => {}
                    Ok(child) => return child,
                    Err(error) => {
                        log_stderr(format_args!("{error}: the child will be started later"));
                        self.workers[slot].schedule_respawn();
                    }
                }
            }
        }
        Role::Parent
    }

    /// When the next process is to be started.
    pub fn next_due(&self) -> Option<Instant> {
        self.workers.iter().filter_map(|worker| worker.start_at).min()
    }

    /// Starts a slot's process. `epoll` will report what it sends, with the slot as the token.
    // ANCHOR: start
    fn start(&mut self, slot: usize, epoll: &Epoll) -> io::Result<Role> {
        let (ours, theirs) = control_pipe()?;
        epoll.add(&ours, EpollEvent::new(EpollFlags::EPOLLIN, slot as u64)).map_err(failed("epoll_ctl"))?;
        let parent = getpid();
        // SAFETY: this process has a single thread, so the child finds no lock held by a thread it does not
        // have.
        match unsafe { fork() }.map_err(failed("fork"))? {
            ForkResult::Child => {
                end_with_parent(parent);
                Ok(Role::Child(NewChild { slot, control: theirs }))
            }
            ForkResult::Parent { child: pid } => {
                let (worker, slot) = (&mut self.workers[slot], self.scoreboard.slot(slot));
                let (started, accepted_before) = (Instant::now(), slot.accepted.load(Relaxed));
                let process = Process { pid, control: ours, started, accepted_before, notified: true };
                (worker.process, worker.start_at) = (Some(process), None);
                // Relaxed: this process has stored it.
                if slot.stopping.load(Relaxed) {
                    // The child is there for the connections that wait, and ends then.
                    let _ = kill(pid, Signal::SIGTERM);
                }
                Ok(Role::Parent)
            }
        }
    }
    // ANCHOR_END: start

    /// Waits for the children that have ended: signals do not queue, so one SIGCHLD may stand for several.
    /// Returns how each of them ended.
    pub fn reap(&mut self) -> Vec<WaitStatus> {
        let mut ended = Vec::new();
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Err(Errno::EINTR) => {}
                Ok(WaitStatus::StillAlive) | Err(_) => return ended,
                Ok(status) => ended.extend(self.free_slot(status.pid()).then_some(status)),
            }
        }
    }

    /// Frees the slot of a process that has ended. Returns false for a process that is not one of these
    /// children: a shell that became this server by exec leaves it its own, and process 1 gets all orphans.
    fn free_slot(&mut self, pid: Option<Pid>) -> bool {
        let has = |worker: &Worker| worker.process.as_ref().map(|process| process.pid) == pid;
        let Some(index) = self.workers.iter().position(has) else { return false };
        let (worker, slot) = (&mut self.workers[index], self.scoreboard.slot(index));
        // The process can no longer do so itself.
        slot.open.store(0, Relaxed);
        let accepted = slot.accepted.load(Relaxed);
        match worker.process.take() {
            Some(process)
                if process.started.elapsed() < MIN_UPTIME && process.accepted_before == accepted =>
            {
                worker.schedule_respawn();
            }
            _ => (worker.failures, worker.start_at) = (0, Some(Instant::now())),
        }
        true
    }

    /// The whole server stops: sends every child SIGTERM. A slot without a child is due at once, if it is
    /// still needed.
    pub fn stop(&mut self) {
        for (index, worker) in self.workers.iter_mut().enumerate() {
            self.scoreboard.slot(index).stopping.store(true, Release);
            if worker.process.is_none() {
                (worker.failures, worker.start_at) = (0, Some(Instant::now()));
            }
        }
        self.signal_all(Signal::SIGTERM);
    }

    /// Sends a signal to every child. They are not reaped yet, so no other process has their pids.
    pub fn signal_all(&self, signal: Signal) {
        for process in self.workers.iter().filter_map(|worker| worker.process.as_ref()) {
            let _ = kill(process.pid, signal);
        }
    }

    /// Ends every child at once, and reaps it.
    pub fn kill_all(&mut self) {
        self.signal_all(Signal::SIGKILL);
        for process in self.workers.iter_mut().filter_map(|worker| worker.process.take()) {
            let _ = waitpid(process.pid, None);
        }
    }

    /// Whether no child is left.
    pub fn are_gone(&self) -> bool {
        self.workers.iter().all(|worker| worker.process.is_none())
    }

    /// Notifies the next child, from slot `first` on, that a connection waits; returns its slot. A child that
    /// has not answered yet is left out, unless `flood`. None if no child can be notified.
    pub fn notify_next(&mut self, first: usize, flood: bool) -> Option<usize> {
        let count = self.workers.len();
        (first..first + count).map(|slot| slot % count).find(|&slot| match &mut self.workers[slot].process {
            Some(process) if flood || !process.notified => {
                process.notified = process.control.notify();
                process.notified
            }
            _ => false,
        })
    }

    /// Takes what a child has sent: after an answer it can be notified again.
    pub fn drain(&mut self, slot: usize) -> Received {
        let Some(process) = &mut self.workers[slot].process else { return Received::Nothing };
        let received = process.control.drain();
        if received == Received::Notification {
            process.notified = false;
        }
        received
    }
}

impl Worker {
    /// The first time its next process is due at once, then after 0.1 s, 0.2 s, 0.4 s …: a child that fails
    /// at its first line would otherwise keep the machine busy with forking.
    fn schedule_respawn(&mut self) {
        let pause = match self.failures {
            0 => Duration::ZERO,
            failures => Duration::from_millis(100 << (failures - 1).min(10)).min(MAX_RESPAWN_PAUSE),
        };
        self.failures = self.failures.saturating_add(1);
        self.start_at = Some(Instant::now() + pause);
    }
}
