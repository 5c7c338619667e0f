//! The loop of stage 11, once in every thread.

use crate::buffers::{Buffers, GROUP};
use crate::connection::{Connection, Output, Turn};
use crate::listener::Listener;
use crate::operation::Operation;
use crate::proactor::{Proactor, UNHEARD};
use clap::Parser;
use io_uring::types::Fd;
use io_uring::{cqueue, opcode, squeue};
use kit::clock::Clock;
use kit::options::{Speak, workers};
use kit::registry::{Registry, Token};
use kit::shutdown;
use kit::start::{Sessions, listen};
use kit::sweep::Sweep;
use nix::libc::{self, ECANCELED, ENOBUFS};
use nix::sys::socket::{Shutdown, SockFlag};
use prefork::siblings::siblings;
use reuseport_shards::cpus::{allowed, pin};
use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::scope;
use std::time::Duration;

/// Marks of requests that are no connection's: generations do not reach this far.
const LISTENER: u64 = u64::MAX;
const SHUTDOWN: u64 = u64::MAX - 1;

/// Stage 11: completion instead of readiness, with io_uring.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How many threads, each with a listener and a CPU of its own [default: one for each CPU]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}

/// One thread's server.
struct Server<'all> {
    proactor: Proactor,
    buffers: Buffers,
    listener: Listener,
    sessions: Sessions,
    connections: Registry<Connection>,
    clock: Clock,
    /// How often the loop has looked around since it was told to stop.
    looks: u32,
    /// Open connections of all threads. Relaxed: a count for a limit, which orders no other memory.
    open: &'all AtomicUsize,
}

/// Serves in one thread per CPU until the server must stop.
///
/// # Errors
/// `Unsupported` where io_uring cannot be used; else why it cannot listen, accept or wait.
pub fn run(options: Options) -> io::Result<()> {
    // Before the port is taken: whoever cannot serve should not listen.
    drop(Proactor::new()?);
    let (listener, sessions) = listen(&options.common, SockFlag::empty(), Speak::Http)?;
    let cpus = allowed()?;
    let count = options.workers.unwrap_or(cpus.len());
    let open = AtomicUsize::new(0);
    scope(|scope| {
        let listeners = siblings(listener, options.common.backlog, SockFlag::empty(), count)?;
        let threads: Vec<_> = (listeners.into_iter().enumerate())
            .map(|(index, listener)| {
                let (cpu, sessions, open) = (cpus[index % cpus.len()], sessions.clone(), &open);
                let most = options.common.max_connections;
                scope.spawn(move || {
                    pin(cpu)?;
                    Server::new(listener, most, sessions, open)?.serve()
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a thread does not panic"))
    })
}

impl<'all> Server<'all> {
    /// Made by its own thread: the queues belong to the one that makes them.
    fn new(socket: OwnedFd, most: usize, sessions: Sessions, open: &'all AtomicUsize) -> io::Result<Self> {
        let proactor = Proactor::new()?;
        let buffers = Buffers::register(&proactor)?;
        let (listener, connections, clock) = (Listener::new(socket, most)?, Registry::new(), Clock::new());
        Ok(Self { proactor, buffers, listener, sessions, connections, clock, looks: 0, open })
    }

    /// The event loop: ask, wait, then see what was done.
    fn serve(mut self) -> io::Result<()> {
        let mut done = Vec::new();
        let mut sweep = Sweep::default();
        let stop = opcode::PollAdd::new(Fd(shutdown::event().as_raw_fd()), libc::POLLIN as u32);
        self.push(&stop.build().user_data(SHUTDOWN))?;
        while !self.clock.last().draining || !self.connections.is_empty() || self.listener.is_asked() {
            self.watch_listener()?;
            self.proactor.wait(self.timeout())?;
            self.clock.read();
            self.proactor.take(&mut done);
            for entry in done.drain(..) {
                match entry.user_data() {
                    LISTENER => self.accept(&entry)?,
                    SHUTDOWN => self.stop()?,
                    UNHEARD => {}
                    mark => self.ready(mark, &entry)?,
                }
            }
            if sweep.is_due(self.clock.last()) {
                self.expire()?;
            }
            if self.listener.is_closed() {
                self.leave()?;
            }
        }
        self.buffers.unregister(&self.proactor)
    }

    // ANCHOR: accept
    /// The kernel has accepted a connection: asks it to receive whatever arrives on it.
    fn accept(&mut self, entry: &cqueue::Entry) -> io::Result<()> {
        let Some(socket) = self.listener.accepted(entry, self.clock.last()) else { return Ok(()) };
        let token = self.connections.token(socket.as_fd());
        self.open.fetch_add(1, Relaxed);
        let session = self.sessions.open(self.clock.last());
        self.connections.insert(token, Connection::new(socket, session));
        self.settle(token, Turn::Receive)
    }
    // ANCHOR_END: accept

    // ANCHOR: ready
    /// A request was answered: gives its connection a turn.
    fn ready(&mut self, mark: u64, entry: &cqueue::Entry) -> io::Result<()> {
        let Some((token, operation)) = Operation::of(mark) else { return Ok(()) };
        let Some(connection) = self.connections.get_mut(token) else { return Ok(()) };
        if !cqueue::more(entry.flags()) {
            connection.answered(operation);
        }
        let (now, count) = (self.clock.last(), entry.result().max(0) as usize);
        let turn = match (operation, entry.result()) {
            (Operation::Receive, 1..) => {
                let id = cqueue::buffer_select(entry.flags()).expect("bytes arrive in a buffer of ours");
                let turn = connection.received(self.buffers.get(id, count), now);
                self.buffers.give_back(id);
                turn
            }
            (Operation::Receive, 0) => connection.end(now),
            // The buffers ran out, or we asked it to stop.
            (Operation::Receive, error) if [ENOBUFS, ECANCELED].contains(&-error) => {
                match connection.is_sending() {
                    true => Turn::Wait,
                    false => Turn::Receive,
                }
            }
            (Operation::Send, 0..) => connection.sent(count, now),
            (Operation::Read, 0..) => connection.read(count),
            // The peer has reset the connection, or the file cannot be read.
            _ => Turn::Close,
        };
        self.settle(token, turn)
    }
    // ANCHOR_END: ready

    /// After a turn: runs its work, asks the kernel for what comes next.
    fn settle(&mut self, token: Token, mut turn: Turn) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(token) else { return Ok(()) };
        while let Turn::Work(work) = turn {
            if work.is_slow() {
                // The others' replies must not wait for it in our queue.
                self.proactor.submit()?;
            }
            let answer = work.run();
            turn = connection.finish(answer, self.clock.read());
        }
        match turn {
            Turn::Wait | Turn::Work(_) => {}
            Turn::Send => self.send(token)?,
            Turn::StopReceive => {
                if connection.stops_receive() {
                    self.proactor.cancel(Operation::Receive.mark(token))?;
                }
            }
            Turn::HalfClose => {
                let _ = nix::sys::socket::shutdown(connection.as_fd().as_raw_fd(), Shutdown::Write);
            }
            Turn::Close => {
                for operation in connection.close().into_iter().flatten() {
                    self.proactor.cancel(operation.mark(token))?;
                }
            }
            Turn::Receive => {}
        }
        let Some(connection) = self.connections.get_mut(token) else { return Ok(()) };
        if connection.is_over() {
            self.remove(token)
        } else if connection.needs_receive() && !connection.is_sending() {
            let fd = Fd(connection.as_fd().as_raw_fd());
            connection.ask(Operation::Receive);
            self.push(&opcode::RecvMulti::new(fd, GROUP).build().user_data(Operation::Receive.mark(token)))
        } else {
            Ok(())
        }
    }

    /// Asks the kernel to send what waits, or to read what is to be sent.
    fn send(&mut self, token: Token) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(token) else { return Ok(()) };
        let fd = Fd(connection.as_fd().as_raw_fd());
        let (operation, request) = match connection.output() {
            Output::Bytes(bytes, more) => {
                let more = if more { libc::MSG_MORE } else { 0 };
                let send = opcode::Send::new(fd, bytes.as_ptr(), bytes.len() as u32);
                (Operation::Send, send.flags(libc::MSG_NOSIGNAL | more).build())
            }
            Output::File(file, offset, length) => {
                let room = connection.room(length).as_mut_ptr();
                let read = opcode::Read::new(Fd(file.as_raw_fd()), room, length as u32).offset(offset);
                (Operation::Read, read.build())
            }
        };
        connection.ask(operation);
        self.push(&request.user_data(operation.mark(token)))
    }

    /// The kernel is at nothing more for this connection: drops it.
    fn remove(&mut self, token: Token) -> io::Result<()> {
        let Some(connection) = self.connections.remove(token) else { return Ok(()) };
        self.open.fetch_sub(1, Relaxed);
        let fd: RawFd = connection.into_socket().into_raw_fd();
        let close = opcode::Close::new(Fd(fd)).build().user_data(UNHEARD);
        self.push(&close.flags(squeue::Flags::SKIP_SUCCESS))
    }

    /// Gives each connection whose time is over a turn, in which it ends.
    fn expire(&mut self) -> io::Result<()> {
        for token in self.connections.tokens() {
            let Some(connection) = self.connections.get_mut(token) else { continue };
            let turn = connection.expire(self.clock.last());
            if !matches!(turn, Turn::Wait) {
                self.settle(token, turn)?;
            }
        }
        Ok(())
    }

    /// Stops accepting.
    fn stop(&mut self) -> io::Result<()> {
        if self.listener.is_asked() {
            self.proactor.cancel(LISTENER)?;
        }
        self.listener.close();
        Ok(())
    }

    /// While the server drains: ends the connections that are between requests, after one more look at what arrived. A
    /// request may have been in a socket already when we were told to stop.
    fn leave(&mut self) -> io::Result<()> {
        self.looks = self.looks.saturating_add(1);
        if self.looks != 2 {
            return Ok(());
        }
        for token in self.connections.select(Connection::is_idle) {
            self.settle(token, Turn::Close)?;
        }
        Ok(())
    }

    /// How long to wait: for ever with nothing to look after, so that an idle server uses no CPU.
    fn timeout(&self) -> Option<Duration> {
        let pausing = !self.listener.is_closed() && !self.listener.is_asked();
        match (self.looks, pausing, self.connections.is_empty()) {
            (1, _, _) => Some(Duration::ZERO),
            (_, true, _) => Some(Duration::from_millis(20)),
            (_, false, false) => Some(Duration::from_secs(1)),
            (_, false, true) => None,
        }
    }

    /// Queues a request.
    fn push(&mut self, request: &squeue::Entry) -> io::Result<()> {
        // SAFETY: what a request names is on the heap, or static: an outbox, the filler, a piece of a file. A connection
        // leaves them alone while it is sending (see `Connection`), and is dropped only when the kernel has answered.
        unsafe { self.proactor.push(request) }
    }

    /// Asks the kernel to accept, if it does not already.
    fn watch_listener(&mut self) -> io::Result<()> {
        match self.listener.ask(self.open.load(Relaxed), self.clock.last()) {
            Some(request) => self.push(&request.user_data(LISTENER)),
            None => Ok(()),
        }
    }
}
