//! How a callback or a task ends its connection, and how long the connection may be silent.

use super::Connection;
use crate::link::Phase;
use crate::protocol::Reason;
use nix::sys::socket::{Shutdown, shutdown};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

/// How long a peer may take nothing of what is sent before a close, if connections may else be silent for
/// ever (ms).
const MAX_CLOSING_MS: u64 = 60_000;

/// Its end, and its time.
impl Connection<'_> {
    /// Closes the connection once everything that was queued has been sent, and lets the peer fetch it.
    pub fn close(&mut self) {
        if self.link.phase == Phase::Open {
            self.link.phase = Phase::Closing;
            // A peer that does not fetch the rest must not hold the connection for ever.
            let idle = self.server.settings().idle_timeout.as_millis() as u64;
            self.link.timeout_ms = if idle > 0 { idle } else { MAX_CLOSING_MS };
            self.touch();
        }
    }

    /// Shuts our sending side at once, and tells the hooks: the peer sees the end of what was sent, and what
    /// it still sends can be read.
    pub fn shutdown_write(&mut self) {
        if let Some(hooks) = &mut self.link.hooks {
            hooks.end(self.link.socket.as_fd());
        }
        let _ = shutdown(self.link.socket.as_raw_fd(), Shutdown::Write);
    }

    /// Closes the connection at once; what is queued is lost.
    pub fn close_now(&mut self) {
        self.link.ending.get_or_insert(Reason::Closed);
    }

    /// Gives the connection up at once, for a reason that `on_close` is told.
    pub fn drop_because(&mut self, reason: &'static str) {
        self.link.ending.get_or_insert(Reason::Dropped(reason));
    }

    /// Takes the socket away from the server: `then` gets it once everything that was queued has been sent,
    /// non-blocking, on the thread of the loop. Callbacks are not called any more, `on_close` included.
    pub fn hijack(&mut self, then: impl FnOnce(OwnedFd) + Send + 'static) {
        if self.link.phase == Phase::Open {
            self.link.phase = Phase::Closing;
            self.link.hijack = Some(Box::new(then));
        }
    }

    /// The connection's time of silence begins anew.
    pub fn touch(&mut self) {
        self.link.touch(self.clock.now().ms);
    }

    /// How long the connection may be silent from now on; zero for ever. Whole milliseconds.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.link.timeout_ms = timeout.as_millis() as u64;
        self.link.deadline = None;
        self.touch();
    }

    /// For a protocol that keeps its deadlines itself: it is pinged at `at` (ms of [`Connection::now`]), and
    /// events change nothing.
    pub fn set_deadline(&mut self, at: Option<u64>) {
        (self.link.timeout_ms, self.link.deadline) = (0, at);
    }
}
