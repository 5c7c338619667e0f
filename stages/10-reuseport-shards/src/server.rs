//! The loop of stage 10, once in every thread.

use crate::options::Options;
use crate::shards::{self, ShardOptions};
use crate::short_read;
use edge_vs_level::trigger::Drain;
use kit::clock::Clock;
use kit::connection_table::{ConnectionTable, LISTENER, SHUTDOWN, Token};
use kit::error::failed;
use kit::listener::Acceptor;
use kit::options::ProtocolKind;
use kit::shutdown;
use kit::start::{Sessions, listen};
use kit::timeout_scan::TimeoutScan;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::SockFlag;
use nonblocking_epoll::connection::{Connection, READ_BUFFER, Turn};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many events are fetched at once.
const MAX_EVENTS: usize = 256;

/// How many connections are accepted at once, at most: a burst of new ones must not delay those that are
/// open.
const MAX_ACCEPTS: usize = 64;

/// One thread's server. It shares nothing with the others but the count of open connections, which changes
/// when one is accepted and when it ends.
struct Shard<'all> {
    epoll: Epoll,
    acceptor: Acceptor,
    sessions: Sessions,
    connections: ConnectionTable<Registration>,
    clock: Clock,
    buffer: Vec<u8>,
    /// Open connections of all shards. Relaxed: a count for a limit, which orders no other memory.
    open: &'all AtomicUsize,
}

/// A connection, and the events for which it is registered with epoll.
struct Registration {
    connection: Connection,
    interest: EpollFlags,
}

/// Serves in one thread per shard until the server must stop. Errors: why it cannot listen, accept or wait.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let (backlog, max) = (options.common.backlog, options.common.max_connections);
    let open = AtomicUsize::new(0);
    let make = |listener| Shard::new(listener, max, sessions.clone(), &open);
    // New in 10: a listening socket, a thread and a CPU for each shard.
    let how_many = ShardOptions { count: options.workers, steer: options.steer };
    shards::run(listener, backlog, SockFlag::SOCK_NONBLOCK, how_many, make, Shard::serve)
}

impl<'all> Shard<'all> {
    /// A shard that accepts from a non-blocking listener.
    fn new(listener: OwnedFd, max: usize, sessions: Sessions, open: &'all AtomicUsize) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
        let acceptor = Acceptor::new(listener, max);
        acceptor.watch(&epoll)?;
        shutdown::watch(&epoll)?;
        let (connections, clock, buffer) = (ConnectionTable::new(), Clock::new(), vec![0; READ_BUFFER]);
        Ok(Self { epoll, acceptor, sessions, connections, clock, buffer, open })
    }

    /// The event loop: wait, then serve what is ready.
    fn serve(mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        let mut scan = TimeoutScan::default();
        while self.acceptor.is_open() || !self.connections.is_empty() {
            let check_soon = self.acceptor.is_paused() || self.clock.last().draining;
            let timeout = TimeoutScan::timeout(self.connections.len(), check_soon);
            let count = match self.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            self.clock.read();
            for event in &events[..count] {
                match event.data() {
                    LISTENER => self.accept()?,
                    SHUTDOWN => self.stop()?,
                    token => self.handle_event(token, event.events()),
                }
            }
            if self.acceptor.resume(&self.epoll, self.open.load(Relaxed), self.clock.last())? {
                self.accept()?;
            }
            if scan.is_due(self.clock.last()) {
                self.check_deadlines();
            }
        }
        Ok(())
    }

    // ANCHOR: accept
    /// Accepts the connections that wait, and serves the first turn of each at once, since most often its
    /// request is there already. A connection that ends in this turn is never registered with epoll.
    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..MAX_ACCEPTS {
            let open = self.open.load(Relaxed);
            let Some(socket) = self.acceptor.accept(&self.epoll, open, self.clock.last())? else { break };
            let token = self.connections.token(socket.as_fd());
            let connection = Connection::new(socket, self.sessions.open(self.clock.last()));
            self.open.fetch_add(1, Relaxed);
            self.connections.insert(token, Registration { connection, interest: EpollFlags::empty() });
            self.handle_event(token, EpollFlags::empty());
        }
        Ok(())
    }
    // ANCHOR_END: accept

    /// Serves a connection for one turn.
    fn handle_event(&mut self, token: Token, events: EpollFlags) {
        let Some(Registration { connection, .. }) = self.connections.get_mut(token) else { return };
        // New in 10: a read that did not fill the buffer has emptied the socket.
        let turn = short_read::turn(connection, events, &mut self.buffer, &mut self.clock);
        self.update_interest(token, turn);
    }

    // ANCHOR: update-interest
    /// After a turn: registers the connection with epoll. For most connections this happens once, since an
    /// edge need not be taken back; another call is made only if the peer has ever left replies unread, or if
    /// the turn was ended early and what is left must be reported anew.
    fn update_interest(&mut self, token: Token, turn: Turn) {
        let Some(registration) = self.connections.get_mut(token) else { return };
        let reading = EpollFlags::EPOLLIN | EpollFlags::EPOLLET | short_read::REPORTED;
        let interest = registration.interest | reading | registration.connection.interest(); // New in 10
        let again = Drain::UntilWouldBlock.stopped_early(&turn);
        // Both calls report what is ready at that moment, so nothing is lost between the turn and the call.
        let mut event = EpollEvent::new(interest, token);
        let ended = match turn {
            Turn::Close => true,
            _ if interest == registration.interest && !again => false,
            _ if registration.interest.is_empty() => self.epoll.add(&registration.connection, event).is_err(),
            _ => self.epoll.modify(&registration.connection, &mut event).is_err(),
        };
        registration.interest = interest;
        if ended {
            // Closing the descriptor also takes it out of epoll, since it has no duplicate.
            self.connections.remove(token);
            self.open.fetch_sub(1, Relaxed);
        }
    }
    // ANCHOR_END: update-interest

    /// Serves each connection whose deadline has passed for one more turn, which ends it if there is nothing
    /// left to read.
    fn check_deadlines(&mut self) {
        let now = self.clock.last();
        for token in self.connections.select(|registration| registration.connection.is_late(now)) {
            self.handle_event(token, EpollFlags::empty());
        }
    }

    /// Begins the shutdown: no new connection begins, and the listener is closed once those that wait are
    /// accepted. From then on an idle connection counts as late.
    fn stop(&mut self) -> io::Result<()> {
        shutdown::unwatch(&self.epoll)?;
        self.acceptor.drain();
        self.accept()
    }
}
