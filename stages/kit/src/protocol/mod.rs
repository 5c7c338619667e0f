//! The protocols, without sockets ("sans-IO"): bytes go in, bytes come out.
//!
//! A protocol has no socket, no thread and no clock of its own. The session hands it the bytes that arrived
//! and the time; it appends replies to a [`WriteBuffer`]; what may block comes out as [`Work`]. So the same
//! protocol serves a blocking thread and an event loop, and it can be tested byte by byte.

pub mod echo;
pub mod file;
pub mod http;
pub mod observer;
pub mod work;

use crate::clock::LoopContext;
use crate::write_buffer::WriteBuffer;
use work::{Answer, Work};

/// Where a protocol stands in its conversation: it decides which deadline counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Between two requests.
    Idle,
    /// The head of a request has begun and is not complete.
    Head,
    /// The body of a request is being read.
    Body,
    /// The conversation is over, once what was appended has been sent; what still arrives is dropped.
    Closing,
    /// Another protocol goes on with the socket, once what was appended has been sent; what still arrives is
    /// its own.
    TakenOver,
}

/// A conversation with one peer.
pub trait Protocol: Send {
    /// Takes bytes from the front of `input` and appends replies to `out`.
    ///
    /// Returns how many bytes were taken, and a job if one must be run before the next reply. Bytes that were
    /// not taken are handed in again, with newer ones behind them. It takes all the requests that it can: it
    /// stops early only when [`WriteBuffer::is_full`], for a job, and when the conversation is over. After a
    /// job, call [`Protocol::finish`]; after the other two, send everything.
    fn receive(
        &mut self,
        input: &[u8],
        out: &mut WriteBuffer,
        now: &LoopContext,
    ) -> (usize, Option<Box<Work>>);

    /// Appends the reply to a request whose work is done. Then call [`Protocol::receive`] again, with the
    /// input that is left.
    fn finish(&mut self, answer: Answer, out: &mut WriteBuffer, now: &LoopContext);

    /// The peer was too slow: appends what there is to say about it (408) and ends the conversation.
    fn expire(&mut self, out: &mut WriteBuffer, now: &LoopContext);

    /// Where the conversation stands.
    fn phase(&self) -> Phase;

    /// Whether closing at once could destroy the last reply: the peer may still be sending, and unread
    /// bytes turn a close into a reset (RFC 9112 §9.6).
    fn must_linger(&self) -> bool;
}
