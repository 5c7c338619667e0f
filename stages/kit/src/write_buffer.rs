//! Bytes that wait to be sent on one connection.
//!
//! ```text
//!   bytes: [ already sent | head, reply, head, reply, head ]   then   body: pattern or file range
//!                         ^ sent
//! ```
//!
//! Bytes first, then at most one large body. While a body waits, or 64 KiB are queued, the protocol parses
//! no further ([`WriteBuffer::is_full`]): 64 pipelined requests for 16 MiB each take no memory.
//!
//! An idle connection owns no buffer. It borrows a vector from its thread when the first byte is appended and
//! returns it when the last byte has been sent, so ten thousand idle connections cost nothing here and a
//! request allocates nothing.

use crate::clock::LoopContext;
use crate::protocol::observer::{Observed, Observer};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::sync::Arc;

/// From this many queued bytes on, the protocol stops parsing until they are sent.
pub const HIGH_WATER: usize = 64 * 1024;

/// A body at most this long is copied behind its head, so that pipelined replies leave in one write.
pub const SMALL_BODY: u64 = 4 * 1024;

/// A vector of more than this capacity is not kept: it has grown large for one body.
const MAX_SPARE: usize = 4 * HIGH_WATER;

/// A thread keeps spare vectors of at most this capacity together, in bytes, beside one of [`MAX_SPARE`]. The
/// bound is one of bytes, since a bound on their number lets memory grow with the largest reply that each of
/// them ever held.
const MAX_SPARE_BYTES: usize = 1024 * 1024;

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
    /// The vectors that this thread lends to the connections it is serving: mostly one, and more where
    /// replies of several connections wait to leave together.
    static SPARES: RefCell<Spares> = const { RefCell::new(Spares { vectors: Vec::new(), bytes: 0 }) };
    /// The one that was returned last, apart from the others: a thread that writes at once what it appends
    /// needs no other.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Empty vectors with capacity.
struct Spares {
    vectors: Vec<Vec<u8>>,
    /// Their capacity together.
    bytes: usize,
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
}

/// What waits to be sent on one connection.
#[derive(Debug, Default)]
pub struct WriteBuffer {
    bytes: Vec<u8>,
    sent: usize,
    body: Option<Body>,
    observed: Option<Box<Observed>>,
}

impl WriteBuffer {
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
            Some(Body::Pattern { left, .. } | Body::File { left, .. }) => left,
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

    /// Tells `observer` of each request and its reply from now on.
    pub(crate) fn observe(&mut self, observer: Box<dyn Observer>) {
        self.observed = Some(Box::new(Observed::new(observer)));
    }

    /// Whether there is an observer.
    #[inline]
    pub(crate) fn is_observed(&self) -> bool {
        self.observed.is_some()
    }

    /// A request's head is complete.
    pub(crate) fn begin_request(&mut self, method: &str, target: &str, now: &LoopContext) {
        self.tell(|observed, waiting| observed.request(method, target, waiting, now));
    }

    /// A reply with this status line is about to be appended.
    #[inline]
    pub(crate) fn begin_reply(&mut self, status: &'static str, now: &LoopContext) {
        if self.is_observed() {
            self.tell(|observed, waiting| observed.begin_reply(status, waiting, now));
        }
    }

    /// The last reply was appended: what waits is about to be sent.
    #[inline]
    pub(crate) fn end_reply(&mut self, now: &LoopContext) {
        if self.is_observed() {
            self.tell(|observed, waiting| observed.end_reply(waiting, now));
        }
    }

    /// Out of line, so that a server without an observer pays one test and no more.
    #[cold]
    fn tell(&mut self, what: impl FnOnce(&mut Observed, u64)) {
        let waiting = self.waiting();
        if let Some(observed) = &mut self.observed {
            what(observed, waiting);
        }
    }

    /// The queued bytes, and the body behind them.
    #[inline]
    pub fn parts(&self) -> (&[u8], Option<&Body>) {
        (&self.bytes[self.sent..], self.body.as_ref())
    }

    /// Notes that `count` bytes were sent: first of the queued bytes, then of the body.
    #[inline]
    pub fn advance(&mut self, count: usize) {
        // Most often that was all.
        if self.body.is_none() && self.sent + count == self.bytes.len() {
            self.return_spare();
        } else {
            self.advance_in_part(count);
        }
    }

    fn advance_in_part(&mut self, count: usize) {
        let queued = self.bytes.len() - self.sent;
        let of_bytes = count.min(queued);
        self.sent += of_bytes;
        if self.sent == self.bytes.len() {
            self.return_spare();
        }
        let of_body = (count - of_bytes) as u64;
        if let Some(Body::Pattern { offset, left } | Body::File { offset, left, .. }) = &mut self.body {
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
            self.bytes = spare();
        }
    }

    #[inline]
    fn return_spare(&mut self) {
        self.bytes.clear();
        self.sent = 0;
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.capacity() > MAX_SPARE {
            return;
        }
        let before = SPARE.replace(bytes);
        if before.capacity() != 0 {
            keep(before);
        }
    }
}

fn spare() -> Vec<u8> {
    let spare = SPARE.take();
    if spare.capacity() == 0 { another() } else { spare }
}

/// Another spare vector: replies of several connections wait at the same time.
#[cold]
fn another() -> Vec<u8> {
    SPARES.with_borrow_mut(Spares::take)
}

#[cold]
fn keep(vector: Vec<u8>) {
    SPARES.with_borrow_mut(|spares| spares.put(vector));
}

impl Spares {
    fn take(&mut self) -> Vec<u8> {
        let vector = self.vectors.pop().unwrap_or_default();
        self.bytes -= vector.capacity();
        vector
    }

    /// Keeps a vector, unless enough of them are kept.
    fn put(&mut self, vector: Vec<u8>) {
        let capacity = vector.capacity();
        if self.bytes + capacity <= MAX_SPARE_BYTES {
            self.bytes += capacity;
            self.vectors.push(vector);
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
            Body::File { .. } => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends the buffer `step` bytes at a time, and returns what a peer would receive.
    fn drain(out: &mut WriteBuffer, step: usize) -> Vec<u8> {
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
            let mut out = WriteBuffer::default();
            out.extend(b"head");
            out.pattern(200_000);
            let received = drain(&mut out, step);
            assert_eq!(received.len(), 200_004);
            assert!(received[4..].iter().enumerate().all(|(i, &byte)| byte == LINE[i % 64]), "step {step}");
        }
    }

    #[test]
    fn a_buffer_that_was_emptied_owns_no_memory() {
        let mut out = WriteBuffer::default();
        out.extend(b"reply");
        drain(&mut out, usize::MAX);
        assert_eq!(out.bytes.capacity(), 0);
    }

    /// Protects the memory of a server that has run for days: replies of all sizes at once must leave no more
    /// behind than the bound.
    #[test]
    fn what_a_thread_keeps_is_bounded_in_bytes() {
        let mut buffers: Vec<_> = (0..500).map(|_| WriteBuffer::default()).collect();
        for (i, out) in buffers.iter_mut().enumerate() {
            out.extend(&vec![b'x'; 1 + i * 1_000]);
        }
        for out in &mut buffers {
            drain(out, usize::MAX);
        }
        SPARES.with_borrow(|spares| {
            let kept: usize = spares.vectors.iter().map(Vec::capacity).sum();
            assert_eq!(kept, spares.bytes);
            assert!((1..=MAX_SPARE_BYTES).contains(&kept), "{kept} bytes");
        });
    }
}
