//! The loop of stage 11, once in every thread.

use crate::buffers::Buffers;
use crate::connection::Connection;
use crate::direct::Socket;
use crate::features::Features;
use crate::listener::Listener;
use crate::operation::Operation;
use crate::options::Options;
use crate::proactor::{COMPLETIONS, NO_HANDLER, Proactor};
use io_uring::types::Fd;
use io_uring::{cqueue, opcode, squeue};
use kit::clock::Clock;
use kit::connection_table::{ConnectionTable, LISTENER, SHUTDOWN, Token};
use kit::options::ProtocolKind;
use kit::shutdown;
use kit::start::{Sessions, listen};
use kit::timeout_scan::TimeoutScan;
use nix::libc;
use nix::sys::socket::SockFlag;
use reuseport_shards::shards::{self, ShardOptions};
use reuseport_shards::steering::Steer;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

/// One thread's server. It shares nothing with the others but the count of open connections, which changes
/// when one is accepted and when it ends.
struct Shard<'all> {
    proactor: Proactor, // New in 11
    buffers: Buffers,   // New in 11
    listener: Listener<'all>,
    sessions: Sessions,
    connections: ConnectionTable<Connection>,
    clock: Clock,
    /// New in 11: completions that were taken from the queue and not processed yet.
    completions: Vec<cqueue::Entry>,
}

/// Serves in one thread per shard until the server must stop.
///
/// # Errors
/// `Unsupported` where io_uring cannot be used; else why it cannot listen, accept or wait.
pub fn run(options: Options) -> io::Result<()> {
    // New in 11: a server that cannot serve should not take the port.
    let trial = Proactor::new(options.features)?;
    Buffers::register(&trial)?.unregister(&trial)?;
    drop(trial);
    let (listener, sessions) = listen(&options.common, SockFlag::empty(), ProtocolKind::Http)?;
    let (backlog, max) = (options.common.backlog, options.common.max_connections);
    let open = AtomicUsize::new(0);
    let make = |listener| Shard::new(listener, max, sessions.clone(), (&open, options.features));
    let how_many = ShardOptions { count: options.workers, steer: Steer::Hash };
    shards::run(listener, backlog, SockFlag::empty(), how_many, make, Shard::serve)
}

impl<'all> Shard<'all> {
    /// A shard is made by its own thread: io_uring's queues belong to the thread that makes them.
    fn new(
        listener: OwnedFd,
        max: usize,
        sessions: Sessions,
        (open, features): (&'all AtomicUsize, Features),
    ) -> io::Result<Self> {
        let proactor = Proactor::new(features)?;
        let buffers = Buffers::register(&proactor)?;
        let listener = Listener::new(listener, max, open, features)?;
        let (connections, clock, completions) = (ConnectionTable::new(), Clock::new(), Vec::new());
        Ok(Self { proactor, buffers, listener, sessions, connections, clock, completions })
    }

    /// The event loop: submit, wait, then process what has completed.
    fn serve(mut self) -> io::Result<()> {
        let mut scan = TimeoutScan::default();
        let stop = opcode::PollAdd::new(Fd(shutdown::event().as_raw_fd()), libc::POLLIN as u32);
        self.push(&stop.build().user_data(SHUTDOWN))?;
        while self.listener.is_open() || self.listener.is_in_flight() || !self.connections.is_empty() {
            if let Some(submission) = self.listener.submission(self.clock.last()) {
                self.push(&submission.user_data(LISTENER))?;
            }
            let check_soon = !self.listener.is_in_flight() || self.clock.last().draining;
            // A timeout below zero means "for ever": it is no `u64`.
            let timeout = u64::try_from(TimeoutScan::timeout(self.connections.len(), check_soon));
            self.proactor.wait(timeout.ok().map(Duration::from_millis))?; // New in 11
            self.clock.read();
            self.process_completions()?;
            self.accept_waiting()?;
            if scan.is_due(self.clock.last()) {
                self.check_deadlines()?;
            }
        }
        self.buffers.unregister(&self.proactor)
    }

    /// New in 11: processes what has completed; returns how much that was.
    fn process_completions(&mut self) -> io::Result<usize> {
        let mut completions = std::mem::take(&mut self.completions);
        self.proactor.take(&mut completions);
        let count = completions.len();
        for entry in completions.drain(..) {
            match entry.user_data() {
                LISTENER => self.accept(&entry)?,
                SHUTDOWN => self.stop()?,
                NO_HANDLER => {}
                user_data => self.handle_completion(user_data, &entry)?,
            }
        }
        // The memory is used again in the next round.
        self.completions = completions;
        Ok(count)
    }

    /// The kernel has accepted a connection: lets it receive whatever arrives on it.
    fn accept(&mut self, entry: &cqueue::Entry) -> io::Result<()> {
        match self.listener.complete(entry, self.clock.last()) {
            Some(socket) => self.open(socket),
            None => Ok(()),
        }
    }

    fn open(&mut self, socket: Socket) -> io::Result<()> {
        let token = self.connections.token_of(socket.number(self.proactor.features().direct));
        let mut connection = Connection::new(socket, token, self.sessions.open(self.clock.last()));
        connection.drive(&mut self.proactor, &mut self.clock)?;
        self.connections.insert(token, connection);
        Ok(())
    }

    // ANCHOR: handle-completion
    /// An operation has completed: lets its connection go on.
    fn handle_completion(&mut self, user_data: u64, entry: &cqueue::Entry) -> io::Result<()> {
        let Some((token, operation)) = Operation::of(user_data) else { return Ok(()) };
        let Some(connection) = self.connections.get_mut(token) else { return Ok(()) };
        // New in 11: bytes arrive in a buffer that the kernel has picked; with `--bundles` in several.
        let mut buffer = cqueue::buffer_select(entry.flags());
        let mut left = entry.result().max(0) as usize;
        loop {
            let bytes = buffer.map_or(&[][..], |id| self.buffers.get(id, left));
            let count = bytes.len();
            connection.complete(operation, entry, bytes, &mut self.proactor, self.clock.last())?;
            left -= count;
            buffer = buffer.and_then(|id| self.buffers.was_read(id, entry.flags(), left, count));
            if buffer.is_none() {
                break;
            }
        }
        connection.drive(&mut self.proactor, &mut self.clock)?;
        if connection.is_over() { self.remove(token) } else { Ok(()) }
    }
    // ANCHOR_END: handle-completion

    /// Closes the socket of a connection for which nothing is in flight any more.
    fn remove(&mut self, token: Token) -> io::Result<()> {
        let Some(connection) = self.connections.remove(token) else { return Ok(()) };
        self.listener.release();
        let close = connection.into_socket().close();
        self.push(&close.user_data(NO_HANDLER).flags(squeue::Flags::SKIP_SUCCESS))
    }

    /// Closes each connection whose deadline has passed. What its peer sent in time may not have been
    /// processed yet, when a job has held up the loop: so the time is read first, and then all completions
    /// are processed that came until then.
    fn check_deadlines(&mut self) -> io::Result<()> {
        let then = self.clock.read().clone();
        self.proactor.flush_completions()?;
        // A full queue may have left some with the kernel.
        while self.process_completions()? >= COMPLETIONS as usize {
            self.proactor.flush_completions()?;
        }
        for token in self.connections.tokens() {
            let Some(connection) = self.connections.get_mut(token) else { continue };
            connection.check_deadline(&then, &mut self.proactor, &mut self.clock)?;
            if connection.is_over() {
                self.remove(token)?;
            }
        }
        Ok(())
    }

    /// Begins the shutdown: no new connection begins, and the listener is closed once those that wait are
    /// accepted. From then on an idle connection counts as late.
    fn stop(&mut self) -> io::Result<()> {
        if self.listener.is_in_flight() {
            self.proactor.cancel(LISTENER)?;
        }
        self.listener.drain();
        self.accept_waiting()
    }

    /// While the server drains: takes the connections that the kernel had accepted before.
    fn accept_waiting(&mut self) -> io::Result<()> {
        while let Some(socket) = self.listener.accept_waiting(self.clock.last()) {
            self.open(socket)?;
        }
        Ok(())
    }

    /// Queues a submission that names no memory.
    fn push(&mut self, submission: &squeue::Entry) -> io::Result<()> {
        // SAFETY: accept, poll and close name descriptors alone.
        unsafe { self.proactor.push(submission) }
    }
}
