//! What a session wants to send, and what a loop learns of the peer while it sends it.

use crate::write_buffer::{Body, WriteBuffer};

/// Bytes to send, and a body behind them. They stay where they are until [`crate::session::Session::sent`] is
/// called.
#[derive(Debug)]
pub struct Output<'session> {
    pub(crate) buffer: &'session WriteBuffer,
    pub(crate) peer: &'session mut Peer,
    /// The connection closes behind it.
    pub(crate) last: bool,
    /// The deadline has passed: unless the peer has taken something, nothing more is written.
    pub(crate) late: bool,
}

/// What is known of the other side.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    /// It has shut its sending side.
    pub(crate) ended: bool,
    /// Some of its bytes were unread in the socket when the last reply left.
    pub(crate) has_unread: bool,
    /// Bytes that the kernel would hold for it if it had taken none since the socket was last full.
    unacknowledged: u64,
    /// The kernel has held fewer since its deadline was extended: the peer reads, if slowly.
    pub(crate) reads: bool,
}

impl Output<'_> {
    /// The same output, for one try to write it: [`Output::write_to`] takes what it is given.
    pub fn reborrow(&mut self) -> Output<'_> {
        Output { buffer: self.buffer, peer: self.peer, last: self.last, late: self.late }
    }

    /// The bytes that come first.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.buffer.parts().0
    }

    /// The body behind them.
    #[inline]
    pub fn body(&self) -> Option<&Body> {
        self.buffer.parts().1
    }

    /// Whether `count` bytes are all of it and the connection closes behind them. Then the session wants to
    /// know whether the socket has unread bytes: see [`Output::unread`].
    pub fn ends_with(&self, count: usize) -> bool {
        self.last && count as u64 == self.buffer.waiting()
    }

    /// Bytes of the peer are in the socket, and will not be read.
    pub fn unread(&mut self) {
        self.peer.has_unread = true;
    }

    /// See [`crate::session::Session::unacknowledged`].
    pub fn unacknowledged(&mut self, count: u32) {
        self.peer.unacknowledged(count);
    }
}

impl Peer {
    /// The kernel holds `count` bytes that the peer has not acknowledged.
    pub(crate) fn unacknowledged(&mut self, count: u32) {
        let count = u64::from(count);
        self.reads |= count < self.unacknowledged;
        self.unacknowledged = count;
    }

    /// The kernel holds `count` bytes more, of an output of which some are left.
    pub(crate) fn sent(&mut self, count: usize) {
        self.unacknowledged += count as u64;
    }
}
