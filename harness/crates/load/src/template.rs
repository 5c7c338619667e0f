//! The short cut for a reply that repeats the one before.
//!
//! A server under load sends the same bytes again and again; the date alone changes, once a second. So the
//! last right reply is kept, and a reply with the same bytes around the date needs no parsing. The short cut
//! is exact: a date of printable characters cannot move the end of its line, so such a reply would be parsed
//! into the same head and the same body.

use std::ops::Range;

/// A longer reply is not kept: comparing it costs as much as checking its body.
const MAX_LENGTH: usize = 8 * 1024;

/// The last right reply, head and body.
#[derive(Debug, Default)]
pub(super) struct Template {
    bytes: Vec<u8>,
    date: Range<usize>,
    /// Whether the connection stays open after it.
    pub(super) keeps: bool,
}

impl Template {
    /// Keeps a right reply. `date` is where its Date stands; an empty range if there is none.
    pub(super) fn learn(&mut self, reply: &[u8], date: Range<usize>, keeps: bool) {
        self.bytes.clear();
        if reply.len() <= MAX_LENGTH {
            self.bytes.extend_from_slice(reply);
            (self.date, self.keeps) = (date, keeps);
        }
    }

    /// The length of the reply that `input` begins with, if it repeats the one that was kept.
    pub(super) fn matches(&self, input: &[u8]) -> Option<usize> {
        let Range { start, end } = self.date;
        let reply = input.get(..self.bytes.len()).filter(|reply| !reply.is_empty())?;
        let same = reply[..start] == self.bytes[..start]
            && reply[end..] == self.bytes[end..]
            && reply[start..end].iter().all(|byte| (b' '..=b'~').contains(byte));
        same.then_some(reply.len())
    }
}
