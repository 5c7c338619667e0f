//! What a thread that blocks in read(2) and write(2) needs beside them: the peer's deadline and the server's
//! end.
//!
//! An event loop looks at its deadlines when it wakes up. A thread that is asleep in a system call cannot, so
//! the kernel must wake it: SO_RCVTIMEO and SO_SNDTIMEO (socket(7)) let the call fail with `EAGAIN`.

use crate::clock::LoopContext;
use crate::session::Session;
use crate::socket::unacknowledged;
pub use crate::socket::would_block;
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use std::os::fd::BorrowedFd;
use std::thread::sleep;
use std::time::Duration;

/// While the server drains, how often a thread checks whether more has arrived.
const DRAIN_POLL: Duration = Duration::from_millis(10);

/// How often a thread that lingers checks whether the server drains (ms): no signal wakes it.
const LINGER_POLL_MS: u64 = 100;

/// The timeouts of a blocking socket, kept equal to its session's deadline.
#[derive(Debug)]
pub struct SocketTimeouts<'fd> {
    socket: BorrowedFd<'fd>,
    /// The value of SO_RCVTIMEO, in ms. It is set again only when the time that remains differs, so a request
    /// that arrives whole costs no call.
    receive_ms: u64,
    /// The value of SO_SNDTIMEO, in ms: half the time for which a peer may take nothing, since only a second
    /// timeout shows that it does not read.
    send_ms: u64,
    /// When the next call begins, in ms.
    began_ms: u64,
    /// How many bytes the kernel held when a send last ran into its timeout.
    held: Option<u64>,
}

impl<'fd> SocketTimeouts<'fd> {
    /// Sets both timeouts for a session that begins now.
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn new(socket: BorrowedFd<'fd>, session: &Session, now: &LoopContext) -> nix::Result<Self> {
        let mut timeouts = Self { socket, receive_ms: 0, send_ms: 0, began_ms: now.ms, held: None };
        timeouts.update(session, now)?;
        timeouts.send_ms = (timeouts.receive_ms / 2).max(1);
        setsockopt(&socket, sockopt::SendTimeout, &TimeVal::milliseconds(timeouts.send_ms as i64))?;
        Ok(timeouts)
    }

    /// To be called before a call that may block: lets read(2) fail with `EAGAIN` at the session's deadline.
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn update(&mut self, session: &Session, now: &LoopContext) -> nix::Result<()> {
        self.began_ms = now.ms;
        let Some(deadline) = session.deadline() else { return Ok(()) };
        let max = if session.is_lingering() { LINGER_POLL_MS } else { u64::MAX };
        // Zero would mean "for ever" (socket(7)).
        let left = deadline.saturating_sub(now.ms).clamp(1, max);
        if left != self.receive_ms {
            setsockopt(&self.socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(left as i64))?;
            self.receive_ms = left;
        }
        Ok(())
    }

    /// To be called with what a write returned. A write that runs into its timeout returns what it could
    /// copy, and the next one has the whole timeout again. Only the kernel knows whether the peer takes
    /// anything: if not, what it holds grows by exactly what we wrote.
    ///
    /// # Errors
    /// `ETIMEDOUT` when the peer has taken nothing for two timeouts.
    pub fn check_progress(&mut self, count: usize, now: &LoopContext) -> nix::Result<()> {
        if now.ms - self.began_ms < self.send_ms {
            return Ok(());
        }
        let holds = u64::from(unacknowledged(self.socket));
        if self.held.is_some_and(|held| holds >= held + count as u64) {
            return Err(Errno::ETIMEDOUT);
        }
        self.held = Some(holds);
        Ok(())
    }
}

/// Handles a read that returned 0: tells the session that its peer has shut its sending side.
///
/// While the server drains, 0 may also mean that [`crate::shutdown::ShutdownGuard`] has shut our receiving
/// side. Linux goes on queueing what arrives, so it then means what `EAGAIN` means to an event loop: the rest
/// of a body may still come, and the peer may still be fetching a large reply. The thread waits a little.
pub fn end_of_input(socket: BorrowedFd<'_>, session: &mut Session, now: &LoopContext) {
    if !now.draining {
        session.ended();
    } else if !would_block(socket, session, now) {
        if session.is_idle() {
            // It has just begun. An event loop would wait for its first request, but others wait for this
            // thread.
            session.ended();
        } else {
            sleep(DRAIN_POLL);
        }
    }
}
