//! The loop of stage 10, once in every thread.

use crate::cpus::{allowed, pin};
use crate::exit_on_drop;
use crate::short_read;
use clap::Parser;
use kit::clock::Clock;
use kit::connection_table::{ConnectionTable, LISTENER, SHUTDOWN, Token};
use kit::error::failed;
use kit::listener::{Acceptor, address_of};
use kit::options::{ProtocolKind, workers};
use kit::shutdown;
use kit::start::{Sessions, announce_address, listen};
use kit::timeout_scan::TimeoutScan;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::SockFlag;
use nonblocking_epoll::connection::{Connection, READ_BUFFER, Turn};
use prefork::reuseport::bind_reuseport_group;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::scope;

/// How many events are fetched at once.
const MAX_EVENTS: usize = 256;

/// How many connections are accepted at once, at most: a burst of new ones must not delay those that are
/// open.
const MAX_ACCEPTS: usize = 64;

/// A turn reads at most this often, or one peer that never stops sending would have the loop to itself.
const MAX_READS: usize = 16;

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

/// One thread's server. It shares nothing with the others but the count of open connections, which changes
/// when one is accepted and when it ends.
struct Shard<'all> {
    epoll: Epoll,
    acceptor: Acceptor,
    sessions: Sessions,
    connections: ConnectionTable<Registration>,
    clock: Clock,
    buffer: Vec<u8>,
    /// Connections whose turn we ended ourselves: no edge will report what is left in their sockets.
    again: Vec<Token>,
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
    let cpus = allowed()?;
    let count = options.workers.unwrap_or(cpus.len());
    let open = AtomicUsize::new(0);
    let address = address_of(listener.as_fd())?;
    // New in 10: a listening socket for each thread.
    let listeners = bind_reuseport_group(listener, options.common.backlog, SockFlag::SOCK_NONBLOCK, count)
        .map_err(failed("a listening socket for each shard"))?;
    // No shard accepts before all are made: connections would take the descriptors that the others still
    // need.
    let made = Barrier::new(count);
    scope(|scope| {
        for (index, listener) in listeners.into_iter().enumerate() {
            let (cpu, sessions, open, made) = (cpus[index % cpus.len()], sessions.clone(), &open, &made);
            let max = options.common.max_connections;
            exit_on_drop::spawn(scope, move || {
                pin(cpu)?; // New in 10
                let mut shard = Shard::new(listener, max, sessions, open)?;
                if made.wait().is_leader() {
                    announce_address(address)?;
                }
                shard.serve()
            });
        }
    });
    Ok(())
}

impl<'all> Shard<'all> {
    /// A shard is made by its own thread, so that its memory comes from the NUMA node of its CPU.
    fn new(listener: OwnedFd, max: usize, sessions: Sessions, open: &'all AtomicUsize) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
        let acceptor = Acceptor::new(listener, max);
        acceptor.watch(&epoll)?;
        shutdown::watch(&epoll)?;
        let (connections, clock, buffer) = (ConnectionTable::new(), Clock::new(), vec![0; READ_BUFFER]);
        Ok(Self { epoll, acceptor, sessions, connections, clock, buffer, again: Vec::new(), open })
    }

    /// The event loop: wait, then serve what is ready.
    fn serve(&mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        let mut scan = TimeoutScan::default();
        while self.acceptor.is_open() || !self.connections.is_empty() {
            let check_soon = self.acceptor.is_paused() || self.clock.last().draining;
            let timeout = match self.again.is_empty() {
                true => TimeoutScan::timeout(self.connections.len(), check_soon),
                false => EpollTimeout::ZERO,
            };
            let count = match self.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            self.clock.read();
            for token in std::mem::take(&mut self.again) {
                // The edge that the last turn began with may have reported an end.
                self.handle_event(token, EpollFlags::EPOLLRDHUP);
            }
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

    // ANCHOR: handle-event
    /// Serves a connection for one turn. New in 10: a read that did not fill the buffer has emptied the
    /// socket, so the turn ends without one that returns `EAGAIN`; [`short_read`] has the exceptions.
    fn handle_event(&mut self, token: Token, events: EpollFlags) {
        let reads_on = short_read::reads_on(events);
        let Some(Registration { connection, .. }) = self.connections.get_mut(token) else { return };
        let mut turn = Turn::Paused;
        for _ in 0..MAX_READS {
            // While the connection was writing it did not read, so what arrived meanwhile has had its edge.
            let was_writing = connection.interest() == EpollFlags::EPOLLOUT;
            turn = connection.handle_event(&mut self.buffer, self.clock.last());
            while let Turn::Work(work) = turn {
                let answer = work.run();
                turn = connection.finish_work(answer, &mut self.buffer, self.clock.read());
            }
            if !matches!(turn, Turn::Served) {
                break;
            }
            if !(reads_on || was_writing || connection.has_filled()) {
                turn = Turn::Blocked;
                break;
            }
        }
        self.update_interest(token, turn);
    }
    // ANCHOR_END: handle-event

    // ANCHOR: update-interest
    /// After a turn: registers the connection with epoll. For most connections this happens once, since an
    /// edge need not be taken back; a second call is made only if the peer has ever left replies unread.
    fn update_interest(&mut self, token: Token, turn: Turn) {
        let Some(registration) = self.connections.get_mut(token) else { return };
        let reading = EpollFlags::EPOLLIN | EpollFlags::EPOLLET | short_read::REPORTED;
        let interest = registration.interest | reading | registration.connection.interest();
        let told = match turn {
            Turn::Close => Err(Errno::ENOTCONN),
            _ if interest == registration.interest => Ok(()),
            // Both calls report what is ready at that moment, so nothing is lost between the turn and the
            // call.
            _ if registration.interest.is_empty() => {
                self.epoll.add(&registration.connection, EpollEvent::new(interest, token))
            }
            _ => self.epoll.modify(&registration.connection, &mut EpollEvent::new(interest, token)),
        };
        registration.interest = interest;
        if told.is_err() {
            // Closing the descriptor also takes it out of epoll, since it has no duplicate.
            self.connections.remove(token);
            self.open.fetch_sub(1, Relaxed);
        } else if matches!(turn, Turn::Served | Turn::Paused) {
            self.again.push(token);
        }
    }
    // ANCHOR_END: update-interest

    /// Gives each connection whose deadline has passed a turn, which ends it if there is nothing left to
    /// read.
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
