//! The parent's loop: it serves nobody. It watches the signals, its children and, if it has to tell them, the listener.

use crate::accept::{Accept, Notify};
use crate::board::Board;
use crate::children::{Children, Forked};
use crate::line::Line;
use crate::signals::Signals;
use kit::shutdown::{self, DRAIN_SECONDS};
use kit::words::say;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

const LISTENER: u64 = u64::MAX;
const SIGNALS: u64 = u64::MAX - 1;

/// How long a child that was told may take to answer, before another one is told.
const PATIENCE: Duration = Duration::from_millis(1);

/// What children may take beyond the time that they give themselves.
const GRACE: Duration = Duration::from_millis(200);

/// The parent.
pub struct Parent {
    epoll: Epoll,
    signals: Signals,
    /// One for all, or one for each child.
    listeners: Vec<OwnedFd>,
    children: Children,
    accept: Accept,
    notify: Notify,
    /// The place of the child whose turn it is.
    next: usize,
    watch: Watch,
    /// Told to stop: when the children are killed.
    limit: Option<Instant>,
}

/// How the parent looks at the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// It is armed.
    Armed,
    /// Disarmed: a child was told of a connection, and has until then to answer.
    Told(Instant),
    /// Disarmed: nobody can be told. It ends when a child answers or a new one is there.
    NobodyToTell,
}

/// What a process is, once the parent's loop has returned: it returns in every child too.
pub enum Role {
    /// All children have ended.
    Parent,
    /// A child: its place, its end of the line, and what it accepts from.
    Child(usize, Line, OwnedFd),
}

impl Parent {
    /// A parent without children yet.
    ///
    /// # Errors
    /// What epoll_ctl(2) and signalfd(2) say.
    pub fn new(listeners: Vec<OwnedFd>, board: Board, accept: Accept, notify: Notify) -> nix::Result<Self> {
        let (epoll, signals) = (Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?, Signals::new()?);
        epoll.add(&signals, EpollEvent::new(EpollFlags::EPOLLIN, SIGNALS))?;
        if accept == Accept::Notify {
            // Level-triggered: with one edge for one connection, the one that a dying child was told of would be forgotten.
            epoll.add(&listeners[0], EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        }
        let children = Children::new(board);
        Ok(Self {
            epoll,
            signals,
            listeners,
            children,
            accept,
            notify,
            next: 0,
            watch: Watch::Armed,
            limit: None,
        })
    }

    /// Keeps the places filled until the server must stop and all children have ended; returns in every child too.
    ///
    /// # Errors
    /// What epoll_wait(2), fork(2) and socketpair(2) say.
    pub fn serve(&mut self) -> io::Result<Role> {
        let mut events = [EpollEvent::empty(); 64];
        if shutdown::requested() {
            // The signal came before it was blocked.
            return Ok(Role::Parent);
        }
        while self.limit.is_none() || !self.children.are_gone() {
            for index in self.children.due() {
                if let Forked::Child(line) = self.children.fork(index)? {
                    self.signals.release();
                    let listener = self.listeners.swap_remove(index % self.listeners.len());
                    return Ok(Role::Child(index, line, listener));
                }
                if let Some(line) = self.children.line(index) {
                    self.epoll.add(line, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
                    // Here is somebody to tell. Those who were told may all be dead, and will never answer.
                    self.look_again()?;
                }
            }
            let count = match self.epoll.wait(&mut events, self.timeout()) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            for event in &events[..count] {
                match event.data() {
                    LISTENER => self.tell()?,
                    SIGNALS => self.signalled(),
                    child => self.answered(child as usize)?,
                }
            }
            self.look_at_the_time()?;
        }
        Ok(Role::Parent)
    }

    // ANCHOR: tell
    /// There is a connection: tells a child, and looks away until it answers. The listener stays readable until somebody
    /// has accepted, so a parent that went on looking would do nothing else.
    fn tell(&mut self) -> nix::Result<()> {
        if self.notify == Notify::Flood {
            if let Some(told) = self.children.tell_again(self.next) {
                self.next = told + 1;
            }
            return Ok(());
        }
        self.watch = match self.children.tell(self.next) {
            Some(told) => {
                self.next = told + 1;
                Watch::Told(Instant::now() + PATIENCE)
            }
            None => Watch::NobodyToTell,
        };
        self.watch_listener(EpollFlags::empty())
    }
    // ANCHOR_END: tell

    /// A child has accepted what there was, or has died.
    fn answered(&mut self, index: usize) -> nix::Result<()> {
        self.children.answered(index);
        self.look_again()
    }

    fn look_again(&mut self) -> nix::Result<()> {
        match std::mem::replace(&mut self.watch, Watch::Armed) {
            Watch::Told(_) | Watch::NobodyToTell if self.limit.is_none() => {
                self.watch_listener(EpollFlags::EPOLLIN)
            }
            _ => Ok(()),
        }
    }

    /// Reads all signals that have arrived.
    fn signalled(&mut self) {
        while let Some(signal) = self.signals.next() {
            match (signal, self.limit) {
                (Signal::SIGCHLD, _) => {}
                (_, None) => self.stop(),
                (signal, Some(_)) => {
                    // A second one means "now".
                    self.children.signal_all(Signal::SIGKILL);
                    std::process::exit(128 + signal as i32);
                }
            }
        }
        // Whatever the signal was: several may have become one.
        for status in self.children.reap() {
            if self.limit.is_none() {
                say(format_args!("{}: it will be replaced", obituary(status)));
            }
        }
    }

    /// Stops accepting, and tells the children to finish what is in flight.
    fn stop(&mut self) {
        if let (Accept::Notify, Some(listener)) = (self.accept, self.listeners.first()) {
            // Children have duplicates of it, so closing alone would leave it in epoll.
            let _ = self.epoll.delete(listener);
        }
        self.listeners.clear();
        self.children.signal_all(Signal::SIGTERM);
        self.limit = Some(Instant::now() + Duration::from_secs(DRAIN_SECONDS.into()) + GRACE);
    }

    /// What happens when nothing happens.
    fn look_at_the_time(&mut self) -> nix::Result<()> {
        let now = Instant::now();
        if matches!(self.watch, Watch::Told(until) if until <= now) {
            // It is busy, or dead. Whoever is next can take the connection as well.
            self.look_again()?;
        }
        if self.limit.is_some_and(|limit| limit <= now) {
            self.children.signal_all(Signal::SIGKILL);
        }
        Ok(())
    }

    /// Until when to wait.
    fn timeout(&self) -> EpollTimeout {
        let answer = match self.watch {
            Watch::Told(until) => Some(until),
            Watch::Armed | Watch::NobodyToTell => None,
        };
        let until = [answer, self.children.next_due(), self.limit].into_iter().flatten().min();
        match until {
            None => EpollTimeout::NONE,
            // Rounded up, or the loop would spin through the last part of a millisecond.
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
                EpollTimeout::try_from(left).unwrap_or(EpollTimeout::MAX)
            }
        }
    }

    fn watch_listener(&self, mask: EpollFlags) -> nix::Result<()> {
        match self.listeners.first() {
            Some(listener) => self.epoll.modify(listener.as_fd(), &mut EpollEvent::new(mask, LISTENER)),
            None => Ok(()),
        }
    }
}

fn obituary(status: WaitStatus) -> String {
    match status {
        WaitStatus::Exited(pid, code) => format!("child {pid} ended with status {code}"),
        WaitStatus::Signaled(pid, signal, _) => format!("child {pid} was killed by {signal}"),
        status => format!("child: {status:?}"),
    }
}
