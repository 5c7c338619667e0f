//! The loop of stage 04.

use crate::connection::{BUFFER, Connection, Turn};
use clap::Parser;
use kit::clock::Clock;
use kit::listener::{Accepted, Acceptor};
use kit::options::Speak;
use kit::registry::{Registry, Token};
use kit::shutdown;
use kit::start::{Sessions, listen};
use kit::sweep::Sweep;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::SockFlag;
use std::io;
use std::os::fd::AsFd;

/// Tokens that are no connection's: generations do not reach this far.
const LISTENER: Token = Token::MAX;
const SHUTDOWN: Token = Token::MAX - 1;

/// How many events are fetched at once.
const BATCH: usize = 256;

/// Stage 04: one thread, many sockets, level-triggered.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}

/// The server: everything that its one thread looks after.
struct Server {
    epoll: Epoll,
    acceptor: Acceptor,
    sessions: Sessions,
    connections: Registry<Armed>,
    clock: Clock,
    buffer: Vec<u8>,
}

/// A connection, and the events that epoll was last told to watch it for.
struct Armed {
    connection: Connection,
    mask: EpollFlags,
}

/// Serves all connections from one loop until the server must stop.
///
/// # Errors
/// Why it cannot listen, accept or wait.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, Speak::Http)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    epoll.add(shutdown::event(), EpollEvent::new(EpollFlags::EPOLLIN, SHUTDOWN))?;
    let acceptor = Acceptor::new(listener, options.common.max_connections);
    let (connections, clock, buffer) = (Registry::new(), Clock::new(), vec![0; BUFFER]);
    Server { epoll, acceptor, sessions, connections, clock, buffer }.serve()
}

impl Server {
    /// The event loop: wait, then serve what is ready.
    fn serve(&mut self) -> io::Result<()> {
        // ANCHOR: loop
        let mut events = [EpollEvent::empty(); BATCH];
        let mut sweep = Sweep::default();
        while !self.clock.last().draining || !self.connections.is_empty() {
            let timeout = Sweep::timeout(self.connections.len(), self.acceptor.is_paused());
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
                    token => self.ready(token),
                }
            }
            if self.acceptor.resumes(self.connections.len(), self.clock.last()) {
                self.watch_listener(EpollFlags::EPOLLIN)?;
            }
            if sweep.is_due(self.clock.last()) {
                self.expire();
            }
        }
        Ok(())
        // ANCHOR_END: loop
    }

    /// Takes the connections that wait.
    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.acceptor.accept(self.connections.len(), self.clock.last())? {
                Accepted::Socket(socket) => {
                    let token = self.connections.token(socket.as_fd());
                    let session = self.sessions.open(self.clock.last());
                    let connection = Connection::new(socket, session);
                    let mask = connection.interest();
                    if self.epoll.add(&connection, EpollEvent::new(mask, token)).is_ok() {
                        self.connections.insert(token, Armed { connection, mask });
                    }
                }
                Accepted::None => return Ok(()),
                Accepted::NoRoom => return self.watch_listener(EpollFlags::empty()),
            }
        }
    }

    /// Gives a connection its turn.
    fn ready(&mut self, token: Token) {
        let Some(armed) = self.connections.get_mut(token) else { return };
        let mut turn = armed.connection.ready(&mut self.buffer, self.clock.last());
        while let Turn::Work(work) = turn {
            // Everybody else waits until this is done.
            let answer = work.run();
            turn = armed.connection.finish(answer, self.clock.read());
        }
        self.settle(token, turn);
    }

    /// After a turn: tells epoll what the connection waits for now, if it is something else.
    fn settle(&mut self, token: Token, turn: Turn) {
        let Some(armed) = self.connections.get_mut(token) else { return };
        let mask = armed.connection.interest();
        let lost = match turn {
            Turn::Close => true,
            _ if mask == armed.mask => false,
            _ => {
                armed.mask = mask;
                self.epoll.modify(&armed.connection, &mut EpollEvent::new(mask, token)).is_err()
            }
        };
        if lost {
            // Closing the descriptor also takes it out of epoll, since nobody has a duplicate of it.
            self.connections.remove(token);
        }
    }

    /// Gives each connection whose time is over a turn, in which it ends.
    fn expire(&mut self) {
        let now = self.clock.last();
        for token in self.connections.select(|armed| armed.connection.is_late(now)) {
            self.ready(token);
        }
    }

    /// Stops accepting, and gives each connection a last turn: a request may be in its socket already.
    fn stop(&mut self) -> io::Result<()> {
        // Nobody reads the eventfd: left in, it would wake the loop for ever.
        self.epoll.delete(shutdown::event())?;
        self.acceptor.close();
        for token in self.connections.tokens() {
            self.ready(token);
        }
        Ok(())
    }

    fn watch_listener(&self, mask: EpollFlags) -> io::Result<()> {
        match self.acceptor.listener() {
            Some(listener) => Ok(self.epoll.modify(listener, &mut EpollEvent::new(mask, LISTENER))?),
            None => Ok(()),
        }
    }
}
