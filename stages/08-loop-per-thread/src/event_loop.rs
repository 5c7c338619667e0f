//! A sub reactor: one thread's loop, and the connections that belong to it.
//!
//! It is stage 05's loop, edge-triggered and reading until it would block, with two differences: connections come from
//! another thread instead of a listener, and a timer looks after the late ones instead of a sweep over all of them.

use crate::files::Files;
use crate::log::Log;
use crate::log::access::{AccessLog, Peer};
use crate::remote::{Pending, Remote};
use crate::timer_source::{TimerSource, WakeBy};
use crate::timers::{Structure, Timer, Timers};
use edge_vs_level::trigger::{Drain, Trigger};
use kit::clock::Clock;
use kit::registry::{Registry, Token};
use kit::start::Sessions;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nonblocking_epoll::connection::{BUFFER, Connection, Turn};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Tokens that are no connection's: generations do not reach this far.
const TASKS: Token = Token::MAX;
const TIMER: Token = Token::MAX - 1;

/// How many events are fetched at once.
const BATCH: usize = 256;

/// Stage 05's choice. Its mask never changes, so `epoll_ctl` is called once for a connection.
const DRAIN: Drain = Drain::UntilWouldBlock;

/// What all loops are made of.
#[derive(Clone)]
pub struct Parts {
    /// Makes a connection's session.
    pub sessions: Sessions,
    /// In what the timers are kept.
    pub timers: Structure,
    /// What wakes the loop when one fires.
    pub wake_by: WakeBy,
    /// How files are sent.
    pub files: Files,
    /// Where requests are noted.
    pub log: Arc<Log>,
}

/// One thread's loop.
pub struct EventLoop {
    epoll: Epoll,
    pending: Pending<EventLoop>,
    connections: Registry<Armed>,
    /// How many connections this loop has, those included that are on their way to it. Written by the main reactor and by this
    /// loop when one comes or goes, never by another loop.
    open: Arc<AtomicUsize>,
    clock: Clock,
    buffer: Vec<u8>,
    timers: Box<dyn Timers>,
    timer_source: TimerSource,
    log: AccessLog,
    parts: Parts,
    /// No more connections will come: end with the last one.
    stopping: bool,
    /// Scratch memory, kept for its capacity.
    expired: Vec<Token>,
}

/// A connection, and the timer that is armed for it.
struct Armed {
    connection: Connection,
    timer: Option<Timer>,
    peer: Peer,
}

impl EventLoop {
    /// A loop without connections.
    ///
    /// # Errors
    /// When descriptors run out.
    pub fn new(parts: Parts) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let pending = Pending::new()?;
        epoll.add(&pending, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, TASKS))?;
        let timer_source = TimerSource::new(parts.wake_by, &epoll, TIMER)?;
        let clock = Clock::new();
        let timers = parts.timers.build(clock.last().ms);
        Ok(Self {
            epoll,
            pending,
            connections: Registry::new(),
            open: Arc::default(),
            clock,
            buffer: vec![0; BUFFER],
            timers,
            timer_source,
            log: AccessLog::new(Arc::clone(&parts.log)),
            parts,
            stopping: false,
            expired: Vec::new(),
        })
    }

    /// A way for other threads to this loop.
    pub fn remote(&self) -> Remote<Self> {
        self.pending.remote()
    }

    /// How many connections are open or on their way. Who queues one counts it.
    pub fn open(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.open)
    }

    /// The event loop: wait, then serve what is ready.
    ///
    /// # Errors
    /// What epoll_wait(2) says.
    pub fn serve(mut self) -> io::Result<()> {
        // ANCHOR: loop
        let mut events = [EpollEvent::empty(); BATCH];
        while !self.stopping || !self.connections.is_empty() {
            let timeout = self.timer_source.timeout(self.timers.next(), self.clock.last().ms)?;
            let count = match self.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            self.clock.read();
            for event in &events[..count] {
                match event.data() {
                    TASKS => self.run_pending(),
                    TIMER => self.timer_source.fired(),
                    token => self.ready(token),
                }
            }
            self.expire();
        }
        Ok(())
        // ANCHOR_END: loop
    }

    /// Runs a task at once: whoever can borrow the loop is on its thread.
    pub fn run_in_loop(&mut self, task: impl FnOnce(&mut Self)) {
        task(self);
    }

    /// Takes over a connection, for the rest of its life.
    pub fn adopt(&mut self, socket: OwnedFd) {
        let token = self.connections.token(socket.as_fd());
        let mut session = self.parts.sessions.open(self.clock.last());
        let peer = self.log.peer(&socket, &mut session);
        let connection = Connection::new(socket, session);
        let mask = Trigger::Edge.mask(connection.interest());
        match self.epoll.add(&connection, EpollEvent::new(mask, token)) {
            Ok(()) => {
                let armed = Armed { connection, timer: None, peer };
                self.log.note(&armed.peer, "opened", &self.clock.last().date);
                self.connections.insert(token, armed);
                self.arm(token);
            }
            Err(_) => drop(self.open.fetch_sub(1, Relaxed)),
        }
    }

    /// Gives a connection its turn.
    fn ready(&mut self, token: Token) {
        let Some(armed) = self.connections.get_mut(token) else { return };
        let mut turn = Turn::Served;
        for reads in 0.. {
            turn = armed.connection.ready(&mut self.buffer, self.clock.last());
            while let Turn::Work(work) = turn {
                let answer = self.parts.files.prepare(work.run());
                turn = armed.connection.finish(answer, self.clock.read());
            }
            if !DRAIN.goes_on(&turn, reads) {
                break;
            }
        }
        self.settle(token, turn);
    }

    /// After a turn: writes down what was asked, asks epoll to look anew if the turn was ended early, and sees to the timer.
    fn settle(&mut self, token: Token, turn: Turn) {
        let Some(armed) = self.connections.get_mut(token) else { return };
        self.log.requests(&armed.peer, &mut armed.connection, &self.clock.last().date);
        let mask = Trigger::Edge.mask(armed.connection.interest());
        let lost = match turn {
            Turn::Close => true,
            _ if !DRAIN.stopped_early(&turn) => false,
            _ => self.epoll.modify(&armed.connection, &mut EpollEvent::new(mask, token)).is_err(),
        };
        if !lost {
            return self.arm(token);
        }
        // Closing the descriptor also takes it out of epoll, since nobody has a duplicate of it.
        if let Some(armed) = self.connections.remove(token) {
            self.log.note(&armed.peer, "closed", &self.clock.last().date);
            armed.timer.into_iter().for_each(|timer| self.timers.cancel(timer));
            // Relaxed: a count for a limit, which orders no other memory.
            self.open.fetch_sub(1, Relaxed);
        }
    }

    // ANCHOR: arm
    /// Arms a connection's timer, if none would fire in time. One that fires too early is left as it is: then
    /// [`EventLoop::expire`] arms the next.
    fn arm(&mut self, token: Token) {
        let Some(armed) = self.connections.get_mut(token) else { return };
        let Some(deadline) = armed.connection.deadline() else { return };
        if armed.timer.as_ref().is_none_or(|timer| deadline < timer.at()) {
            let next = self.timers.arm(deadline, token);
            armed.timer.replace(next).into_iter().for_each(|timer| self.timers.cancel(timer));
        }
    }

    /// Looks at the connections whose timers have fired. Each whose time is really over gets a turn, in which it ends.
    fn expire(&mut self) {
        let mut expired = std::mem::take(&mut self.expired);
        self.timers.expire(self.clock.last().ms, &mut expired);
        for token in expired.drain(..) {
            let Some(armed) = self.connections.get_mut(token) else { continue };
            armed.timer = None;
            match armed.connection.is_late(self.clock.last()) {
                true => self.ready(token),
                false => self.arm(token),
            }
        }
        self.expired = expired;
    }
    // ANCHOR_END: arm

    /// Runs what other threads have queued.
    fn run_pending(&mut self) {
        for task in self.pending.take() {
            self.run_in_loop(task);
        }
    }

    /// No connection will come after those that were queued before: gives each a last turn, since a request may be in its
    /// socket already, and ends with the last one.
    pub fn stop(&mut self) {
        self.stopping = true;
        for token in self.connections.tokens() {
            self.ready(token);
        }
    }
}
