//! The loop of stage 10, once in every thread.

use crate::cpus::{allowed, pin};
use crate::vital;
use clap::Parser;
use kit::clock::Clock;
use kit::listener::{Accepted, Acceptor};
use kit::options::{Speak, workers};
use kit::registry::{Registry, Token};
use kit::shutdown;
use kit::start::{Sessions, listen};
use kit::sweep::Sweep;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::SockFlag;
use nonblocking_epoll::connection::{BUFFER, Connection, Turn};
use prefork::siblings::siblings;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::scope;

/// Tokens that are no connection's: generations do not reach this far.
const LISTENER: Token = Token::MAX;
const SHUTDOWN: Token = Token::MAX - 1;

/// How many events are fetched at once.
const BATCH: usize = 256;

/// How many connections are taken at once, so that a burst of new ones does not hold up those that are there.
const ACCEPTS: usize = 64;

/// A turn reads at most this often, or one peer that never stops sending would have the loop to itself.
const READS: usize = 16;

/// Stage 10: a listener, an epoll instance and a CPU for every thread.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How many shards [default: one for each CPU]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}

/// One thread's server. Nothing in it is another thread's business, but the count of open connections, which is
/// touched when one is accepted and when it ends.
struct Shard<'all> {
    epoll: Epoll,
    acceptor: Acceptor,
    sessions: Sessions,
    connections: Registry<Armed>,
    clock: Clock,
    buffer: Vec<u8>,
    /// Connections whose turn we ended ourselves: no edge will tell of what they left behind.
    again: Vec<Token>,
    /// Open connections of all shards. Relaxed: a count for a limit, which orders no other memory.
    open: &'all AtomicUsize,
}

/// A connection, and the events that epoll was last told to watch it for.
struct Armed {
    connection: Connection,
    mask: EpollFlags,
}

/// Serves in one thread per shard until the server must stop.
///
/// # Errors
/// Why it cannot listen, accept or wait.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, Speak::Http)?;
    let cpus = allowed()?;
    let count = options.workers.unwrap_or(cpus.len());
    let open = AtomicUsize::new(0);
    let listeners = siblings(listener, options.common.backlog, SockFlag::SOCK_NONBLOCK, count)?;
    // Nobody accepts before all are made: connections would take the descriptors that the others still need.
    let made = Barrier::new(count);
    scope(|scope| {
        for (index, listener) in listeners.into_iter().enumerate() {
            let (cpu, sessions, open, made) = (cpus[index % cpus.len()], sessions.clone(), &open, &made);
            let most = options.common.max_connections;
            vital::spawn(scope, move || {
                pin(cpu)?;
                let mut shard = Shard::new(listener, most, sessions, open)?;
                made.wait();
                shard.serve()
            });
        }
    });
    Ok(())
}

impl<'all> Shard<'all> {
    /// Made by its own thread: memory is then taken from the node of its CPU.
    fn new(listener: OwnedFd, most: usize, sessions: Sessions, open: &'all AtomicUsize) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        epoll.add(shutdown::event(), EpollEvent::new(EpollFlags::EPOLLIN, SHUTDOWN))?;
        let acceptor = Acceptor::new(listener, most);
        let (connections, clock, buffer) = (Registry::new(), Clock::new(), vec![0; BUFFER]);
        Ok(Self { epoll, acceptor, sessions, connections, clock, buffer, again: Vec::new(), open })
    }

    /// The event loop: wait, then serve what is ready.
    fn serve(&mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); BATCH];
        let mut sweep = Sweep::default();
        while !self.clock.last().draining || !self.connections.is_empty() {
            let timeout = match self.again.is_empty() {
                true => Sweep::timeout(self.connections.len(), self.acceptor.is_paused()),
                false => EpollTimeout::ZERO,
            };
            let count = match self.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            self.clock.read();
            for token in std::mem::take(&mut self.again) {
                // The edge that the turn began with may have told of an end.
                self.ready(token, EpollFlags::EPOLLRDHUP);
            }
            for event in &events[..count] {
                match event.data() {
                    LISTENER => self.accept()?,
                    SHUTDOWN => self.stop()?,
                    token => self.ready(token, event.events()),
                }
            }
            if self.acceptor.resumes(self.open.load(Relaxed), self.clock.last()) {
                self.watch_listener(EpollFlags::EPOLLIN)?;
            }
            if sweep.is_due(self.clock.last()) {
                self.expire();
            }
        }
        Ok(())
    }

    // ANCHOR: accept
    /// Takes the connections that wait, and gives each its first turn at once: its request is mostly there already.
    /// One that ends with it was never known to epoll.
    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..ACCEPTS {
            match self.acceptor.accept(self.open.load(Relaxed), self.clock.last())? {
                Accepted::Socket(socket) => {
                    let token = self.connections.token(socket.as_fd());
                    let session = self.sessions.open(self.clock.last());
                    let connection = Connection::new(socket, session);
                    self.open.fetch_add(1, Relaxed);
                    self.connections.insert(token, Armed { connection, mask: EpollFlags::empty() });
                    self.ready(token, EpollFlags::empty());
                }
                Accepted::None => return Ok(()),
                Accepted::NoRoom => return self.watch_listener(EpollFlags::empty()),
            }
        }
        Ok(())
    }
    // ANCHOR_END: accept

    // ANCHOR: ready
    /// Gives a connection its turn. A read that did not fill the buffer has emptied the socket: asking once more, only to
    /// hear `EAGAIN`, would cost a system call per request. What arrives after it makes a new edge. But an end that was
    /// reported with the bytes makes none: then the turn reads on, up to the end. So it does behind urgent data, since a
    /// read stops at their mark, however much lies behind it (tcp(7)).
    fn ready(&mut self, token: Token, events: EpollFlags) {
        let ended = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        let reads_on = events.intersects(ended | EpollFlags::EPOLLPRI);
        let Some(armed) = self.connections.get_mut(token) else { return };
        let mut turn = Turn::Paused;
        for _ in 0..READS {
            // While it was writing nobody read, so what arrived meanwhile has had its edge.
            let was_writing = armed.connection.interest() == EpollFlags::EPOLLOUT;
            turn = armed.connection.ready(&mut self.buffer, self.clock.last());
            while let Turn::Work(work) = turn {
                let answer = work.run();
                turn = armed.connection.finish(answer, self.clock.read());
            }
            if !matches!(turn, Turn::Served) {
                break;
            }
            if !(reads_on || was_writing || armed.connection.has_filled()) {
                turn = Turn::Blocked;
                break;
            }
        }
        self.settle(token, turn);
    }
    // ANCHOR_END: ready

    // ANCHOR: settle
    /// After a turn: tells epoll what to watch. It is told once of most connections, since an edge need not be taken back:
    /// a second time only of one whose peer has ever left our replies unread.
    fn settle(&mut self, token: Token, turn: Turn) {
        let Some(armed) = self.connections.get_mut(token) else { return };
        let reading = EpollFlags::EPOLLIN | EpollFlags::EPOLLPRI | EpollFlags::EPOLLRDHUP;
        let mask = armed.mask | reading | EpollFlags::EPOLLET | armed.connection.interest();
        let told = match turn {
            Turn::Close => Err(Errno::ENOTCONN),
            _ if mask == armed.mask => Ok(()),
            // Both report what is ready at this moment, so nothing is lost between the turn and the call.
            _ if armed.mask.is_empty() => self.epoll.add(&armed.connection, EpollEvent::new(mask, token)),
            _ => self.epoll.modify(&armed.connection, &mut EpollEvent::new(mask, token)),
        };
        armed.mask = mask;
        if told.is_err() {
            // Closing the descriptor also takes it out of epoll, since nobody has a duplicate of it.
            self.connections.remove(token);
            self.open.fetch_sub(1, Relaxed);
        } else if matches!(turn, Turn::Served | Turn::Paused) {
            self.again.push(token);
        }
    }
    // ANCHOR_END: settle

    /// Gives each connection whose time is over a turn, in which it ends.
    fn expire(&mut self) {
        let now = self.clock.last();
        for token in self.connections.select(|armed| armed.connection.is_late(now)) {
            self.ready(token, EpollFlags::empty());
        }
    }

    /// Stops accepting, and gives each connection a last turn: a request may be in its socket already.
    fn stop(&mut self) -> io::Result<()> {
        // Nobody reads the eventfd: left in, it would wake the loop for ever.
        self.epoll.delete(shutdown::event())?;
        self.acceptor.close();
        for token in self.connections.tokens() {
            self.ready(token, EpollFlags::empty());
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
