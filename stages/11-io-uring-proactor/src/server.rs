//! The loop of stage 11, once in every thread.

use crate::buffers::{Buffers, GROUP};
use crate::connection::{Connection, Next, Output};
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
use reuseport_shards::vital;
use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, RawFd};
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
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
    listener: Listener<'all>,
    sessions: Sessions,
    connections: Registry<Connection>,
    clock: Clock,
    /// Completions that were taken and not yet seen to.
    done: Vec<cqueue::Entry>,
    phase: Phase,
}

/// How far the end of the server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Told to stop. Requests may have arrived before: it looks for them until a look brings nothing.
    Looking,
    /// Connections between requests were ended. The others have replies on their way.
    Leaving,
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
    let taken = AtomicUsize::new(0);
    let listeners = siblings(listener, options.common.backlog, SockFlag::empty(), count)?;
    // Nobody accepts before all are made: connections would take the descriptors that the others still need.
    let made = Barrier::new(count);
    scope(|scope| {
        for (index, listener) in listeners.into_iter().enumerate() {
            let (cpu, sessions, taken, made) = (cpus[index % cpus.len()], sessions.clone(), &taken, &made);
            let most = options.common.max_connections;
            vital::spawn(scope, move || {
                pin(cpu)?;
                let server = Server::new(Listener::new(listener, most, taken)?, sessions)?;
                made.wait();
                server.serve()
            });
        }
    });
    Ok(())
}

impl<'all> Server<'all> {
    /// Made by its own thread: the queues belong to the one that makes them.
    fn new(listener: Listener<'all>, sessions: Sessions) -> io::Result<Self> {
        let proactor = Proactor::new()?;
        let buffers = Buffers::register(&proactor)?;
        let (connections, clock, done) = (Registry::new(), Clock::new(), Vec::new());
        Ok(Self { proactor, buffers, listener, sessions, connections, clock, done, phase: Phase::Running })
    }

    /// The event loop: ask, wait, then see what was done.
    fn serve(mut self) -> io::Result<()> {
        let mut sweep = Sweep::default();
        let stop = opcode::PollAdd::new(Fd(shutdown::event().as_raw_fd()), libc::POLLIN as u32);
        self.push(&stop.build().user_data(SHUTDOWN))?;
        while self.phase == Phase::Running || !self.connections.is_empty() || self.listener.is_asked() {
            self.watch_listener()?;
            match self.phase {
                Phase::Looking => self.proactor.gather()?,
                Phase::Running | Phase::Leaving => self.proactor.wait(self.timeout())?,
            }
            self.clock.read();
            self.see()?;
            if sweep.is_due(self.clock.last()) {
                self.expire()?;
            }
        }
        self.buffers.unregister(&self.proactor)
    }

    /// Sees what was done.
    fn see(&mut self) -> io::Result<()> {
        let mut done = std::mem::take(&mut self.done);
        self.proactor.take(&mut done);
        match (self.phase, done.len()) {
            (Phase::Looking, 0) => self.leave()?,
            // A reply has left: its connection may be between requests now, or one that nobody has looked at.
            (Phase::Leaving, 1..) => self.phase = Phase::Looking,
            _ => {}
        }
        for entry in done.drain(..) {
            match entry.user_data() {
                LISTENER => self.accept(&entry)?,
                SHUTDOWN => self.stop()?,
                UNHEARD => {}
                mark => self.ready(mark, &entry)?,
            }
        }
        self.done = done;
        Ok(())
    }

    // ANCHOR: accept
    /// The kernel has accepted a connection: asks it to receive whatever arrives on it.
    fn accept(&mut self, entry: &cqueue::Entry) -> io::Result<()> {
        let Some(socket) = self.listener.answered(entry, self.clock.last()) else { return Ok(()) };
        let token = self.connections.token(socket.as_fd());
        let session = self.sessions.open(self.clock.last());
        self.connections.insert(token, Connection::new(socket, session));
        self.settle(token, Next::Receive)
    }
    // ANCHOR_END: accept

    // ANCHOR: ready
    /// A request was answered: lets its connection go on.
    fn ready(&mut self, mark: u64, entry: &cqueue::Entry) -> io::Result<()> {
        let Some((token, operation)) = Operation::of(mark) else { return Ok(()) };
        let Some(connection) = self.connections.get_mut(token) else { return Ok(()) };
        if !cqueue::more(entry.flags()) {
            connection.answered(operation);
        }
        let (now, count) = (self.clock.last(), entry.result().max(0) as usize);
        let next = match (operation, entry.result()) {
            (Operation::Receive, 1..) => {
                let id = cqueue::buffer_select(entry.flags()).expect("bytes arrive in a buffer of ours");
                let next = connection.received(self.buffers.get(id, count), now);
                self.buffers.give_back(id);
                next
            }
            (Operation::Receive, 0) => connection.end(now),
            // The buffers ran out, or we asked it to stop.
            (Operation::Receive, error) if [ENOBUFS, ECANCELED].contains(&-error) => Next::Receive,
            (Operation::Send, 0..) => connection.sent(count, now),
            (Operation::Read, 0..) => connection.read(count),
            // The peer has reset the connection, or the file cannot be read.
            _ => Next::Close,
        };
        self.settle(token, next)
    }
    // ANCHOR_END: ready

    /// Does what a connection wants next: runs its work, asks the kernel.
    fn settle(&mut self, token: Token, mut next: Next) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(token) else { return Ok(()) };
        while let Next::Work(work) = next {
            if work.is_slow() {
                // The others' replies must not wait for it in our queue.
                self.proactor.submit()?;
            }
            let answer = work.run();
            next = connection.finish(answer, self.clock.read());
        }
        match next {
            Next::Wait | Next::Receive | Next::Work(_) => {}
            Next::Send => self.send(token)?,
            Next::StopReceive => {
                if connection.stops_receive() {
                    self.proactor.cancel(Operation::Receive.mark(token))?;
                }
            }
            Next::HalfClose => {
                let _ = nix::sys::socket::shutdown(connection.as_fd().as_raw_fd(), Shutdown::Write);
            }
            Next::Close => {
                for operation in connection.close().into_iter().flatten() {
                    self.proactor.cancel(operation.mark(token))?;
                }
            }
        }
        let Some(connection) = self.connections.get_mut(token) else { return Ok(()) };
        if connection.is_over() {
            self.remove(token)
        } else if connection.needs_receive() {
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
        self.listener.leave();
        let fd: RawFd = connection.into_socket().into_raw_fd();
        let close = opcode::Close::new(Fd(fd)).build().user_data(UNHEARD);
        self.push(&close.flags(squeue::Flags::SKIP_SUCCESS))
    }

    /// Ends each connection whose time is over. What the peer sent in time may not have been fetched yet, when a job has held
    /// up the loop: so the time is read first, then everything is fetched that came until then.
    fn expire(&mut self) -> io::Result<()> {
        let then = self.clock.read().clone();
        self.proactor.gather()?;
        self.see()?;
        for token in self.connections.tokens() {
            let Some(connection) = self.connections.get_mut(token) else { continue };
            let next = connection.expire(&then, self.clock.last());
            if !matches!(next, Next::Wait) {
                self.settle(token, next)?;
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
        self.phase = Phase::Looking;
        Ok(())
    }

    /// Nothing has arrived that was not seen: ends the connections that are between requests.
    fn leave(&mut self) -> io::Result<()> {
        self.phase = Phase::Leaving;
        for token in self.connections.select(Connection::is_idle) {
            self.settle(token, Next::Close)?;
        }
        Ok(())
    }

    /// How long to wait: for ever with nothing to look after, so that an idle server uses no CPU.
    fn timeout(&self) -> Option<Duration> {
        let pausing = !self.listener.is_closed() && !self.listener.is_asked();
        match (pausing, self.connections.is_empty()) {
            (true, _) => Some(Duration::from_millis(20)),
            (false, false) => Some(Duration::from_secs(1)),
            (false, true) => None,
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
        match self.listener.ask(self.clock.last()) {
            Some(request) => self.push(&request.user_data(LISTENER)),
            None => Ok(()),
        }
    }
}
