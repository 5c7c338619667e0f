//! What a loop writes into the log: a line for each request, and at `debug` the coming and going of
//! connections.
//!
//! A session tells its [`Observer`] of each exchange. The lines of one turn of a connection are collected and
//! given to the log together, since giving costs a lock or a system call.

use crate::{Level, Log, begin};
use kit::clock::LoopContext;
use kit::protocol::observer::Observer;
use kit::session::Session;
use nix::sys::socket::{SockaddrIn, getpeername};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// From this many bytes on, lines are given to the log though the turn is not over: one peer may ask
/// thousands of times at once, and the log takes no more at a time than fits into one of its buffers.
const MAX_PENDING: usize = 64 * 1024;

/// An idle connection keeps at most this much memory for the target of its next request.
const MAX_KEPT: usize = 128;

/// One loop's lines on their way to the log.
#[derive(Clone, Debug)]
pub struct AccessLogBuffer {
    log: Arc<Log>,
    /// Locked, since a session may go from thread to thread. In a stage whose connections stay with their
    /// loop the lock is always free.
    lines: Arc<Mutex<Vec<u8>>>,
}

/// The peer of a connection, as its lines name it. None where no lines are written.
#[derive(Clone, Debug)]
pub struct Peer(Option<Arc<str>>);

/// Writes the lines of one connection.
#[derive(Debug)]
struct ConnectionObserver {
    buffer: AccessLogBuffer,
    peer: Arc<str>,
    /// Method and target of the request that waits for its reply.
    request: String,
}

impl AccessLogBuffer {
    /// Nothing to write yet.
    pub fn new(log: Arc<Log>) -> Self {
        Self { log, lines: Arc::default() }
    }

    /// A connection was opened. If requests are logged, its session is observed from now on.
    pub fn open(&self, socket: &impl AsFd, session: &mut Session, now: &LoopContext) -> Peer {
        let peer = self.log.takes(Level::Info).then(|| -> Arc<str> {
            // It may be gone already.
            let address = getpeername::<SockaddrIn>(socket.as_fd().as_raw_fd());
            address.map_or_else(|_| "-".into(), |address| address.to_string().into())
        });
        if let Some(peer) = &peer {
            let (buffer, peer) = (self.clone(), Arc::clone(peer));
            session.observe(Box::new(ConnectionObserver { buffer, peer, request: String::new() }));
        }
        let peer = Peer(peer);
        self.note(&peer, "opened", now);
        peer
    }

    /// A connection was closed.
    pub fn close(&self, peer: &Peer, now: &LoopContext) {
        self.note(peer, "closed", now);
    }

    /// After a turn of a connection: appends its lines to the log.
    pub fn flush(&self) {
        // Without a log no line was ever collected, and there is no lock to take.
        if self.log.takes(Level::Info) {
            self.give(&mut self.lines());
        }
    }

    fn give(&self, lines: &mut Vec<u8>) {
        if !lines.is_empty() {
            self.log.append(lines);
            lines.clear();
        }
    }

    fn lines(&self) -> MutexGuard<'_, Vec<u8>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, peer: &Peer, what: &str, now: &LoopContext) {
        let peer = peer.0.as_deref().unwrap_or("-");
        self.log.note(Level::Debug, &now.date, format_args!("{peer} {what}"));
    }
}

impl Observer for ConnectionObserver {
    fn request(&mut self, method: &str, target: &str) {
        self.request.clear();
        for part in [method, " ", target] {
            self.request.push_str(part);
        }
    }

    /// No peer can forge a line: the parts of a request have no control characters, or they would not be
    /// here. A head that could not be parsed is `- -`.
    fn reply(&mut self, status: &str, bytes: u64, now: &LoopContext) {
        let lines = &mut *self.buffer.lines();
        begin(lines, Level::Info, &now.date);
        let request = if self.request.is_empty() { "- -" } else { &self.request };
        for part in [&self.peer, " ", request, " ", status, " ", &bytes.to_string(), "\n"] {
            lines.extend_from_slice(part.as_bytes());
        }
        self.request.clear();
        self.request.shrink_to(MAX_KEPT);
        if lines.len() >= MAX_PENDING {
            self.buffer.give(lines);
        }
    }
}
