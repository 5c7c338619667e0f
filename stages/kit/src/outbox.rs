//! What waits to be sent on one connection.
//!
//! ```text
//!   bytes: [ already sent | head, reply, head, reply, head ]   then   body: pattern or file range
//!                         ^ sent
//! ```
//!
//! Bytes first, then at most one large body. While a body waits, or 64 KiB are queued, the protocol parses
//! no further ([`Outbox::is_full`]): 64 pipelined requests for 16 MiB each take no memory.
//!
//! An idle connection owns no buffer. The vector is lent by the thread when the first byte is appended and
//! goes back when the last byte is sent, so ten thousand idle connections cost nothing here and a request
//! allocates nothing.

use crate::journal::Journal;
use std::cell::RefCell;
use std::fmt::Debug;
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// From this many queued bytes on, the protocol stops parsing until they are sent.
pub const HIGH_WATER: usize = 64 * 1024;

/// A body at most this long is copied behind its head, so that pipelined replies leave in one write.
pub const SMALL_BODY: u64 = 4 * 1024;

/// So many vectors a thread keeps at most.
const SPARES: usize = 64;

/// One line of the filler that `/bytes/N` sends: 63 visible characters and a line feed.
const LINE: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-\n";

/// The filler. Byte `i` of every body is `LINE[i % 64]`, so a checker can tell a shifted byte.
static PATTERN: [u8; HIGH_WATER] = {
    let mut block = [0; HIGH_WATER];
    let mut i = 0;
    while i < block.len() {
        block[i] = LINE[i % LINE.len()];
        i += 1;
    }
    block
};

thread_local! {
    /// The vectors that this thread lends to the connections it is serving: mostly one, and more where replies of several
    /// connections wait to leave together.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A body too large to be copied.
#[derive(Debug)]
pub enum Body {
    /// The next `left` bytes of the filler, of which `offset` bytes have been sent.
    Pattern {
        /// Bytes sent so far.
        offset: u64,
        /// Bytes to send.
        left: u64,
    },
    /// A range of a file.
    File {
        /// The open file.
        file: Arc<File>,
        /// Where the next byte is.
        offset: u64,
        /// Bytes to send.
        left: u64,
    },
    /// A range of something that a stage sends in its own way.
    Source {
        /// What it is.
        source: Arc<dyn Source>,
        /// Where the next byte is.
        offset: u64,
        /// Bytes to send.
        left: u64,
    },
}

/// Bytes that a stage sends in its own way, in the place of a file.
pub trait Source: Debug + Send + Sync {
    /// Sends from `offset` on what the socket takes, `most` bytes at most. `Ok(0)` means that there are no more.
    ///
    /// # Errors
    /// What the system call says, `EAGAIN` when a non-blocking socket is full.
    fn send(&self, socket: BorrowedFd<'_>, offset: u64, most: usize) -> nix::Result<usize>;
}

/// What waits to be sent on one connection.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    body: Option<Body>,
    journal: Option<Box<Journal>>,
}

impl Outbox {
    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.body.is_none()
    }

    /// No more should be appended before something is sent.
    pub fn is_full(&self) -> bool {
        self.body.is_some() || self.bytes.len() - self.sent >= HIGH_WATER
    }

    /// How many bytes wait.
    pub fn waiting(&self) -> u64 {
        let body = match self.body {
            Some(Body::Pattern { left, .. } | Body::File { left, .. } | Body::Source { left, .. }) => left,
            None => 0,
        };
        (self.bytes.len() - self.sent) as u64 + body
    }

    /// Appends bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        debug_assert!(self.body.is_none(), "bytes would overtake a body");
        self.borrow_spare();
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends the first `length` bytes of the filler.
    pub fn pattern(&mut self, length: u64) {
        if length <= SMALL_BODY {
            self.extend(&PATTERN[..length as usize]);
        } else {
            debug_assert!(self.body.is_none(), "one body at a time");
            self.body = Some(Body::Pattern { offset: 0, left: length });
        }
    }

    /// Appends `length` bytes of a file, from `offset` on.
    pub fn file(&mut self, file: Arc<File>, offset: u64, length: u64) {
        debug_assert!(self.body.is_none(), "one body at a time");
        if length > 0 {
            self.body = Some(Body::File { file, offset, left: length });
        }
    }

    /// Appends `length` bytes of a stage's own source, from `offset` on.
    pub fn source(&mut self, source: Arc<dyn Source>, offset: u64, length: u64) {
        debug_assert!(self.body.is_none(), "one body at a time");
        if length > 0 {
            self.body = Some(Body::Source { source, offset, left: length });
        }
    }

    /// Notes what is asked and answered from now on.
    pub fn keep_journal(&mut self) {
        self.journal = Some(Box::default());
    }

    /// What was asked and answered, if somebody wants to know.
    pub fn journal(&mut self) -> Option<&mut Journal> {
        self.journal.as_deref_mut()
    }

    /// A reply with this status line is about to be appended.
    pub fn begin_reply(&mut self, status: &str) {
        if self.journal.is_some() {
            let waiting = self.waiting();
            self.journal().into_iter().for_each(|journal| journal.replies(status, waiting));
        }
    }

    /// The last reply was appended: what waits is about to be sent.
    pub fn end_reply(&mut self) {
        if self.journal.is_some() {
            let waiting = self.waiting();
            self.journal().into_iter().for_each(|journal| journal.end(waiting));
        }
    }

    /// The queued bytes, and the body behind them.
    pub fn parts(&self) -> (&[u8], Option<&Body>) {
        (&self.bytes[self.sent..], self.body.as_ref())
    }

    /// Notes that `count` bytes were sent: first of the queued bytes, then of the body.
    pub fn advance(&mut self, count: usize) {
        let queued = self.bytes.len() - self.sent;
        let of_bytes = count.min(queued);
        self.sent += of_bytes;
        if self.sent == self.bytes.len() {
            self.return_spare();
        }
        let of_body = (count - of_bytes) as u64;
        if let Some(
            Body::Pattern { offset, left }
            | Body::File { offset, left, .. }
            | Body::Source { offset, left, .. },
        ) = &mut self.body
        {
            *offset += of_body;
            *left -= of_body;
            if *left == 0 {
                self.body = None;
            }
        } else {
            debug_assert_eq!(of_body, 0, "more was sent than was there");
        }
    }

    /// The vector to append to, as [`std::io::Write`] for formatted text.
    pub fn writer(&mut self) -> &mut Vec<u8> {
        debug_assert!(self.body.is_none(), "bytes would overtake a body");
        self.borrow_spare();
        &mut self.bytes
    }

    fn borrow_spare(&mut self) {
        if self.bytes.capacity() == 0 {
            self.bytes = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        }
    }

    fn return_spare(&mut self) {
        self.bytes.clear();
        self.sent = 0;
        let bytes = std::mem::take(&mut self.bytes);
        // One that has grown large, for a body that was echoed, would be held for ever.
        if (1..=4 * HIGH_WATER).contains(&bytes.capacity()) {
            SPARE.with_borrow_mut(|spare| {
                if spare.len() < SPARES {
                    spare.push(bytes);
                }
            });
        }
    }
}

impl Body {
    /// The next bytes of the filler, at most 64 KiB; empty for a file.
    pub fn filler(&self) -> &'static [u8] {
        match self {
            Body::Pattern { offset, left } => {
                let from = (offset % LINE.len() as u64) as usize;
                let length = (*left).min((PATTERN.len() - from) as u64) as usize;
                &PATTERN[from..from + length]
            }
            Body::File { .. } | Body::Source { .. } => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends the outbox `step` bytes at a time; what a peer would receive.
    fn drain(out: &mut Outbox, step: usize) -> Vec<u8> {
        let mut received = Vec::new();
        while !out.is_empty() {
            let (bytes, body) = out.parts();
            let mut wire = bytes.to_vec();
            wire.extend_from_slice(body.map_or(&[], Body::filler));
            wire.truncate(step);
            received.extend_from_slice(&wire);
            out.advance(wire.len());
        }
        received
    }

    #[test]
    fn any_split_of_the_sending_gives_the_same_bytes() {
        for step in [1, 7, 63, 64, 65, 4096, 65_537, usize::MAX] {
            let mut out = Outbox::default();
            out.extend(b"head");
            out.pattern(200_000);
            let received = drain(&mut out, step);
            assert_eq!(received.len(), 200_004);
            assert!(received[4..].iter().enumerate().all(|(i, &byte)| byte == LINE[i % 64]), "step {step}");
        }
    }

    #[test]
    fn an_outbox_that_was_emptied_owns_no_memory() {
        let mut out = Outbox::default();
        out.extend(b"reply");
        drain(&mut out, usize::MAX);
        assert_eq!(out.bytes.capacity(), 0);
    }
}
