//! The protocols, without sockets ("sans-IO"): bytes go in, bytes come out.
//!
//! A protocol has no socket, no thread and no clock of its own. The stage reads bytes and hands them in
//! with the time; the replies are appended to an [`Outbox`]; what may block comes out as [`Work`]. So the
//! same protocol serves a blocking thread and an event loop, and it can be tested byte by byte.

pub mod echo;
pub mod file;
pub mod http;
pub mod work;

use crate::clock::Now;
use crate::outbox::Outbox;
use work::{Answer, Work};

/// What must happen before the protocol can go on.
#[derive(Debug)]
pub enum Step {
    /// It needs more input. Send what is in the outbox, then read.
    Read,
    /// It has more to say than the outbox should hold. Send everything, then call again with no input.
    Write,
    /// A job may block. Run it, and give its answer back with [`Protocol::finish`].
    Work(Work),
    /// The conversation is over. Send everything, then close. From here on each call says the same.
    Close,
}

/// Where a protocol stands in its conversation: it decides which deadline counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Between two requests.
    Idle,
    /// The head of a request has begun and is not complete.
    Head,
    /// The body of a request is being read.
    Body,
    /// The conversation is over; what still arrives is dropped.
    Closing,
}

/// A conversation with one peer.
pub trait Protocol: Send {
    /// Takes bytes from the front of `input` and appends replies to `out`.
    ///
    /// Returns how many bytes were taken and what must happen next. Bytes that were not taken are handed
    /// in again, with newer ones behind them. It takes all the requests that it can: it stops early only
    /// for [`Step::Write`], [`Step::Work`] and [`Step::Close`].
    fn receive(&mut self, input: &[u8], out: &mut Outbox, now: &Now) -> (usize, Step);

    /// Appends the reply to a request whose work is done. Then call [`Protocol::receive`] again, with no
    /// new input.
    fn finish(&mut self, answer: Answer, out: &mut Outbox, now: &Now);

    /// The peer was too slow: appends what there is to say about it (408) and ends the conversation.
    fn expire(&mut self, out: &mut Outbox, now: &Now);

    /// Where the conversation stands.
    fn phase(&self) -> Phase;

    /// Whether closing at once could destroy the last reply: the peer may still be sending, and unread
    /// bytes turn a close into a reset (RFC 9112 §9.6).
    fn must_linger(&self) -> bool;
}
