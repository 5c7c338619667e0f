//! One connection's conversation: its protocol, its leftovers, its output and its deadline.
//!
//! A stage reads into one buffer of its own and hands the bytes to [`Session::feed`]; they are parsed in
//! place, and only what the protocol could not take yet is copied into the session. Then the stage does what
//! the returned [`Step`] says. That is all a stage needs to know of a protocol:
//!
//! | step | the stage |
//! |---|---|
//! | `Read` | sends the outbox, then waits for bytes |
//! | `Write` | sends the outbox; when it is empty, feeds nothing |
//! | `Work` | runs it; then [`Session::finish`] |
//! | `Close` | sends the outbox; then, if [`Session::linger`], shuts its sending side and reads on; else closes |

use crate::clock::Now;
use crate::flush::{Flushed, flush};
use crate::journal::Journal;
use crate::outbox::{Body, Outbox};
use crate::protocol::work::{Answer, Work};
use crate::protocol::{Phase, Protocol, Step};
use std::os::fd::BorrowedFd;

/// A lingering close drops at most this much; who sends more is reset.
const LINGER_BYTES: usize = 64 * 1024 * 1024;
/// A lingering close takes at most this long.
const LINGER_MS: u64 = 2_000;

/// How long a peer may take, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Between requests, between two pieces of a body, and for taking some of a reply.
    pub idle_ms: u32,
    /// From the first byte of a head to its end.
    pub header_ms: u32,
}

/// One connection's conversation.
pub struct Session {
    protocol: Box<dyn Protocol>,
    inbox: Inbox,
    outbox: Outbox,
    /// A slow job that waits until the replies before it have left.
    held: Option<Box<Work>>,
    timeouts: Timeouts,
    deadline_ms: u64,
    /// Jobs handed out and not yet finished. More than one only in stage 06's race.
    working: u32,
    /// The peer has shut its sending side.
    ended: bool,
    closing: Closing,
}

/// How far the closing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    No,
    /// Our side is shut; this many bytes were dropped.
    Lingering(usize),
    /// Nothing more is to be sent or read.
    Now,
}

/// Bytes that arrived and could not be taken yet.
#[derive(Default)]
struct Inbox {
    bytes: Vec<u8>,
    taken: usize,
}

impl Session {
    /// A conversation that begins now.
    pub fn new(protocol: Box<dyn Protocol>, timeouts: Timeouts, now: &Now) -> Self {
        Self {
            protocol,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            held: None,
            timeouts,
            deadline_ms: now.ms + u64::from(timeouts.idle_ms),
            working: 0,
            ended: false,
            closing: Closing::No,
        }
    }

    /// Takes bytes that arrived (none, to go on after a flush) and says what to do next.
    pub fn feed(&mut self, input: &[u8], now: &Now) -> Step {
        match &mut self.closing {
            Closing::No => {}
            Closing::Now => return Step::Close,
            Closing::Lingering(dropped) => {
                *dropped += input.len();
                let over = self.ended || *dropped > LINGER_BYTES;
                return if over { Step::Close } else { Step::Read };
            }
        }
        if self.held.is_some() {
            self.inbox.put(input);
            return self.release();
        }
        let began_before = !self.inbox.is_empty();
        let (taken, step) = if began_before {
            self.inbox.put(input);
            let (taken, step) = self.protocol.receive(self.inbox.rest(), &mut self.outbox, now);
            self.inbox.take(taken);
            (taken, step)
        } else {
            let (taken, step) = self.protocol.receive(input, &mut self.outbox, now);
            if taken < input.len() {
                self.inbox.put(&input[taken..]);
            }
            (taken, step)
        };
        // A head that began earlier and is still not complete keeps its deadline, however often a byte of it
        // arrives; so does a peer that sends nothing but the empty lines that may precede a request.
        let same_head = began_before && taken == 0;
        let nothing = self.protocol.phase() == Phase::Idle && self.outbox.is_empty();
        if !same_head && !nothing {
            self.touch(now);
        }
        match step {
            Step::Work(work) if work.is_slow() && !self.outbox.is_empty() => {
                self.held = Some(Box::new(work));
                Step::Write
            }
            Step::Work(work) => {
                self.working += 1;
                Step::Work(work)
            }
            Step::Read if self.ended => Step::Close,
            step => step,
        }
    }

    /// The peer has shut its sending side: whole requests are still answered.
    pub fn end(&mut self, now: &Now) -> Step {
        self.ended = true;
        self.feed(&[], now)
    }

    /// Gives back the answer of work that [`Session::feed`] handed out.
    pub fn finish(&mut self, answer: Answer, now: &Now) -> Step {
        self.working -= 1;
        self.protocol.finish(answer, &mut self.outbox, now);
        self.feed(&[], now)
    }

    /// Sends what waits in the outbox.
    ///
    /// # Errors
    /// As [`flush`]: the connection is lost.
    pub fn flush(&mut self, socket: BorrowedFd<'_>, now: &Now) -> nix::Result<Flushed> {
        if self.outbox.is_empty() {
            return Ok(Flushed::All);
        }
        self.outbox.end_reply();
        let before = self.outbox.waiting();
        let flushed = flush(socket, &mut self.outbox)?;
        // A peer that takes some of a reply is alive.
        if self.outbox.waiting() != before {
            self.touch(now);
        }
        Ok(flushed)
    }

    /// What waits to be sent, for a stage that sends in another way: the bytes, and the body behind them. They stay where
    /// they are until [`Session::sent`] or anything else is called that takes the session `&mut`.
    pub fn output(&self) -> (&[u8], Option<&Body>) {
        self.outbox.parts()
    }

    /// The first `count` bytes of the output have left.
    pub fn sent(&mut self, count: usize, now: &Now) {
        self.outbox.advance(count);
        self.touch(now);
    }

    /// The peer has just taken something: its time begins anew. [`Session::flush`] says so itself; only a thread that
    /// was blocked in it must say so again, with the time after.
    pub fn touch(&mut self, now: &Now) {
        self.deadline_ms = now.ms + self.patience();
    }

    /// Whether the deadline is over.
    pub fn is_late(&self, now: &Now) -> bool {
        self.deadline().is_some_and(|deadline| now.ms >= deadline)
    }

    /// Notes what is asked and answered from now on.
    pub fn keep_journal(&mut self) {
        self.outbox.keep_journal();
    }

    /// What was asked and answered since it was last drained, if [`Session::keep_journal`] was called.
    pub fn journal(&mut self) -> Option<&mut Journal> {
        self.outbox.journal()
    }

    /// How many bytes wait to be sent.
    pub fn waiting(&self) -> u64 {
        self.outbox.waiting()
    }

    /// Whether something waits to be sent.
    pub fn has_output(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Whether closing now costs the peer nothing that it could count on: it is between requests, or its
    /// head is not complete.
    pub fn is_idle(&self) -> bool {
        let waiting = matches!(self.protocol.phase(), Phase::Idle | Phase::Head);
        waiting
            && !self.has_output()
            && self.held.is_none()
            && self.working == 0
            && self.closing == Closing::No
    }

    /// Whether the rest of a request's body is awaited.
    pub fn awaits_body(&self) -> bool {
        self.closing == Closing::No && self.protocol.phase() == Phase::Body
    }

    /// Until when (ms of [`Now`]) the peer may stay silent, or not read. None while a job runs for it.
    pub fn deadline(&self) -> Option<u64> {
        (self.working == 0).then_some(self.deadline_ms)
    }

    /// The deadline is over. Ends the conversation: with a 408 if a request had begun, else without a word.
    pub fn expire(&mut self, now: &Now) -> Step {
        if self.closing != Closing::No || self.has_output() {
            // It does not read, or does not stop sending: nothing that we say would arrive.
            self.outbox = Outbox::default();
            self.held = None;
            self.closing = Closing::Now;
            return Step::Close;
        }
        self.protocol.expire(&mut self.outbox, now);
        self.feed(&[], now)
    }

    /// After [`Step::Close`], with everything sent. True once if bytes of the peer are unread, here or in its socket (`unread`
    /// tells, and is asked only if it matters), or may still be on their way: closing now would turn them into a reset that
    /// can overtake our reply (RFC 9112 §9.6). Then shut the sending side and go on reading; what arrives is dropped, for a
    /// bounded time and amount.
    pub fn linger(&mut self, now: &Now, unread: impl FnOnce() -> bool) -> bool {
        if self.closing != Closing::No || self.ended {
            return false;
        }
        if !self.protocol.must_linger() && self.inbox.is_empty() && !unread() {
            return false;
        }
        self.closing = Closing::Lingering(0);
        self.inbox = Inbox::default();
        self.deadline_ms = now.ms + LINGER_MS;
        true
    }

    /// The slow job, once the replies before it have left.
    fn release(&mut self) -> Step {
        match self.held.take_if(|_| self.outbox.is_empty()) {
            Some(work) => {
                self.working += 1;
                Step::Work(*work)
            }
            None => Step::Write,
        }
    }

    /// How long the peer may take for what it has to do next.
    fn patience(&self) -> u64 {
        let head = self.outbox.is_empty() && self.protocol.phase() == Phase::Head;
        u64::from(if head { self.timeouts.header_ms } else { self.timeouts.idle_ms })
    }
}

impl Inbox {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Moves nothing: pipelined requests are taken one by one, and to close the gap each time would move
    /// the rest once for every request.
    fn take(&mut self, count: usize) {
        self.taken += count;
        if self.taken == self.bytes.len() {
            // An idle connection keeps no memory.
            *self = Self::default();
        } else if self.taken > self.bytes.len() / 2 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
    }
}
