//! A sub reactor: one thread's loop, and the connections that belong to it.
//!
//! It is stage 05's loop, edge-triggered and reading until it would block, with two differences: connections
//! come from another thread instead of a listener, and a timer looks after the late ones instead of a scan of
//! all of them.

use crate::remote::{Pending, Remote};
use access_log::Log;
use access_log::observer::{AccessLogBuffer, Peer};
use edge_vs_level::trigger::{Drain, Trigger};
use kit::clock::Clock;
use kit::connection_table::{ConnectionTable, SHUTDOWN, Token};
use kit::error::failed;
use kit::shutdown;
use kit::start::Sessions;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nonblocking_epoll::connection::{Connection, READ_BUFFER, Turn};
use sending_files::Files;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use timers::source::WakeBy;
use timers::{Deadlines, Structure, Timer};

/// Tokens that no connection has: descriptor numbers do not reach this far (as kit's LISTENER and SHUTDOWN).
const TASKS: Token = SHUTDOWN - 1;
const TIMER: Token = SHUTDOWN - 2;

/// How many events are fetched at once.
const MAX_EVENTS: usize = 256;

/// Stage 05's choice. The interest never changes, so `epoll_ctl` is called once for a connection.
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
    /// Where requests are logged.
    pub log: Arc<Log>,
}

/// One thread's loop.
pub struct EventLoop {
    epoll: Epoll,
    pending: Pending<EventLoop>, // New in 08
    connections: ConnectionTable<Registration>,
    /// How many connections this loop has, those included that are on their way to it. Written by the main
    /// reactor and by this loop when one comes or goes, never by another loop.
    open: Arc<AtomicUsize>, // New in 08
    clock: Clock,
    buffer: Vec<u8>,
    deadlines: Deadlines,
    access_log: AccessLogBuffer,
    parts: Parts,
    /// No more connections will come: end with the last one.
    finishing: bool, // New in 08
}

/// A connection, and the timer that is armed for it.
struct Registration {
    connection: Connection,
    timer: Option<Timer>,
    peer: Peer,
}

impl EventLoop {
    /// A loop without connections.
    ///
    /// # Errors
    /// Which system call found no descriptor or memory.
    pub fn new(parts: Parts) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
        let pending = Pending::new().map_err(failed("eventfd"))?;
        let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, TASKS);
        epoll.add(&pending, event).map_err(failed("epoll_ctl"))?;
        shutdown::watch(&epoll).map_err(failed("epoll_ctl"))?;
        let (connections, clock, buffer) = (ConnectionTable::new(), Clock::new(), vec![0; READ_BUFFER]);
        let deadlines = Deadlines::new(parts.timers, parts.wake_by, &epoll, TIMER, clock.last().ms)?;
        let (open, finishing) = (Arc::default(), false);
        let access_log = AccessLogBuffer::new(Arc::clone(&parts.log));
        Ok(Self { epoll, pending, connections, open, clock, buffer, deadlines, access_log, parts, finishing })
    }

    /// A way for other threads to this loop.
    pub fn remote(&self) -> Remote<Self> {
        self.pending.remote()
    }

    /// How many connections are open or on their way. The thread that queues one counts it.
    pub fn open(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.open)
    }

    /// The event loop: wait, then serve what is ready.
    ///
    /// # Errors
    /// What epoll_wait(2) says.
    pub fn serve(mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        // ANCHOR: loop
        while !self.finishing || !self.connections.is_empty() {
            let timeout = self.deadlines.timeout(self.clock.last().ms)?;
            let count = match self.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            self.clock.read();
            for event in &events[..count] {
                match event.data() {
                    TASKS => self.run_pending(), // New in 08
                    SHUTDOWN => self.stop()?,
                    TIMER => self.deadlines.fired(),
                    token => self.handle_event(token),
                }
            }
            self.check_deadlines();
        }
        // ANCHOR_END: loop
        Ok(())
    }

    /// Runs what other threads have queued.
    fn run_pending(&mut self) {
        for task in self.pending.take() {
            self.run_in_loop(task);
        }
    }

    /// Runs a task at once: only the loop's own thread can hold `&mut` to it.
    pub fn run_in_loop(&mut self, task: impl FnOnce(&mut Self)) {
        task(self);
    }

    /// Takes over a connection, for the rest of its life.
    pub fn register(&mut self, socket: OwnedFd) {
        let token = self.connections.token(socket.as_fd());
        let mut session = self.parts.sessions.open(self.clock.last());
        let peer = self.access_log.open(&socket, &mut session, self.clock.last());
        let connection = Connection::with_send_file(socket, session, self.parts.files.send_file());
        let interest = Trigger::Edge.interest(connection.interest());
        if self.epoll.add(&connection, EpollEvent::new(interest, token)).is_err() {
            self.access_log.close(&peer, self.clock.last());
            self.open.fetch_sub(1, Relaxed);
            return;
        }
        self.connections.insert(token, Registration { connection, timer: None, peer });
        match self.clock.last().draining {
            // It came after `stop`: its last turn is due.
            true => self.handle_event(token),
            false => self.arm(token),
        }
    }

    /// Serves a connection for one turn.
    fn handle_event(&mut self, token: Token) {
        let Some(Registration { connection, .. }) = self.connections.get_mut(token) else { return };
        let mut turn = Turn::Served;
        for reads in 0.. {
            turn = connection.handle_event(&mut self.buffer, self.clock.last());
            while let Turn::Work(work) = turn {
                let answer = work.run();
                turn = connection.finish_work(answer, &mut self.buffer, self.clock.read());
            }
            if !DRAIN.continues(&turn, reads) {
                break;
            }
        }
        self.access_log.flush();
        self.update_interest(token, turn);
    }

    /// After a turn: tells epoll to look anew if the turn was ended early, and arms the timer.
    fn update_interest(&mut self, token: Token, turn: Turn) {
        let Some(registration) = self.connections.get_mut(token) else { return };
        let interest = Trigger::Edge.interest(registration.connection.interest());
        let ended = match turn {
            Turn::Close => true,
            _ if !DRAIN.stopped_early(&turn) => false,
            _ => self.epoll.modify(&registration.connection, &mut EpollEvent::new(interest, token)).is_err(),
        };
        if !ended {
            return self.arm(token);
        }
        // Closing the descriptor also takes it out of epoll, since it has no duplicate.
        if let Some(Registration { timer, peer, .. }) = self.connections.remove(token) {
            self.access_log.close(&peer, self.clock.last());
            self.deadlines.cancel(timer);
            // Relaxed: a count for a limit, which orders no other memory.
            self.open.fetch_sub(1, Relaxed);
        }
    }

    // ANCHOR: deadlines
    /// Lets a timer fire in time for a connection's deadline.
    fn arm(&mut self, token: Token) {
        if let Some(Registration { connection, timer, .. }) = self.connections.get_mut(token) {
            self.deadlines.arm(timer, connection.deadline(), token);
        }
    }

    /// Serves each connection whose deadline has passed for one more turn, which ends it if there is nothing
    /// left to read. Some timers fire too early.
    fn check_deadlines(&mut self) {
        for token in self.deadlines.expired(self.clock.last().ms) {
            let Some(registration) = self.connections.get_mut(token) else { continue };
            registration.timer = None;
            match registration.connection.is_late(self.clock.last()) {
                true => self.handle_event(token),
                false => self.arm(token),
            }
        }
    }
    // ANCHOR_END: deadlines

    /// Serves each connection for one more turn: a request may be in its socket already. Idle ones end with
    /// it.
    fn stop(&mut self) -> io::Result<()> {
        shutdown::unwatch(&self.epoll)?;
        for token in self.connections.tokens() {
            self.handle_event(token);
        }
        Ok(())
    }

    /// No connection will come after those that were queued before.
    pub fn finish(&mut self) {
        self.finishing = true; // New in 08
    }
}
