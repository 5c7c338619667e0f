//! The parent's loop: it serves no connection. It watches the signals, its children and, if it has to notify
//! them, the listener.

use crate::children::{Children, Role};
use crate::control_pipe::Received;
use crate::dispatcher::Dispatcher;
use crate::listeners::Listeners;
use crate::options::Notify;
use crate::scoreboard::Scoreboard;
use crate::signals::Signals;
use kit::connection_table::LISTENER;
use kit::error::failed;
use kit::shutdown::{self, DRAIN_SECONDS};
use kit::stderr::log_stderr;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use nix::unistd::dup;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The token of the signals. Those of the children are their slots.
const SIGNALS: u64 = LISTENER - 2;

/// What children may take beyond the time that they give themselves.
const GRACE: Duration = Duration::from_millis(200);

/// While the server stops, how often the parent looks whether connections wait for which a child is needed.
const STOP_PERIOD: Duration = Duration::from_millis(20);

/// The parent.
pub struct Parent {
    epoll: Epoll,
    signals: Signals,
    listeners: Listeners,
    children: Children,
    dispatcher: Option<Dispatcher>,
    /// Set once the server stops: when the children are killed.
    limit: Option<Instant>,
}

impl Parent {
    /// A parent without children yet. It notifies them of connections if `notify` says how.
    ///
    /// # Errors
    /// Which system call failed, and why.
    pub fn new(listeners: Vec<OwnedFd>, scoreboard: Scoreboard, notify: Option<Notify>) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
        let signals = Signals::new()?;
        epoll.add(&signals, EpollEvent::new(EpollFlags::EPOLLIN, SIGNALS)).map_err(failed("epoll_ctl"))?;
        let dispatcher = match notify {
            Some(how) => {
                let listener = dup(&listeners[0]).map_err(failed("dup"))?;
                Some(Dispatcher::new(listener, how, &epoll).map_err(failed("epoll_ctl"))?)
            }
            None => None,
        };
        let (listeners, children) = (Listeners::new(listeners), Children::new(scoreboard));
        Ok(Self { epoll, signals, listeners, children, dispatcher, limit: None })
    }

    /// Starts all children and waits until they can serve. Returns in every child too.
    ///
    /// # Errors
    /// Why a child could not be started, or cannot serve. No child is left then.
    pub fn start(&mut self) -> io::Result<Role> {
        if shutdown::requested() {
            // The signal came before it was blocked.
            self.stop()?;
            return Ok(Role::Parent);
        }
        let started = self.children.start_all(&self.epoll);
        if started.is_err() {
            self.children.kill_all();
        }
        started
    }

    /// Keeps the children running until the server must stop and all of them have ended. Returns in every
    /// child too.
    ///
    /// # Errors
    /// What epoll_wait(2) and epoll_ctl(2) say.
    pub fn serve(&mut self) -> io::Result<Role> {
        let mut events = [EpollEvent::empty(); 64];
        // ANCHOR: loop
        while !self.has_ended() {
            // While the server stops, a child is needed only if connections wait for it.
            let is_needed = |slot| self.limit.is_none() || self.listeners.has_waiting(slot);
            if let Role::Child(child) = self.children.start_due(is_needed, &self.epoll) {
                return Ok(Role::Child(child));
            }
            let count = match self.epoll.wait(&mut events, self.timeout()) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(failed("epoll_wait")(error)),
            };
            for event in &events[..count] {
                match event.data() {
                    LISTENER => self.notify_child()?,
                    SIGNALS => self.handle_signals()?,
                    slot => self.handle_answer(slot as usize)?,
                }
            }
            self.check_deadlines()?;
        }
        // ANCHOR_END: loop
        Ok(Role::Parent)
    }

    /// A connection waits.
    fn notify_child(&mut self) -> nix::Result<()> {
        match &mut self.dispatcher {
            Some(dispatcher) => dispatcher.notify(&mut self.children, &self.epoll),
            None => Ok(()),
        }
    }

    /// A child has answered, or has ended.
    fn handle_answer(&mut self, slot: usize) -> nix::Result<()> {
        if let Received::Failure(why) = self.children.drain(slot) {
            log_stderr(format_args!("error in a child: {why}"));
        }
        match &mut self.dispatcher {
            Some(dispatcher) => dispatcher.rearm_listener(&self.epoll),
            None => Ok(()),
        }
    }

    /// Reads all signals that have arrived.
    fn handle_signals(&mut self) -> nix::Result<()> {
        while let Some(signal) = self.signals.next() {
            match (signal, self.limit) {
                (Signal::SIGCHLD, _) => {}
                (_, None) => self.stop()?,
                (signal, Some(_)) => {
                    // A second one means "now".
                    self.children.kill_all();
                    std::process::exit(128 + signal as i32);
                }
            }
        }
        // Whatever the signal was: several may have become one.
        for status in self.children.reap() {
            if self.limit.is_none() {
                log_stderr(format_args!("{}: it will be replaced", describe_exit(status)));
            }
        }
        Ok(())
    }

    // ANCHOR: stop
    /// Lets no new connection begin, then lets the children accept what waits and finish what is in flight.
    fn stop(&mut self) -> nix::Result<()> {
        if let Some(dispatcher) = self.dispatcher.take() {
            dispatcher.stop(&self.epoll)?;
        }
        self.listeners.refuse_new();
        self.children.stop();
        self.limit = Some(Instant::now() + Duration::from_secs(DRAIN_SECONDS.into()) + GRACE);
        Ok(())
    }
    // ANCHOR_END: stop

    fn check_deadlines(&mut self) -> nix::Result<()> {
        if self.is_over() {
            self.children.signal_all(Signal::SIGKILL);
        }
        match &mut self.dispatcher {
            Some(dispatcher) => dispatcher.check_deadlines(&self.epoll),
            None => Ok(()),
        }
    }

    /// Until when to wait.
    fn timeout(&self) -> EpollTimeout {
        let due = match self.limit {
            Some(_) => Some(Instant::now() + STOP_PERIOD),
            None => self.children.next_due(),
        };
        let answer = self.dispatcher.as_ref().and_then(Dispatcher::deadline);
        match [answer, due].into_iter().flatten().min() {
            None => EpollTimeout::NONE,
            // Rounded up, or the loop would spin through the last part of a millisecond.
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
                EpollTimeout::try_from(left).unwrap_or(EpollTimeout::MAX)
            }
        }
    }

    /// Whether the server stops, no child is left, and no connection waits for which one is needed.
    fn has_ended(&mut self) -> bool {
        if self.limit.is_none() {
            return false;
        }
        let drained = self.listeners.close_drained();
        if !drained && self.is_over() && self.children.are_gone() {
            log_stderr("the time is over: connections that no child has accepted are reset");
            return true;
        }
        drained && self.children.are_gone()
    }

    /// Whether the time to stop in is over.
    fn is_over(&self) -> bool {
        self.limit.is_some_and(|limit| limit <= Instant::now())
    }

    /// In a child: takes its listener and gives up what is the parent's: its epoll instance, its signals, the
    /// other listeners and the control pipes of the other children.
    ///
    /// # Errors
    /// What eventfd(2) and dup3(2) say.
    pub fn into_child(mut self, slot: usize) -> io::Result<OwnedFd> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("eventfd or dup3: {error}"));
        // First: a signal that came while all were blocked is delivered by `release`, and must find the
        // child's handler.
        shutdown::become_watching_child().map_err(named)?;
        self.signals.release();
        Ok(self.listeners.take(slot).expect("a child is started only for an open listener"))
    }
}

fn describe_exit(status: WaitStatus) -> String {
    match status {
        WaitStatus::Exited(pid, code) => format!("child {pid} ended with status {code}"),
        WaitStatus::Signaled(pid, signal, _) => format!("child {pid} was killed by {signal}"),
        status => format!("child: {status:?}"),
    }
}
