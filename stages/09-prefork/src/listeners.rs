//! The listening sockets, of which the parent keeps duplicates: what waits in one whose child has died waits
//! for its successor.
//!
//! # Shutdown
//!
//! What the kernel had accepted before the signal is answered. The parent lets the sockets refuse new
//! connections *before* it signals the children, which accept until `EAGAIN` and only then close. The parent
//! closes its duplicate once the queue is empty. If a child is dead at that moment, or ends before it has
//! accepted what waits, a successor is started that does so. What remains:
//!
//! * a client whose handshake was under way when the socket began to refuse is reset (see [`refuse_new`]);
//! * a connection that still waits after [`DRAIN_SECONDS`](kit::shutdown::DRAIN_SECONDS) is reset, and a line
//!   on stderr says so: all children were busy for that long, or no process could be started;
//! * a client that has connected and sends its first request only after a tenth of a second is closed, as
//!   every connection between requests is.
//!
//! A child that alone gets SIGTERM closes at once: what waits is for the others, or for its successor.

use kit::listener::refuse_new;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::{AsFd, OwnedFd};

/// One for all children, or one for each.
#[derive(Debug)]
pub struct Listeners {
    /// None: closed, since the server stops and no connection waits.
    sockets: Vec<Option<OwnedFd>>,
}

impl Listeners {
    /// The duplicates of the parent.
    pub fn new(sockets: Vec<OwnedFd>) -> Self {
        Self { sockets: sockets.into_iter().map(Some).collect() }
    }

    /// In a child: takes the socket that the child in this slot accepts from.
    pub fn take(&mut self, slot: usize) -> Option<OwnedFd> {
        let count = self.sockets.len();
        self.sockets[slot % count].take()
    }

    /// Whether connections wait that the child in this slot would accept.
    pub fn has_waiting(&self, slot: usize) -> bool {
        self.sockets[slot % self.sockets.len()].as_ref().is_some_and(is_readable)
    }

    /// Lets no new connection begin.
    pub fn refuse_new(&self) {
        self.sockets.iter().flatten().for_each(|socket| refuse_new(socket.as_fd()));
    }

    /// After [`Listeners::refuse_new`]: closes those in which no connection waits. Returns whether all are
    /// closed.
    pub fn close_drained(&mut self) -> bool {
        for socket in &mut self.sockets {
            drop(socket.take_if(|socket| !is_readable(socket)));
        }
        self.sockets.iter().all(Option::is_none)
    }
}

fn is_readable(socket: &OwnedFd) -> bool {
    let mut poll_fd = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    poll(&mut poll_fd, PollTimeout::ZERO).is_ok_and(|count| count > 0)
}
