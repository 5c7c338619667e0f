//! A connection that several threads can reach.
//!
//! `EPOLLONESHOT` promises that one worker has a connection at a time, from the event to the re-arming. The lock
//! here is not what keeps that promise: it is held for single steps (read and parse; finish and send) and not
//! while work runs. So when the promise is broken with `--no-oneshot`, nothing is undefined: a second worker
//! simply reads the next request while the first one sleeps, and the replies leave in the wrong order.

use kit::clock::Now;
use kit::registry::Token;
use nonblocking_epoll::connection::{Connection, Turn};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel, Ordering::Relaxed};

/// A connection that several threads can reach.
pub struct Shared {
    connection: Mutex<Option<Connection>>,
    /// It waits in a queue.
    queued: AtomicBool,
    /// A worker has it in hand.
    held: AtomicBool,
    token: Token,
}

impl Shared {
    /// Shares a connection that epoll knows as `token`.
    pub fn new(connection: Connection, token: Token) -> Self {
        let (queued, held) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { connection: Mutex::new(Some(connection)), queued, held, token }
    }

    /// What epoll knows it as.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Marks it queued; false if it is already, and then a worker will look at it anyway. So a queue never holds more
    /// than there are connections.
    pub fn enqueue(&self) -> bool {
        !self.queued.swap(true, AcqRel)
    }

    /// The worker's side of [`Shared::enqueue`]: before it reads, never after. An event that found the mark still set came
    /// before this swap (AcqRel: this swap reads the value of that one), so the read that follows finds its bytes.
    pub fn dequeue(&self) {
        self.queued.swap(false, AcqRel);
    }

    /// Takes it in hand; false if another worker has it already.
    pub fn hold(&self) -> bool {
        // Relaxed: the flag guards no data, the lock does; and a swap always sees the latest value of the flag.
        !self.held.swap(true, Relaxed)
    }

    /// One step of the conversation, under the lock. [`Turn::Close`] if it is closed already.
    pub fn step(&self, step: impl FnOnce(&mut Connection) -> Turn) -> Turn {
        self.connection.lock().as_mut().map_or(Turn::Close, step)
    }

    /// Lets it go, then calls `arm`. Both under the lock: once it is armed another worker may have it at once, and
    /// the descriptor must still be this connection's when it is armed.
    pub fn release(&self, arm: impl FnOnce(&Connection) -> nix::Result<()>) -> nix::Result<()> {
        let connection = self.connection.lock();
        self.held.store(false, Relaxed);
        connection.as_ref().map_or(Ok(()), arm)
    }

    /// Closes it; false if somebody else has.
    pub fn close(&self) -> bool {
        // Out of the lock first: close(2) may take its time.
        let connection = self.connection.lock().take();
        self.held.store(false, Relaxed);
        connection.is_some()
    }

    /// Whether the peer's time is over.
    pub fn is_late(&self, now: &Now) -> bool {
        self.connection.lock().as_ref().is_some_and(|connection| connection.is_late(now))
    }

    /// Whether it is still open.
    pub fn is_open(&self) -> bool {
        self.connection.lock().is_some()
    }
}
