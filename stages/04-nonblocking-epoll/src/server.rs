//! The loop of stage 04.

use crate::connection::{Connection, READ_BUFFER, Turn};
use kit::clock::Clock;
use kit::connection_table::{ConnectionTable, LISTENER, SHUTDOWN, Token};
use kit::error::failed;
use kit::listener::Acceptor;
use kit::options::{Options, ProtocolKind};
use kit::shutdown;
use kit::start::{Sessions, announce, listen};
use kit::timeout_scan::TimeoutScan;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::SockFlag;
use std::io;
use std::os::fd::AsFd;

/// How many events are fetched at once.
const MAX_EVENTS: usize = 256;

/// The server: everything that its one thread owns.
struct Server {
    epoll: Epoll,
    acceptor: Acceptor,
    sessions: Sessions,
    connections: ConnectionTable<Registration>,
    clock: Clock,
    buffer: Vec<u8>,
}

/// A connection, and the events for which it is registered with epoll.
struct Registration {
    connection: Connection,
    interest: EpollFlags,
}

/// Serves all connections from one loop until the server must stop. Errors: why it cannot listen, accept or
/// wait.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
    announce(&listener)?;
    let acceptor = Acceptor::new(listener, options.max_connections);
    acceptor.watch(&epoll)?;
    shutdown::watch(&epoll)?;
    let (connections, clock, buffer) = (ConnectionTable::new(), Clock::new(), vec![0; READ_BUFFER]);
    Server { epoll, acceptor, sessions, connections, clock, buffer }.serve()
}

impl Server {
    /// The event loop: wait, then serve what is ready.
    fn serve(&mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        let mut scan = TimeoutScan::default();
        // ANCHOR: loop
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
                    token => self.handle_event(token),
                }
            }
            if self.acceptor.resume(&self.epoll, self.connections.len(), self.clock.last())? {
                self.accept()?;
            }
            if scan.is_due(self.clock.last()) {
                self.check_deadlines();
            }
        }
        // ANCHOR_END: loop
        Ok(())
    }

    /// Accepts the connections that wait, and registers them with epoll.
    fn accept(&mut self) -> io::Result<()> {
        while let Some(socket) =
            self.acceptor.accept(&self.epoll, self.connections.len(), self.clock.last())?
        {
            let token = self.connections.token(socket.as_fd());
            let connection = Connection::new(socket, self.sessions.open(self.clock.last()));
            let interest = connection.interest();
            // A connection that cannot be registered is dropped, which closes it.
            if self.epoll.add(&connection, EpollEvent::new(interest, token)).is_ok() {
                self.connections.insert(token, Registration { connection, interest });
            }
        }
        Ok(())
    }

    /// Serves a connection for one turn.
    fn handle_event(&mut self, token: Token) {
        let Some(Registration { connection, .. }) = self.connections.get_mut(token) else { return };
        let mut turn = connection.handle_event(&mut self.buffer, self.clock.last());
        while let Turn::Work(work) = turn {
            // Every other connection waits until this is done.
            let answer = work.run();
            turn = connection.finish_work(answer, &mut self.buffer, self.clock.read());
        }
        self.update_interest(token, turn);
    }

    // ANCHOR: update-interest
    /// After a turn: updates epoll if the connection now waits for other events.
    fn update_interest(&mut self, token: Token, turn: Turn) {
        let Some(registration) = self.connections.get_mut(token) else { return };
        let interest = registration.connection.interest();
        let ended = match turn {
            Turn::Close => true,
            _ if interest == registration.interest => false,
            _ => {
                registration.interest = interest;
                self.epoll.modify(&registration.connection, &mut EpollEvent::new(interest, token)).is_err()
            }
        };
        if ended {
            // Closing the descriptor also takes it out of epoll, since it has no duplicate.
            self.connections.remove(token);
        }
    }
    // ANCHOR_END: update-interest

    /// Serves each connection whose deadline has passed for one more turn, which ends it if there is nothing
    /// left to read.
    fn check_deadlines(&mut self) {
        let now = self.clock.last();
        for token in self.connections.select(|registration| registration.connection.is_late(now)) {
            self.handle_event(token);
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
