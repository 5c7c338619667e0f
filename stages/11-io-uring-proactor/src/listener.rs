//! The listening socket of a proactor: one request, and the kernel accepts from then on.

use io_uring::types::Fd;
use io_uring::{cqueue, opcode, squeue};
use kit::clock::Now;
use nix::libc;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::SockFlag;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::null_mut;

/// How long to wait before another try when descriptors or memory ran out.
const BACK_OFF_MS: u64 = 100;

/// A listening socket, and what was asked for it.
pub struct Listener {
    socket: Option<OwnedFd>,
    most: usize,
    /// The limit can be reached: then one connection is asked for at a time, since a multishot accept does not count.
    counts: bool,
    /// The kernel accepts for us.
    asked: bool,
    /// While paused: when to ask again (ms).
    paused_until: u64,
}

impl Listener {
    /// Nothing is asked for yet; `most` connections may be open at once.
    ///
    /// # Errors
    /// What getrlimit(2) says.
    pub fn new(socket: OwnedFd, most: usize) -> nix::Result<Self> {
        let counts = (most as u64) < getrlimit(Resource::RLIMIT_NOFILE)?.0;
        Ok(Self { socket: Some(socket), most, counts, asked: false, paused_until: 0 })
    }

    // ANCHOR: ask
    /// The request to accept, if it must be made: not while one is with the kernel, nor without room for a connection.
    pub fn ask(&mut self, open: usize, now: &Now) -> Option<squeue::Entry> {
        let socket = self.socket.as_ref()?;
        if self.asked || now.ms < self.paused_until || open >= self.most {
            return None;
        }
        self.asked = true;
        let (fd, flags) = (Fd(socket.as_raw_fd()), SockFlag::SOCK_CLOEXEC.bits());
        Some(match self.counts {
            true => opcode::Accept::new(fd, null_mut(), null_mut()).flags(flags).build(),
            false => opcode::AcceptMulti::new(fd).flags(flags).build(),
        })
    }
    // ANCHOR_END: ask

    /// The request was answered: a connection, if it is one.
    pub fn accepted(&mut self, entry: &cqueue::Entry, now: &Now) -> Option<OwnedFd> {
        self.asked = cqueue::more(entry.flags());
        if entry.result() < 0 {
            // Nobody waits any more, one connection was lost on the way, or there is no room.
            let shortage =
                [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM].contains(&-entry.result());
            self.paused_until = now.ms + if shortage { BACK_OFF_MS } else { 0 };
            return None;
        }
        // SAFETY: the kernel has just made this descriptor for us.
        Some(unsafe { OwnedFd::from_raw_fd(entry.result()) })
    }

    /// Whether the kernel accepts for us.
    pub fn is_asked(&self) -> bool {
        self.asked
    }

    /// Asks for nothing more. What was asked for is to be cancelled.
    pub fn close(&mut self) {
        self.socket = None;
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.socket.is_none()
    }
}
