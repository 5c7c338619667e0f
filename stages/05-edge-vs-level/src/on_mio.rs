//! The loop of stage 05's twin: the same server on mio.
//!
//! mio hides which system it runs on (epoll here, kqueue on BSD, IOCP on Windows). What all of these can do
//! is report a change, so mio is edge-triggered and offers no choice. Stages 06 and 07 need `EPOLLONESHOT`,
//! which mio does not offer: portability has a price.

use crate::trigger::Drain;
use kit::clock::Clock;
use kit::connection_table::ConnectionTable;
use kit::listener::{Accepted, Acceptor};
use kit::options::{Options, ProtocolKind};
use kit::shutdown;
use kit::start::{Sessions, announce, listen};
use kit::timeout_scan::TimeoutScan;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::socket::SockFlag;
use nonblocking_epoll::connection::{Connection, READ_BUFFER, Turn};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// mio has a token type of its own.
const LISTENER: Token = Token(kit::connection_table::LISTENER as usize);
const SHUTDOWN: Token = Token(kit::connection_table::SHUTDOWN as usize);

/// How many events are fetched at once.
const MAX_EVENTS: usize = 256;

/// Under edge triggering a turn must read until it would block.
const DRAIN: Drain = Drain::UntilWouldBlock;

/// The server: everything that its one thread owns.
struct Server {
    poll: Poll,
    acceptor: Acceptor,
    sessions: Sessions,
    connections: ConnectionTable<Connection>,
    clock: Clock,
    buffer: Vec<u8>,
}

/// Serves all connections from one loop until the server must stop. Errors: why it cannot listen, accept or
/// wait.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let poll =
        Poll::new().map_err(|error| io::Error::new(error.kind(), format!("mio::Poll::new: {error}")))?;
    announce(&listener)?;
    poll.registry().register(&mut SourceFd(&listener.as_raw_fd()), LISTENER, Interest::READABLE)?;
    poll.registry().register(&mut SourceFd(&shutdown::event().as_raw_fd()), SHUTDOWN, Interest::READABLE)?;
    let acceptor = Acceptor::new(listener, options.max_connections);
    let (connections, clock, buffer) = (ConnectionTable::new(), Clock::new(), vec![0; READ_BUFFER]);
    Server { poll, acceptor, sessions, connections, clock, buffer }.serve()
}

impl Server {
    /// The event loop: wait, then serve what is ready.
    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(MAX_EVENTS);
        let mut scan = TimeoutScan::default();
        while self.acceptor.is_open() || !self.connections.is_empty() {
            let check_soon = self.acceptor.is_paused() || self.clock.last().draining;
            let timeout = TimeoutScan::timeout(self.connections.len(), check_soon);
            let timeout = u64::try_from(i32::from(timeout)).ok().map(Duration::from_millis);
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.clock.read();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    SHUTDOWN => self.stop()?,
                    token => self.handle_event(token),
                }
            }
            // No edge is reported again for the peers that have waited since before the pause, so this
            // accepts without an event.
            if self.acceptor.ends_pause(self.connections.len(), self.clock.last()) {
                self.accept()?;
            }
            if scan.is_due(self.clock.last()) {
                self.check_deadlines();
            }
        }
        Ok(())
    }

    /// Takes the connections that wait: all of them, since an edge is reported once.
    fn accept(&mut self) -> io::Result<()> {
        while let Accepted::Socket(socket) =
            self.acceptor.try_accept(self.connections.len(), self.clock.last())?
        {
            let token = self.connections.token(socket.as_fd());
            let connection = Connection::new(socket, self.sessions.open(self.clock.last()));
            let both = Interest::READABLE | Interest::WRITABLE;
            let mut source = SourceFd(&connection.as_fd().as_raw_fd());
            if self.poll.registry().register(&mut source, Token(token as usize), both).is_ok() {
                self.connections.insert(token, connection);
            }
        }
        Ok(())
    }

    /// Serves a connection for one turn.
    fn handle_event(&mut self, token: Token) {
        let Some(connection) = self.connections.get_mut(token.0 as u64) else { return };
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
        self.update_interest(token, turn);
    }

    /// After a turn: registers the socket again if the turn was ended early, so that the kernel reports it
    /// anew.
    fn update_interest(&mut self, token: Token, turn: Turn) {
        let Some(connection) = self.connections.get_mut(token.0 as u64) else { return };
        let ended = DRAIN.stopped_early(&turn) && {
            let both = Interest::READABLE | Interest::WRITABLE;
            let mut source = SourceFd(&connection.as_fd().as_raw_fd());
            self.poll.registry().reregister(&mut source, token, both).is_err()
        };
        if ended || matches!(turn, Turn::Close) {
            self.connections.remove(token.0 as u64);
        }
    }

    /// Serves each connection whose deadline has passed for one more turn, which ends it if there is nothing
    /// left to read.
    fn check_deadlines(&mut self) {
        let now = self.clock.last();
        for token in self.connections.select(|connection| connection.is_late(now)) {
            self.handle_event(Token(token as usize));
        }
    }

    /// Begins the shutdown: no new connection begins, and the listener is closed once those that wait are
    /// accepted. From then on an idle connection counts as late.
    fn stop(&mut self) -> io::Result<()> {
        self.acceptor.drain();
        self.accept()
    }
}
