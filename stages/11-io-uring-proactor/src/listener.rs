//! The listening socket of a proactor: one request, and the kernel accepts from then on.
//!
//! That request does not count. Where the limit on connections can be reached, the kernel is asked to tell when somebody
//! waits; then a place is taken for him, and one connection asked for:
//!
//! ```text
//!   watch -- somebody waits --> take a place, accept -- a connection, or none: give the place back --> watch
//! ```
//!
//! A place that was taken before somebody came would be held by a thread to which the kernel may never deal anybody.

use io_uring::types::Fd;
use io_uring::{cqueue, opcode, squeue};
use kit::clock::Now;
use nix::libc;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::SockFlag;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How long to wait before another try when descriptors or memory ran out.
const BACK_OFF_MS: u64 = 100;

/// A listening socket, and what was asked for it.
pub struct Listener<'all> {
    socket: Option<OwnedFd>,
    most: usize,
    /// Places that are taken, in all threads. Relaxed: a count for a limit, which orders no other memory.
    taken: &'all AtomicUsize,
    /// More connections than `most` would find descriptors.
    limit_reachable: bool,
    /// With a limit: somebody waits.
    awaited: bool,
    /// The kernel is at it.
    asked: bool,
    /// While paused: when to ask again (ms).
    paused_until: u64,
}

impl<'all> Listener<'all> {
    /// Nothing is asked for yet; `most` connections may be open at once, and `taken` of them are.
    ///
    /// # Errors
    /// What getrlimit(2) says.
    pub fn new(socket: OwnedFd, most: usize, taken: &'all AtomicUsize) -> nix::Result<Self> {
        let limit_reachable = (most as u64) < getrlimit(Resource::RLIMIT_NOFILE)?.0;
        let socket = Some(socket);
        Ok(Self { socket, most, taken, limit_reachable, awaited: false, asked: false, paused_until: 0 })
    }

    // ANCHOR: ask
    /// The request to accept, if it must be made: not while one is with the kernel, nor without room for a connection.
    pub fn ask(&mut self, now: &Now) -> Option<squeue::Entry> {
        let fd = Fd(self.socket.as_ref()?.as_raw_fd());
        if self.asked || now.ms < self.paused_until {
            return None;
        }
        let flags = SockFlag::SOCK_CLOEXEC.bits();
        let request = match (self.limit_reachable, self.awaited) {
            (false, _) => opcode::AcceptMulti::new(fd).flags(flags).build(),
            (true, false) => opcode::PollAdd::new(fd, libc::POLLIN as u32).build(),
            (true, true) => {
                let room = |taken| (taken < self.most).then_some(taken + 1);
                self.taken.fetch_update(Relaxed, Relaxed, room).ok()?;
                opcode::Accept::new(fd, null_mut(), null_mut()).flags(flags).build()
            }
        };
        self.asked = true;
        Some(request)
    }
    // ANCHOR_END: ask

    /// The request was answered: a connection, if it is one. Its place is to be [left](Self::leave) when it ends.
    pub fn answered(&mut self, entry: &cqueue::Entry, now: &Now) -> Option<OwnedFd> {
        self.asked = cqueue::more(entry.flags());
        if self.limit_reachable && !self.awaited {
            self.awaited = entry.result() > 0;
            return None;
        }
        self.awaited = false;
        if !self.limit_reachable {
            self.taken.fetch_add(1, Relaxed);
        }
        if entry.result() < 0 {
            self.leave();
            // Nobody waits any more, one connection was lost on the way, or there is no room.
            let shortage =
                [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM].contains(&-entry.result());
            self.paused_until = now.ms + if shortage { BACK_OFF_MS } else { 0 };
            return None;
        }
        // SAFETY: the kernel has just made this descriptor for us.
        Some(unsafe { OwnedFd::from_raw_fd(entry.result()) })
    }

    /// A connection has ended: its place is free.
    pub fn leave(&self) {
        self.taken.fetch_sub(1, Relaxed);
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
