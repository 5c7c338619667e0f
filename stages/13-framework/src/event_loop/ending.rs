//! How a connection of a loop ends, and how the loop does.

use super::{EventLoop, LINGER_MS};
use crate::counters::subtract;
use crate::handle::ConnectionId;
use crate::link::{Link, Phase};
use crate::protocol::Reason;
use kit::connection_table::Token;
use kit::socket::{has_unread, unacknowledged};
use nix::errno::Errno;
use nix::sys::socket::{Shutdown, shutdown};
use nix::unistd::read;
use std::os::fd::{AsFd, AsRawFd};

impl EventLoop {
    /// Everything was sent that was queued before the close.
    pub(super) fn finish_closing(&mut self, token: Token) {
        let Some(link) = self.links.get_mut(token) else { return };
        if let Some(then) = link.hijack.take() {
            let _ = self.epoll.delete(&*link);
            if let Some(link) = self.take(token) {
                then(link.socket);
            }
            return;
        }
        if let Some(hooks) = &mut link.hooks {
            hooks.end(link.socket.as_fd());
        }
        // A close with bytes unread, or before bytes that are still to come, is a reset, and a reset destroys
        // what the peer has not fetched.
        if link.ended && !has_unread(link.as_fd())
            || shutdown(link.socket.as_raw_fd(), Shutdown::Write).is_err()
        {
            return self.remove(token, &Reason::Closed);
        }
        link.phase = Phase::Lingering;
        (link.timeout_ms, link.deadline) = (0, Some(self.clock.now().ms + LINGER_MS));
        self.linger(token);
    }

    /// Drops what arrives, until the peer has ended too.
    pub(super) fn linger(&mut self, token: Token) {
        let Some(link) = self.links.get_mut(token) else { return };
        match read(&link.socket, &mut self.buffer) {
            Ok(1..) | Err(Errno::EINTR) => self.update(token),
            // Our end counts as a byte, the last one. While the server drains, it need not be acknowledged.
            Err(Errno::EAGAIN) if !self.clock.has_stopped() || unacknowledged(link.as_fd()) > 1 => {
                self.update(token);
            }
            _ => self.remove(token, &Reason::Closed),
        }
    }

    /// A connection is over.
    pub(super) fn remove(&mut self, token: Token, reason: &Reason) {
        let Some(mut link) = self.take(token) else { return };
        if link.attached {
            // Closing the descriptor takes it out of epoll only if it has no duplicate.
            let _ = self.epoll.delete(&link);
        }
        if let (Reason::Closed, Phase::Open, Some(hooks)) = (reason, link.phase, &mut link.hooks) {
            hooks.end(link.socket.as_fd());
        }
        if let Some(protocol) = &mut link.protocol {
            protocol.on_close(&self.server, ConnectionId { worker: self.index, token }, reason);
        }
    }

    /// Takes a connection out of everything but epoll.
    pub(super) fn take(&mut self, token: Token) -> Option<Link> {
        let mut link = self.links.remove(token)?;
        if link.timer.is_some() {
            subtract(&self.state.counters.deadlines, 1);
        }
        self.deadlines.cancel(link.timer.take());
        self.state.recount(Some(link.service), None);
        self.server.closed(&self.state);
        Some(link)
    }

    /// The server stops: tells every connection.
    pub(crate) fn stop(&mut self) {
        self.clock.stop();
        for token in self.links.tokens() {
            match self.links.get_mut(token).map(|link| link.phase) {
                Some(Phase::Open) => {
                    self.visit(token, |protocol, connection| protocol.on_shutdown(connection));
                    self.settle(token);
                }
                Some(Phase::Lingering) => self.linger(token),
                _ => {}
            }
        }
    }

    /// No connection will come after those that were queued before.
    pub(crate) fn finish(&mut self) {
        self.finishing = true;
    }
}
