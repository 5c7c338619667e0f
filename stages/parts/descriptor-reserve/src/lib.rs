//! A descriptor for the moment when there is none (muduo's Acceptor has the trick from libev's manual).
//!
//! When descriptors run out, `accept` fails and the peer stays where it is: connected, as far as it knows,
//! and waiting. To close a connection one must first accept it, and to accept it one needs a descriptor. So
//! one is kept in reserve:
//!
//! ```text
//!   close the reserve -> accept succeeds -> close the connection ... -> open the reserve again
//! ```
//!
//! The peer learns that it is not served, and the backlog does not fill with peers that the server cannot
//! serve. But not at once: a shortage may be over in a moment, when a loop sees that its own peers have gone.

use kit::error::failed;
use kit::listener::accept;
use nix::fcntl::{OFlag, open};
use nix::sys::socket::SockFlag;
use nix::sys::stat::Mode;
use nix::unistd::read;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// How many connections are shed at once, at most: the loop has more to do.
const MAX_SHED: usize = 1024;

/// A shortage that is shorter than this costs the peers a wait and nothing else (ms).
pub const GRACE_MS: u64 = 500;

/// A descriptor that stands for nothing but its number.
#[derive(Debug)]
pub struct Reserve {
    held: Option<OwnedFd>,
    /// Since when descriptors are missing.
    exhausted_since: Option<u64>,
}

impl Reserve {
    /// Takes a descriptor into reserve.
    ///
    /// # Errors
    /// What open(2) says about `/dev/null`: that descriptors have run out already.
    pub fn new() -> io::Result<Self> {
        let held = spare().map_err(failed("open of /dev/null"))?;
        Ok(Self { held: Some(held), exhausted_since: None })
    }

    /// A connection was accepted: there are descriptors.
    pub fn accepted(&mut self) {
        self.exhausted_since = None;
    }

    // ANCHOR: shed
    /// Descriptors are missing at `now` (ms) while connections wait. If that has lasted for [`GRACE_MS`],
    /// accepts them and closes them, and returns how many. Only one thread may accept from `listener`.
    pub fn shed(&mut self, listener: BorrowedFd<'_>, now: u64) -> Option<usize> {
        if now < *self.exhausted_since.get_or_insert(now) + GRACE_MS {
            return None;
        }
        // The peers that come next may wait again.
        self.exhausted_since = None;
        self.held = None;
        let mut count = 0;
        while count < MAX_SHED {
            // Another thread may have taken the number for a file meanwhile: then accept fails, and the peer
            // waits on.
            let Ok(socket) = accept(listener, SockFlag::SOCK_NONBLOCK) else { break };
            // A close with bytes unread is a reset (RFC 2525 §2.17). What has come is read, so that the peer
            // sees an end.
            let _ = read(&socket, &mut [0; 4096]);
            count += 1;
        }
        // If this fails the next shedding finds no number to free, accepts nothing, and tries again here.
        self.held = spare().ok();
        Some(count)
    }
    // ANCHOR_END: shed
}

fn spare() -> nix::Result<OwnedFd> {
    open("/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
}
