//! The loop of stage 09, once in every child.

use crate::accept::{Accept, Notify};
use crate::board::{Board, Row};
use crate::line::Line;
use crate::parent::{Parent, Role};
use crate::siblings::siblings;
use clap::Parser;
use edge_vs_level::trigger::{Drain, Trigger};
use kit::clock::Clock;
use kit::listener::{Accepted, Acceptor};
use kit::options::{Speak, workers};
use kit::registry::{Registry, Token};
use kit::shutdown;
use kit::start::{Sessions, listen};
use kit::sweep::Sweep;
use kit::words::say;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::SockFlag;
use nonblocking_epoll::connection::{BUFFER, Connection, Turn};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::available_parallelism;

/// Tokens that are no connection's: generations do not reach this far.
const LISTENER: Token = Token::MAX;
const SHUTDOWN: Token = Token::MAX - 1;

/// How many events are fetched at once.
const BATCH: usize = 256;

/// How many connections a child takes when it was woken. Of 64 clients that connect at once the first child that is told
/// would else take all, and keep them, while the others have nothing to do.
const ACCEPTS: usize = 8;

/// Stage 09: a fixed number of processes, each with a loop of its own.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How a connection finds a process
    #[arg(long, value_enum, default_value = "notify")]
    pub accept: Accept,

    /// How the parent tells its children, with `--accept notify`
    #[arg(long, value_enum, default_value = "acknowledged")]
    pub notify: Notify,

    /// How many processes serve [default: one for each CPU]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}

/// One child's server.
struct Server {
    epoll: Epoll,
    how: Accept,
    acceptor: Acceptor,
    line: Line,
    /// It was told of connections, and has not answered.
    told: bool,
    board: Board,
    row: &'static Row,
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

/// Serves in as many processes as were asked for until the server must stop.
///
/// # Errors
/// Why it cannot listen, fork or wait.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, Speak::Http)?;
    let count = options.workers.unwrap_or_else(|| available_parallelism().map_or(1, NonZeroUsize::get));
    let listeners = match options.accept {
        // Made and kept by the parent: what waits on the listener of a child that died waits for its successor.
        Accept::Reuseport => siblings(listener, options.common.backlog, SockFlag::SOCK_NONBLOCK, count)?,
        _ => vec![listener],
    };
    let board = Board::new(count)?;
    let mut parent = Parent::new(listeners, board, options.accept, options.notify)?;
    let role = parent.serve();
    if let Ok(Role::Child(place, line, listener)) = role {
        // What it inherited is the parent's: its epoll instance, its signals, the lines of its brothers.
        drop(parent);
        let acceptor = Acceptor::new(listener, options.common.max_connections);
        let served = shutdown::become_watching_child()
            .and_then(|()| Server::new(&options, place, line, acceptor, board, sessions)?.serve());
        if let Err(error) = &served {
            say(format_args!("error: {error}"));
        }
        // SAFETY: _exit(2) has no precondition. exit(3) would flush the parent's buffered stdout again.
        unsafe { nix::libc::_exit(served.is_err().into()) }
    }
    let (accepted, woken) = board.accepted_and_woken();
    say(format_args!("{accepted} connections accepted, {woken} times a process was woken for it"));
    role.map(drop)
}

impl Server {
    fn new(
        options: &Options,
        place: usize,
        line: Line,
        acceptor: Acceptor,
        board: Board,
        sessions: Sessions,
    ) -> io::Result<Self> {
        let (epoll, row) = (Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?, board.row(place));
        epoll.add(shutdown::event(), EpollEvent::new(EpollFlags::EPOLLIN, SHUTDOWN))?;
        let (connections, clock, buffer) = (Registry::new(), Clock::new(), vec![0; BUFFER]);
        let (how, told) = (options.accept, false);
        let server =
            Self { epoll, how, acceptor, line, told, board, row, sessions, connections, clock, buffer };
        server.watch_listener(true)?;
        Ok(server)
    }

    /// The event loop: wait, then serve what is ready.
    fn serve(&mut self) -> io::Result<()> {
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
                    LISTENER => self.woken()?,
                    SHUTDOWN => self.stop()?,
                    token => self.ready(token),
                }
            }
            if self.acceptor.resumes(self.board.open(), self.clock.last()) {
                self.watch_listener(true)?;
                self.accept()?;
            }
            if sweep.is_due(self.clock.last()) {
                self.expire();
            }
        }
        Ok(())
    }

    // ANCHOR: woken
    /// There may be a connection: the parent says so, or the kernel.
    fn woken(&mut self) -> io::Result<()> {
        self.row.woken.fetch_add(1, Relaxed);
        if self.how == Accept::Notify {
            self.told |= self.line.hear();
        }
        self.accept()
    }

    /// Takes the connections that wait, but not all of many; then answers the parent. Without room it does not answer, and
    /// is not told again until there is some.
    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..ACCEPTS {
            match self.acceptor.accept(self.board.open(), self.clock.last())? {
                Accepted::Socket(socket) => {
                    let token = self.connections.token(socket.as_fd());
                    let session = self.sessions.open(self.clock.last());
                    let connection = Connection::new(socket, session);
                    let mask = Trigger::Edge.mask(connection.interest());
                    self.row.accepted.fetch_add(1, Relaxed);
                    if self.epoll.add(&connection, EpollEvent::new(mask, token)).is_ok() {
                        self.connections.insert(token, Armed { connection, mask });
                        self.row.open.store(self.connections.len(), Relaxed);
                    }
                }
                Accepted::None => break,
                Accepted::NoRoom => return self.watch_listener(false),
            }
        }
        if std::mem::take(&mut self.told) {
            self.line.say();
        }
        Ok(())
    }
    // ANCHOR_END: woken

    /// Gives a connection its turn.
    fn ready(&mut self, token: Token) {
        let Some(armed) = self.connections.get_mut(token) else { return };
        let mut turn = Turn::Served;
        for reads in 0.. {
            turn = armed.connection.ready(&mut self.buffer, self.clock.last());
            while let Turn::Work(work) = turn {
                let answer = work.run();
                turn = armed.connection.finish(answer, self.clock.read());
            }
            if !Drain::UntilWouldBlock.goes_on(&turn, reads) {
                break;
            }
        }
        self.settle(token, turn);
    }

    /// After a turn: asks epoll to look anew if we ended it early.
    fn settle(&mut self, token: Token, turn: Turn) {
        let Some(armed) = self.connections.get_mut(token) else { return };
        let lost = match turn {
            Turn::Close => true,
            turn if Drain::UntilWouldBlock.stopped_early(&turn) => {
                self.epoll.modify(&armed.connection, &mut EpollEvent::new(armed.mask, token)).is_err()
            }
            _ => false,
        };
        if lost {
            // Closing the descriptor also takes it out of epoll, since nobody has a duplicate of it.
            self.connections.remove(token);
            self.row.open.store(self.connections.len(), Relaxed);
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
        self.watch_listener(false)?;
        self.acceptor.close();
        for token in self.connections.tokens() {
            self.ready(token);
        }
        Ok(())
    }

    // ANCHOR: watch
    /// Watches for connections, or no longer. `EPOLLEXCLUSIVE` cannot be changed, only taken out and put in again.
    fn watch_listener(&self, watch: bool) -> io::Result<()> {
        let Some(listener) = self.acceptor.listener() else { return Ok(()) };
        let (fd, mask) = match self.how {
            Accept::Notify => (self.line.as_fd(), EpollFlags::EPOLLIN),
            Accept::Exclusive => (listener, EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE),
            Accept::Shared | Accept::Reuseport => (listener, EpollFlags::EPOLLIN),
        };
        match watch {
            true => match self.epoll.add(fd, EpollEvent::new(mask, LISTENER)) {
                Ok(()) | Err(Errno::EEXIST) => Ok(()),
                Err(error) => Err(error.into()),
            },
            // It is a shared descriptor, so closing it would not take it out.
            false => match self.epoll.delete(fd) {
                Ok(()) | Err(Errno::ENOENT) => Ok(()),
                Err(error) => Err(error.into()),
            },
        }
    }
    // ANCHOR_END: watch
}
