//! The listening socket of a proactor: one submission, and the kernel accepts from then on.
//!
//! A multishot accept cannot enforce a connection limit. Where `--max-connections` can be reached, the kernel
//! is asked to report when a connection waits; then a permit is taken, and one connection is accepted:
//!
//! ```text
//!   poll -- a connection waits --> take a permit, accept -- none: release the permit --> poll
//! ```
//!
//! The permit is taken no earlier: it could be held by a thread to which the kernel never deals a connection.

use crate::direct::Socket;
use crate::features::Features;
use io_uring::types::{DestinationSlot, Fd};
use io_uring::{cqueue, opcode, squeue};
use kit::clock::LoopContext;
use kit::listener::{accept, refuse_new};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::SockFlag;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How long to wait before another try when descriptors or memory ran out.
const BACK_OFF_MS: u64 = 100;

/// A listening socket, and what was submitted for it.
pub struct Listener<'all> {
    socket: Option<OwnedFd>,
    max: usize,
    /// Permits that are taken, in all threads. Relaxed: a count for a limit, which orders no other memory.
    permits: &'all AtomicUsize,
    /// More connections than `max` would find descriptors.
    limit_reachable: bool,
    /// The kernel accepts one connection for each submission.
    once: bool,
    /// The kernel puts connections into slots of the ring.
    direct: bool,
    /// With a limit: a connection waits.
    readable: bool,
    in_flight: bool,
    /// The server must stop: nothing more is submitted.
    draining: bool,
    /// While paused: when to try again (ms).
    paused_until: u64,
}

impl<'all> Listener<'all> {
    /// Accepts from a blocking socket (io_uring would fail with `EAGAIN` on another) while fewer than `max`
    /// of the `permits` are taken.
    ///
    /// # Errors
    /// What getrlimit(2) says.
    pub fn new(
        socket: OwnedFd,
        max: usize,
        permits: &'all AtomicUsize,
        features: Features,
    ) -> nix::Result<Self> {
        let Features { accept_once: once, direct, .. } = features;
        let limit_reachable = (max as u64) < getrlimit(Resource::RLIMIT_NOFILE)?.0;
        let (readable, in_flight, draining) = (false, false, false);
        let socket = Some(socket);
        Ok(Self {
            socket,
            max,
            permits,
            limit_reachable,
            once,
            direct,
            readable,
            in_flight,
            draining,
            paused_until: 0,
        })
    }

    // ANCHOR: submission
    /// What must be submitted now, if anything: nothing while a submission is in flight, or without room for
    /// a connection.
    pub fn submission(&mut self, now: &LoopContext) -> Option<squeue::Entry> {
        let fd = Fd(self.socket.as_ref()?.as_raw_fd());
        if self.in_flight || self.draining || now.ms < self.paused_until {
            return None;
        }
        // A slot is closed with its ring, so it knows no CLOEXEC.
        let flags = if self.direct { 0 } else { SockFlag::SOCK_CLOEXEC.bits() };
        let accept = || {
            let slot = self.direct.then(DestinationSlot::auto_target);
            opcode::Accept::new(fd, null_mut(), null_mut()).flags(flags).file_index(slot).build()
        };
        let submission = match (self.limit_reachable, self.readable) {
            (false, _) if self.once => accept(),
            (false, _) => opcode::AcceptMulti::new(fd).flags(flags).allocate_file_index(self.direct).build(),
            (true, false) => opcode::PollAdd::new(fd, libc::POLLIN as u32).build(),
            (true, true) => {
                self.try_acquire()?;
                accept()
            }
        };
        self.in_flight = true;
        Some(submission)
    }
    // ANCHOR_END: submission

    /// A completion has come: returns the connection that it brought, if any. Its permit must be
    /// [released](Self::release) when it ends.
    pub fn complete(&mut self, entry: &cqueue::Entry, now: &LoopContext) -> Option<Socket> {
        self.in_flight = cqueue::more(entry.flags());
        if self.limit_reachable && !self.readable {
            self.readable = entry.result() > 0;
            return None;
        }
        self.readable = false;
        if !self.limit_reachable {
            self.permits.fetch_add(1, Relaxed);
        }
        if entry.result() < 0 {
            self.failed(Errno::from_raw(-entry.result()), now);
            return None;
        }
        // SAFETY: the kernel has just made this descriptor, or filled this slot, for us.
        Some(unsafe { Socket::accepted(entry.result(), self.direct) })
    }

    /// The server must stop: no new connection begins, and [`Listener::accept_waiting`] accepts those that
    /// the kernel had accepted before. What is in flight must be cancelled.
    pub fn drain(&mut self) {
        self.draining = true;
        if let Some(socket) = &self.socket {
            refuse_new(socket.as_fd());
            // Else the last accept4(2) would wait. It fails only for a descriptor that is not open.
            let _ = fcntl(socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        }
    }

    /// While the server drains: the next connection, or `None` when there is no room, or none waits: then the
    /// socket is closed.
    pub fn accept_waiting(&mut self, now: &LoopContext) -> Option<Socket> {
        let waits = self.draining && now.ms >= self.paused_until;
        let socket = self.socket.as_ref().filter(|_| waits)?;
        self.try_acquire()?;
        match accept(socket.as_fd(), SockFlag::empty()) {
            Ok(socket) => Some(Socket::Descriptor(socket)),
            Err(error) => {
                if error == Errno::EAGAIN {
                    self.socket = None;
                }
                self.failed(error, now);
                None
            }
        }
    }

    fn try_acquire(&self) -> Option<()> {
        // While the server drains, a connection that is open must not keep out those that wait.
        let acquire = |taken| (taken < self.max || self.draining).then_some(taken + 1);
        self.permits.fetch_update(Relaxed, Relaxed, acquire).ok().map(drop)
    }

    /// No connection waits any more, one was lost on the way, or descriptors or memory ran out.
    fn failed(&mut self, error: Errno, now: &LoopContext) {
        self.release();
        let is_exhausted = matches!(error, Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM);
        self.paused_until = now.ms + if is_exhausted { BACK_OFF_MS } else { 0 };
    }

    /// A connection has ended: releases its permit.
    pub fn release(&self) {
        self.permits.fetch_sub(1, Relaxed);
    }

    /// Whether a completion will come.
    pub fn is_in_flight(&self) -> bool {
        self.in_flight
    }

    /// Whether connections may still come.
    pub fn is_open(&self) -> bool {
        self.socket.is_some()
    }
}
