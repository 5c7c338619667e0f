//! A descriptor for the moment when there is none (muduo's Acceptor has the trick from libev's manual).
//!
//! When descriptors run out, `accept` fails and the peer stays where it is: connected, as far as it knows, and waiting. To
//! close a connection one must first accept it, and to accept it one needs a descriptor. So one is kept in reserve:
//!
//! ```text
//!   close the reserve -> accept succeeds -> close the connection ... -> open the reserve again
//! ```
//!
//! The peer learns that it is not served, and the backlog does not fill with peers that nobody will serve. But not at once:
//! a shortage may be over in a moment, when a loop sees that its own peers have gone.

use kit::listener::accept;
use nix::fcntl::{OFlag, open};
use nix::sys::socket::SockFlag;
use nix::sys::stat::Mode;
use nix::unistd::read;
use std::os::fd::{BorrowedFd, OwnedFd};

/// How many connections are shed at once, at most: the loop has more to do.
const MOST: usize = 1024;

/// A shortage that is shorter than this costs the peers a wait and nothing else (ms).
const GRACE_MS: u64 = 500;

/// A descriptor that stands for nothing but its number.
#[derive(Debug)]
pub struct Reserve {
    held: Option<OwnedFd>,
    /// Since when descriptors are missing.
    short_since: Option<u64>,
}

impl Reserve {
    /// Takes a descriptor into reserve.
    ///
    /// # Errors
    /// When there is none already.
    pub fn new() -> nix::Result<Self> {
        Ok(Self { held: Some(spare()?), short_since: None })
    }

    /// A connection was accepted: there are descriptors.
    pub fn is_not_needed(&mut self) {
        self.short_since = None;
    }

    /// Descriptors are missing at `now` (ms), while somebody waits. Whether it is time to [`Reserve::shed`].
    pub fn is_needed(&mut self, now: u64) -> bool {
        now >= *self.short_since.get_or_insert(now) + GRACE_MS
    }

    // ANCHOR: shed
    /// Accepts the connections that wait and closes them; how many. Only one thread may accept from `listener`.
    pub fn shed(&mut self, listener: BorrowedFd<'_>) -> usize {
        // Who comes next may wait again.
        self.short_since = None;
        self.held = None;
        let mut count = 0;
        while count < MOST {
            // Another thread may have taken the number for a file meanwhile: then accept fails, and the peer waits on.
            let Ok(socket) = accept(listener, SockFlag::SOCK_NONBLOCK) else { break };
            // A close with bytes unread is a reset (RFC 2525 §2.17). What has come is read, so that the peer sees an end.
            let _ = read(&socket, &mut [0; 4096]);
            count += 1;
        }
        // If this fails the next shedding finds no number to free, accepts nothing, and tries again here.
        self.held = spare().ok();
        count
    }
    // ANCHOR_END: shed
}

fn spare() -> nix::Result<OwnedFd> {
    open("/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
}
