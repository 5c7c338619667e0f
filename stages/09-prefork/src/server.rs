//! The loop of stage 09, once in every child.

use crate::acceptor::ChildAcceptor;
use crate::children::NewChild;
use crate::options::Options;
use crate::scoreboard::Scoreboard;
use edge_vs_level::trigger::{Drain, Trigger};
use kit::clock::Clock;
use kit::connection_table::{ConnectionTable, LISTENER, SHUTDOWN, Token};
use kit::error::failed;
use kit::shutdown;
use kit::start::Sessions;
use kit::timeout_scan::TimeoutScan;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nonblocking_epoll::connection::{Connection, READ_BUFFER, Turn};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// How many events are fetched at once.
const MAX_EVENTS: usize = 256;

/// The server of one child: everything that its one thread owns.
struct Server<'child> {
    epoll: Epoll,
    acceptor: ChildAcceptor<'child>, // New in 09
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

/// Serves a child's connections from one loop until it must stop.
///
/// # Errors
/// Why it cannot accept or wait, or that the parent has ended.
pub fn run(
    listener: OwnedFd,
    child: &NewChild,
    options: &Options,
    scoreboard: Scoreboard,
    sessions: Sessions,
) -> io::Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
    let acceptor = ChildAcceptor::new(listener, child, options, scoreboard);
    shutdown::watch(&epoll).map_err(failed("epoll_ctl"))?;
    acceptor.watch(&epoll)?;
    let (connections, clock, buffer) = (ConnectionTable::new(), Clock::new(), vec![0; READ_BUFFER]);
    Server { epoll, acceptor, sessions, connections, clock, buffer }.serve()
}

impl Server<'_> {
    /// The event loop: wait, then serve what is ready.
    fn serve(&mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        let mut scan = TimeoutScan::default();
        while self.acceptor.is_open() || !self.connections.is_empty() {
            let check_soon = self.acceptor.is_paused() || self.clock.last().draining;
            let timeout = TimeoutScan::timeout(self.connections.len(), check_soon);
            let count = match self.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(failed("epoll_wait")(error)),
            };
            self.clock.read();
            for event in &events[..count] {
                match event.data() {
                    LISTENER => {
                        self.acceptor.woken()?; // New in 09
                        self.accept()?;
                    }
                    SHUTDOWN => self.stop()?,
                    token => self.handle_event(token),
                }
            }
            if self.acceptor.resume(&self.epoll, self.clock.last())? {
                self.accept()?;
            }
            if scan.is_due(self.clock.last()) {
                self.check_deadlines();
            }
        }
        Ok(())
    }

    /// Accepts the connections that wait, and registers them with epoll.
    fn accept(&mut self) -> io::Result<()> {
        while let Some(socket) = self.acceptor.accept(&self.epoll, self.clock.last())? {
            let token = self.connections.token(socket.as_fd());
            let connection = Connection::new(socket, self.sessions.open(self.clock.last()));
            let interest = Trigger::Edge.interest(connection.interest());
            // A connection that cannot be registered is dropped, which closes it.
            if self.epoll.add(&connection, EpollEvent::new(interest, token)).is_ok() {
                self.connections.insert(token, Registration { connection, interest });
                self.acceptor.set_open(self.connections.len()); // New in 09
            }
        }
        Ok(())
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
            if !Drain::UntilWouldBlock.continues(&turn, reads) {
                break;
            }
        }
        self.update_interest(token, turn);
    }

    /// After a turn: updates epoll if the connection now waits for other events, or must be reported anew.
    fn update_interest(&mut self, token: Token, turn: Turn) {
        let Some(registration) = self.connections.get_mut(token) else { return };
        let interest = Trigger::Edge.interest(registration.connection.interest());
        let again = Drain::UntilWouldBlock.stopped_early(&turn);
        let ended = match turn {
            Turn::Close => true,
            _ if interest == registration.interest && !again => false,
            _ => {
                registration.interest = interest;
                self.epoll.modify(&registration.connection, &mut EpollEvent::new(interest, token)).is_err()
            }
        };
        if ended {
            // Closing the descriptor also takes it out of epoll, since it has no duplicate.
            self.connections.remove(token);
            self.acceptor.set_open(self.connections.len()); // New in 09
        }
    }

    /// Serves each connection whose deadline has passed for one more turn, which ends it if there is nothing
    /// left to read.
    fn check_deadlines(&mut self) {
        let now = self.clock.last();
        for token in self.connections.select(|registration| registration.connection.is_late(now)) {
            self.handle_event(token);
        }
    }

    /// Begins the shutdown: the listener is closed once the connections that wait are accepted. From then on
    /// an idle connection counts as late.
    fn stop(&mut self) -> io::Result<()> {
        shutdown::unwatch(&self.epoll)?;
        self.acceptor.drain(&self.epoll)?;
        self.accept()
    }
}
