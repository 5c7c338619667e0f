//! The loop of stage 05's twin: the same server on mio.
//!
//! mio hides which system it runs on (epoll here, kqueue on BSD, IOCP on Windows), and what all of them can do is
//! report a change: so it is edge-triggered, without a choice. Stages 06 and 07 need `EPOLLONESHOT`, which it
//! does not offer: portability has a price.

use crate::trigger::Drain;
use clap::Parser;
use kit::clock::Clock;
use kit::listener::{Accepted, Acceptor};
use kit::options::Speak;
use kit::registry::Registry;
use kit::shutdown;
use kit::start::{Sessions, listen};
use kit::sweep::Sweep;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::socket::SockFlag;
use nonblocking_epoll::connection::{BUFFER, Connection, Turn};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// Tokens that are no connection's: generations do not reach this far.
const LISTENER: Token = Token(usize::MAX);
const SHUTDOWN: Token = Token(usize::MAX - 1);

/// How many events are fetched at once.
const BATCH: usize = 256;

/// Edge-triggered, a turn must read until it would block.
const DRAIN: Drain = Drain::UntilWouldBlock;

/// Stage 05's twin: the same server on mio.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}

/// The server: everything that its one thread looks after.
struct Server {
    poll: Poll,
    acceptor: Acceptor,
    sessions: Sessions,
    connections: Registry<Connection>,
    clock: Clock,
    buffer: Vec<u8>,
}

/// Serves all connections from one loop until the server must stop.
///
/// # Errors
/// Why it cannot listen, accept or wait.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, Speak::Http)?;
    let poll = Poll::new()?;
    poll.registry().register(&mut SourceFd(&listener.as_raw_fd()), LISTENER, Interest::READABLE)?;
    poll.registry().register(&mut SourceFd(&shutdown::event().as_raw_fd()), SHUTDOWN, Interest::READABLE)?;
    let acceptor = Acceptor::new(listener, options.common.max_connections);
    let (connections, clock, buffer) = (Registry::new(), Clock::new(), vec![0; BUFFER]);
    Server { poll, acceptor, sessions, connections, clock, buffer }.serve()
}

impl Server {
    /// The event loop: wait, then serve what is ready.
    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(BATCH);
        let mut sweep = Sweep::default();
        while !self.clock.last().draining || !self.connections.is_empty() {
            let timeout = Sweep::timeout(self.connections.len(), self.acceptor.is_paused());
            let timeout = u64::try_from(i32::from(timeout)).ok().map(Duration::from_millis);
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.clock.read();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    SHUTDOWN => self.stop(),
                    token => self.ready(token),
                }
            }
            // Edge-triggered, nobody reports the peers that wait since before the pause: look.
            if self.acceptor.resumes(self.connections.len(), self.clock.last()) {
                self.accept()?;
            }
            if sweep.is_due(self.clock.last()) {
                self.expire();
            }
        }
        Ok(())
    }

    /// Takes the connections that wait: all of them, since an edge is reported once.
    fn accept(&mut self) -> io::Result<()> {
        while let Accepted::Socket(socket) =
            self.acceptor.accept(self.connections.len(), self.clock.last())?
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

    /// Gives a connection its turn.
    fn ready(&mut self, token: Token) {
        let Some(connection) = self.connections.get_mut(token.0 as u64) else { return };
        let mut turn = Turn::Served;
        for reads in 0.. {
            turn = connection.ready(&mut self.buffer, self.clock.last());
            while let Turn::Work(work) = turn {
                let answer = work.run();
                turn = connection.finish(answer, self.clock.read());
            }
            if !DRAIN.goes_on(&turn, reads) {
                break;
            }
        }
        self.settle(token, turn);
    }

    /// After a turn: asks the kernel to look anew if the turn was ended early.
    fn settle(&mut self, token: Token, turn: Turn) {
        let Some(connection) = self.connections.get_mut(token.0 as u64) else { return };
        let lost = DRAIN.stopped_early(&turn) && {
            let both = Interest::READABLE | Interest::WRITABLE;
            let mut source = SourceFd(&connection.as_fd().as_raw_fd());
            self.poll.registry().reregister(&mut source, token, both).is_err()
        };
        if lost || matches!(turn, Turn::Close) {
            self.connections.remove(token.0 as u64);
        }
    }

    /// Gives each connection whose time is over a turn, in which it ends.
    fn expire(&mut self) {
        let now = self.clock.last();
        for token in self.connections.select(|connection| connection.is_late(now)) {
            self.ready(Token(token as usize));
        }
    }

    /// Stops accepting, and gives each connection a last turn: a request may be in its socket already.
    fn stop(&mut self) {
        self.acceptor.close();
        for token in self.connections.tokens() {
            self.ready(Token(token as usize));
        }
    }
}
