//! One connection's conversation, without a socket: a state machine that a loop drives.
//!
//! Things happen to a session, and it answers one question: what next?
//!
//! | what happens | the loop calls |
//! |---|---|
//! | bytes arrived | [`Session::received`] |
//! | the peer has shut its sending side | [`Session::ended`] |
//! | bytes of the output have left | [`Session::sent`] |
//! | a job is done | [`Session::finished`] |
//! | the kernel had nothing to read, or no room to write | [`Session::would_block`] |
//! | the deadline has passed | [`Session::timed_out`] |
//!
//! | [`Session::next`] | the loop |
//! |---|---|
//! | [`Next::Read`] | reads, or waits until it can |
//! | [`Next::Write`] | writes the output, or waits until it can |
//! | [`Next::Work`] | runs the job, here or on another thread |
//! | [`Next::ShutdownWrite`] | shuts the sending side of the socket |
//! | [`Next::Close`] | closes the socket |
//!
//! Everything else is decided in here and in no stage: which requests are answered in one write, that replies
//! leave before a slow job runs, that nothing is read from a peer which does not take its replies, how long
//! it may take, and how a connection closes without destroying its last reply (RFC 9112 §9.6). rustls and
//! quinn-proto are built in the same way.
//!
//! ```
//! use kit::clock::Clock;
//! use kit::protocol::echo::Echo;
//! use kit::session::{Next, Session, Timeouts};
//!
//! let clock = Clock::new();
//! let timeouts = Timeouts { idle_ms: 60_000, header_ms: 10_000 };
//! let mut session = Session::new(Box::new(Echo::default()), timeouts, clock.last());
//! session.received(b"hello", clock.last());
//! let Next::Write(output) = session.next(clock.last()) else { panic!("an echo is due") };
//! assert_eq!(output.bytes(), b"hello");
//! session.sent(5, clock.last());
//! assert!(matches!(session.next(clock.last()), Next::Read));
//! session.ended();
//! assert!(matches!(session.next(clock.last()), Next::Close));
//! ```

use crate::clock::LoopContext;
use crate::output::{Output, Peer};
use crate::protocol::observer::Observer;
use crate::protocol::work::{Answer, Work};
use crate::protocol::{Phase, Protocol};
use crate::read_buffer::ReadBuffer;
use crate::write_buffer::WriteBuffer;

/// A lingering close drops at most this many bytes; a peer that sends more is reset.
const MAX_LINGER_BYTES: usize = 64 * 1024 * 1024;
/// A lingering close takes at most this many milliseconds.
const LINGER_MS: u64 = 2_000;
/// After replies of this many bytes the peer may still have some to fetch when we close.
const LARGE_REPLY: u64 = 16 * 1024;
/// While the server drains, a connection that has begun less than this many milliseconds ago is not idle yet:
/// its first request may be on its way.
const FIRST_REQUEST_MS: u64 = 100;
/// From this many unparsed bytes on, no more should be read.
const MAX_UNPARSED: usize = 64 * 1024;

/// How long a peer may take, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Between requests, between two pieces of a body, and for taking some of a reply.
    pub idle_ms: u32,
    /// From the first byte of a head to its end.
    pub header_ms: u32,
}

/// What a loop must do next for a connection.
#[derive(Debug)]
pub enum Next<'session> {
    /// Read what arrives, then call [`Session::received`] or [`Session::ended`].
    Read,
    /// Write, then call [`Session::sent`] with the number of bytes that the kernel took.
    Write(Output<'session>),
    /// Run a job that may block, then call [`Session::finished`] with its answer.
    Work(Box<Work>),
    /// Shut the sending side, so that the peer sees the end of the replies. Then ask again.
    ShutdownWrite,
    /// Close the socket: the conversation is over.
    Close,
}

/// One connection's conversation.
pub struct Session {
    protocol: Box<dyn Protocol>,
    /// Where the protocol stood after its last call.
    phase: Phase,
    input: ReadBuffer,
    output: WriteBuffer,
    /// A job that the protocol has handed out and the loop has not. A slow one waits here until the replies
    /// before it have left.
    deferred_work: Option<Box<Work>>,
    /// Jobs that the loop has and has not finished. More than one only in stage 06's race.
    working: u32,
    /// The protocol did not stop for want of input: ask it again once there is room for replies.
    stalled: bool,
    /// [`Session::next`] must look closer: more than a read or a write may be due.
    unusual: bool,
    closing: Closing,
    peer: Peer,
    /// Bytes sent since bytes last arrived, or since a large reply began.
    sent: u64,
    timeouts: Timeouts,
    deadline_ms: u64,
    began_ms: u64,
}

/// How far the closing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    No,
    /// Our side is shut; this many bytes were dropped.
    Lingering(usize),
    Done,
}

impl Session {
    /// A conversation that begins now.
    pub fn new(protocol: Box<dyn Protocol>, timeouts: Timeouts, now: &LoopContext) -> Self {
        Self {
            phase: protocol.phase(),
            protocol,
            input: ReadBuffer::default(),
            output: WriteBuffer::default(),
            deferred_work: None,
            working: 0,
            stalled: false,
            unusual: false,
            closing: Closing::No,
            peer: Peer::default(),
            sent: 0,
            timeouts,
            deadline_ms: now.ms + u64::from(timeouts.idle_ms),
            began_ms: now.ms,
        }
    }

    /// What the loop must do next. The answer stays the same until something happens, except for
    /// [`Next::Work`] and [`Next::ShutdownWrite`], which are returned once.
    #[inline]
    pub fn next(&mut self, now: &LoopContext) -> Next<'_> {
        if self.unusual {
            self.next_unusual(now)
        } else if self.output.is_empty() {
            Next::Read
        } else {
            self.write(false, now)
        }
    }

    /// [`Session::next`] when a job, an end or unparsed input is due.
    fn next_unusual(&mut self, now: &LoopContext) -> Next<'_> {
        match self.closing {
            Closing::No => {}
            Closing::Lingering(_) => return Next::Read,
            Closing::Done => return Next::Close,
        }
        if self.stalled && self.output.is_empty() && self.deferred_work.is_none() {
            self.parse_rest(now);
        }
        if let Some(work) = self.deferred_work.take_if(|work| self.output.is_empty() || !work.is_slow()) {
            self.working += 1;
            return Next::Work(work);
        }
        let closes = self.phase == Phase::Closing || self.peer.ended;
        if !self.output.is_empty() {
            return self.write(closes && !self.stalled, now);
        }
        if closes && (self.working == 0 || self.phase == Phase::Closing) {
            return self.close(now);
        }
        Next::Read
    }

    #[inline]
    fn write(&mut self, last: bool, now: &LoopContext) -> Next<'_> {
        self.output.end_reply(now);
        let late = now.ms >= self.deadline_ms;
        Next::Write(Output { buffer: &self.output, peer: &mut self.peer, last, late })
    }

    /// Bytes have arrived. They are parsed where they lie; only what cannot be parsed yet is copied.
    pub fn received(&mut self, bytes: &[u8], now: &LoopContext) {
        match &mut self.closing {
            Closing::No => {}
            Closing::Lingering(dropped) => {
                *dropped += bytes.len();
                // A peer that never stops sending lets no read say EAGAIN, so the time is checked here too.
                if *dropped > MAX_LINGER_BYTES || now.ms >= self.deadline_ms {
                    self.closing = Closing::Done;
                }
                return;
            }
            Closing::Done => return,
        }
        if self.sent < LARGE_REPLY {
            // The peer has what it was sent, and asks for more. A large reply may be on its way still: the
            // peer need not wait for it before it sends more.
            self.sent = 0;
        }
        if !self.output.is_empty() || self.deferred_work.is_some() {
            // Stage 11: the kernel is reading the output at this moment, and a reply that is appended could
            // move it.
            self.input.extend(bytes);
            (self.stalled, self.unusual) = (true, true);
            return;
        }
        self.parse(bytes, now);
        // Partial progress does not extend the deadline: see `parse`.
        if now.ms >= self.deadline_ms && self.output.is_empty() && self.working == 0 && !self.stalled {
            self.timed_out(now);
        }
    }

    /// The peer has shut its sending side. Whole requests are still answered.
    pub fn ended(&mut self) {
        (self.peer.ended, self.unusual) = (true, true);
        if self.closing != Closing::No {
            self.closing = Closing::Done;
        }
    }

    /// The first `count` bytes of the output have left.
    #[inline]
    pub fn sent(&mut self, count: usize, now: &LoopContext) {
        self.output.advance(count);
        self.sent += count as u64;
        if self.output.is_empty() {
            self.reset_deadline(now);
        } else {
            // There may be room only because the kernel has let its buffer grow. Whether the peer has taken
            // anything is seen by what is unacknowledged.
            self.peer.sent(count);
            if now.ms >= self.deadline_ms && self.peer.reads {
                self.peer.reads = false;
                self.reset_deadline(now);
            }
        }
    }

    /// A job is done.
    pub fn finished(&mut self, answer: Answer, now: &LoopContext) {
        self.working -= 1;
        self.protocol.finish(answer, &mut self.output, now);
        self.phase = self.protocol.phase();
        self.unusual = true;
        self.reset_deadline(now);
        // The requests behind it are answered in the same write.
        if self.stalled && self.deferred_work.is_none() && self.closing == Closing::No {
            self.parse_rest(now);
        }
    }

    /// The kernel had nothing to read, or no room to write. Returns whether that changes what
    /// [`Session::next`] returns: a server that is draining closes a connection with nothing to read, and a
    /// connection past its deadline ends now that everything has been read which the peer sent in time.
    #[inline]
    pub fn would_block(&mut self, now: &LoopContext) -> bool {
        // Every edge-triggered turn ends here, and next to none of them changes anything.
        let is_late = self.working == 0 && now.ms >= self.deadline_ms;
        (is_late || now.draining) && self.ends(is_late, now)
    }

    /// [`Session::would_block`] after the deadline, or while the server drains.
    fn ends(&mut self, is_late: bool, now: &LoopContext) -> bool {
        if now.draining && self.is_idle() {
            let end_ms = self.began_ms + FIRST_REQUEST_MS;
            if now.ms < end_ms {
                // A loop that looks at no connection before its deadline must look then.
                self.deadline_ms = self.deadline_ms.min(end_ms);
                return false;
            }
            // The peer may not have fetched all of a large reply: then the close is one in stages.
            if self.sent >= LARGE_REPLY {
                self.phase = Phase::Closing;
            } else {
                self.closing = Closing::Done;
            }
            self.unusual = true;
            return true;
        }
        if !is_late {
            return false;
        }
        if !self.output.is_empty() && self.peer.reads {
            self.peer.reads = false;
            self.reset_deadline(now);
            return false;
        }
        self.timed_out(now);
        true
    }

    /// The deadline has passed: ends the conversation, with a 408 if a request has begun, else without a
    /// reply.
    pub fn timed_out(&mut self, now: &LoopContext) {
        self.unusual = true;
        if self.closing != Closing::No || !self.output.is_empty() {
            // The peer does not read, or does not stop sending: nothing that we say would arrive. The output
            // stays where it is, since the kernel may be reading it.
            self.closing = Closing::Done;
            return;
        }
        self.protocol.expire(&mut self.output, now);
        self.phase = self.protocol.phase();
        self.deferred_work = None;
        self.stalled = false;
        self.reset_deadline(now);
    }

    /// Until when (ms of [`LoopContext`]) the peer may stay silent, or not read. None while a job runs for
    /// it.
    pub fn deadline(&self) -> Option<u64> {
        (self.working == 0).then_some(self.deadline_ms)
    }

    /// Whether the deadline has passed. Once the server drains, that of an idle connection counts as passed,
    /// unless the connection has just begun, and that of a lingering close.
    pub fn is_late(&self, now: &LoopContext) -> bool {
        let is_idle = |session: &Self| now.ms >= session.began_ms + FIRST_REQUEST_MS && session.is_idle();
        let ends = now.draining && (self.is_lingering() || is_idle(self));
        self.working == 0 && (now.ms >= self.deadline_ms || ends)
    }

    /// Whether closing now costs the peer nothing that it could count on: it is between requests, or its
    /// head is not complete.
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Head)
            && self.output.is_empty()
            && self.deferred_work.is_none()
            && self.working == 0
            && !self.stalled
            && self.closing == Closing::No
    }

    /// Whether the peer has shut its sending side.
    pub fn has_ended(&self) -> bool {
        self.peer.ended
    }

    /// Whether nothing remains but a lingering close: what arrives is dropped.
    pub fn is_lingering(&self) -> bool {
        matches!(self.closing, Closing::Lingering(_))
    }

    /// Whether another protocol goes on with the socket: then nothing more is to be read for this one.
    pub fn is_taken_over(&self) -> bool {
        self.phase == Phase::TakenOver
    }

    /// Whether the rest of a request's body is awaited.
    pub fn awaits_body(&self) -> bool {
        self.closing == Closing::No && self.phase == Phase::Body
    }

    /// Whether output waits to be sent: a loop that waits for readiness then waits for room to write.
    pub fn has_output(&self) -> bool {
        !self.output.is_empty() && self.closing == Closing::No
    }

    /// Whether so much waits to be parsed that no more should be read. Only a stage that reads without being
    /// asked (11) must check this: [`Next::Read`] is never returned before everything was parsed.
    pub fn is_full(&self) -> bool {
        self.input.len() >= MAX_UNPARSED
    }

    /// The kernel holds `count` bytes that the peer has not acknowledged (see
    /// [`crate::socket::unacknowledged`]). If they are fewer than at the last look, with what was sent since,
    /// the peer reads, and [`Session::would_block`] extends its deadline.
    pub fn unacknowledged(&mut self, count: u32) {
        self.peer.unacknowledged(count);
    }

    /// Tells `observer` of each request and its reply from now on.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.output.observe(observer);
    }

    /// Lets the protocol take what it can of the input that waits already.
    #[inline(never)]
    fn parse_rest(&mut self, now: &LoopContext) {
        self.parse(&[], now);
    }

    /// Lets the protocol take what it can of the input, `bytes` behind what waits already.
    #[inline(always)]
    fn parse(&mut self, bytes: &[u8], now: &LoopContext) {
        let began_before = !self.input.is_empty();
        let (taken, work) = if began_before {
            self.input.extend(bytes);
            let (taken, work) = self.protocol.receive(self.input.as_slice(), &mut self.output, now);
            self.input.consume(taken);
            (taken, work)
        } else {
            let (taken, work) = self.protocol.receive(bytes, &mut self.output, now);
            if taken < bytes.len() {
                self.input.extend(&bytes[taken..]);
            }
            (taken, work)
        };
        self.phase = self.protocol.phase();
        // A head that began earlier and is still not complete keeps its deadline, however often a byte of it
        // arrives; so does a peer that sends nothing but the empty lines that may precede a request.
        let same_head = began_before && taken == 0;
        let nothing = self.phase == Phase::Idle && self.output.is_empty();
        if !same_head && !nothing {
            self.reset_deadline(now);
        }
        self.stalled = work.is_some() || self.output.is_full();
        self.unusual = self.stalled || self.peer.ended || self.phase == Phase::Closing;
        if work.is_some() {
            self.deferred_work = work;
        }
    }

    /// Everything is sent and the conversation is over. If the peer may not have all of it yet, or may still
    /// be sending, the close is one in stages: a close while bytes are unread, or before bytes that are still
    /// to come, is a reset, and a reset destroys what the peer has not fetched (RFC 9112 §9.6). What arrives
    /// is dropped, for a bounded time and amount.
    fn close(&mut self, now: &LoopContext) -> Next<'_> {
        let must_linger = self.protocol.must_linger()
            || !self.input.is_empty()
            || self.peer.has_unread
            || self.sent >= LARGE_REPLY;
        if self.peer.ended || !must_linger {
            self.closing = Closing::Done;
            return Next::Close;
        }
        self.closing = Closing::Lingering(0);
        self.input = ReadBuffer::default();
        self.deadline_ms = now.ms + LINGER_MS;
        Next::ShutdownWrite
    }

    /// The peer's time begins anew: for the rest of a head, or for whatever else it has to do next.
    fn reset_deadline(&mut self, now: &LoopContext) {
        if self.closing == Closing::No {
            let head = self.output.is_empty() && self.phase == Phase::Head;
            let ms = if head { self.timeouts.header_ms } else { self.timeouts.idle_ms };
            self.deadline_ms = now.ms + u64::from(ms);
        }
    }
}
