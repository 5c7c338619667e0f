//! A connection that several threads can reach.
//!
//! `EPOLLONESHOT` promises that one worker has a connection at a time, from the event to the re-arming. The
//! lock here is not what keeps that promise: it is held for single steps (read and parse; finish and send)
//! and not while work runs. So when the promise is broken with `--no-oneshot`, nothing is undefined: a second
//! worker simply reads the next request while the first one sleeps, and the replies leave in the wrong order.

use kit::clock::LoopContext;
use kit::connection_table::Token;
use nonblocking_epoll::connection::{Connection, Turn};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel, Ordering::Relaxed};

/// A connection that several threads can reach.
pub struct SharedConnection {
    connection: Mutex<Option<Connection>>,
    /// It waits in a queue.
    queued: AtomicBool,
    /// A worker has acquired it.
    held: AtomicBool,
    token: Token,
}

impl SharedConnection {
    /// Shares a connection that epoll knows as `token`.
    pub fn new(connection: Connection, token: Token) -> Self {
        let (queued, held) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { connection: Mutex::new(Some(connection)), queued, held, token }
    }

    /// The token under which epoll knows it.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Marks the connection as queued. Returns false if it is queued already: a worker will serve it anyway.
    /// So a queue never holds more items than there are connections.
    pub fn enqueue(&self) -> bool {
        !self.queued.swap(true, AcqRel)
    }

    /// The worker's side of [`SharedConnection::enqueue`], called before it reads and never after. An event
    /// that found the mark still set came before this swap (AcqRel: this swap reads the value of that one),
    /// so the read that follows finds its bytes.
    pub fn dequeue(&self) {
        self.queued.swap(false, AcqRel);
    }

    /// Acquires the connection for a turn. Returns false if another worker has it.
    pub fn try_acquire(&self) -> bool {
        // Relaxed: the flag guards no data, the lock does; and a swap always sees the latest value of the
        // flag.
        !self.held.swap(true, Relaxed)
    }

    /// Runs one step of the conversation under the lock. Returns [`Turn::Close`] if the connection is closed
    /// already.
    pub fn step(&self, step: impl FnOnce(&mut Connection) -> Turn) -> Turn {
        self.connection.lock().as_mut().map_or(Turn::Close, step)
    }

    /// Releases the connection, then calls `arm`, both under the lock: once the descriptor is armed another
    /// worker may acquire the connection at once, and the descriptor must still belong to this connection
    /// when it is armed.
    pub fn rearm(&self, arm: impl FnOnce(&Connection) -> nix::Result<()>) -> nix::Result<()> {
        let connection = self.connection.lock();
        self.held.store(false, Relaxed);
        connection.as_ref().map_or(Ok(()), arm)
    }

    /// Closes the connection. Returns false if another thread has closed it.
    pub fn close(&self) -> bool {
        // It is taken out under the lock and closed after it, since close(2) may take long.
        let connection = self.connection.lock().take();
        self.held.store(false, Relaxed);
        connection.is_some()
    }

    /// Whether the deadline has passed.
    pub fn is_late(&self, now: &LoopContext) -> bool {
        self.connection.lock().as_ref().is_some_and(|connection| connection.is_late(now))
    }
}
