//! One connection of a proactor.
//!
//! ```text
//!                  bytes came: feed                      everything is sent
//!   receiving ---------------------------> sending -------------------------------> receiving
//!                                             |  ^
//!                                             +--+ a piece was sent: ask for the next
//! ```
//!
//! While a send is on its way the kernel reads our outbox. So the session is not fed then, since a reply that it appends
//! could move the bytes; what arrives meanwhile is kept aside. One send at a time also keeps the replies in order.

use crate::operation::Operation;
use kit::clock::Now;
use kit::flush::unacknowledged;
use kit::outbox::Body;
use kit::protocol::Step;
use kit::protocol::work::{Answer, Work};
use kit::session::Session;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// So much may arrive while a send is on its way; then the kernel is asked to stop receiving.
const ASIDE: usize = 64 * 1024;

/// How much of a file is read and sent at once.
pub const PIECE: usize = 128 * 1024;

/// One connection of a proactor.
pub struct Connection {
    socket: OwnedFd,
    session: Session,
    /// Arrived while a send was on its way.
    aside: Vec<u8>,
    end: End,
    /// What the session wants when everything is sent.
    then: Then,
    /// The requests that the kernel is working on.
    asked: Asked,
    /// A piece of a file, read and partly sent.
    piece: Option<Piece>,
    /// No more requests: it is dropped when the kernel has answered the last one.
    closing: bool,
    /// Bytes that the kernel held for the peer at the last look.
    unacknowledged: u32,
}

/// What comes after the sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Receive,
    GoOn,
    Close,
}

/// The end of what the peer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Ahead,
    /// It has come, and the session does not know it yet.
    Untold,
    Told,
}

/// The requests that the kernel is working on.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    receive: bool,
    /// It has been asked to give the receive up.
    stop_receive: bool,
    /// A send, or a read that precedes it.
    send: Option<Operation>,
}

struct Piece {
    bytes: Vec<u8>,
    sent: usize,
}

/// What must be asked of the kernel next.
#[derive(Debug)]
pub enum Turn {
    /// Nothing: it is at work.
    Wait,
    /// To receive, if it does not already.
    Receive,
    /// To give up the receive: more has arrived than we can take.
    StopReceive,
    /// To shut the sending side, and to receive.
    HalfClose,
    /// To send [`Connection::output`].
    Send,
    /// A job may block: run it, then [`Connection::finish`].
    Work(Work),
    /// To end everything it is at.
    Close,
}

/// What is to be sent next.
pub enum Output<'a> {
    /// These bytes; whether more follow.
    Bytes(&'a [u8], bool),
    /// A piece of a file, which must be read first: from where, and how much.
    File(Arc<File>, u64, usize),
}

impl Connection {
    /// A connection that nothing was asked for.
    pub fn new(socket: OwnedFd, session: Session) -> Self {
        Self {
            socket,
            session,
            aside: Vec::new(),
            end: End::Ahead,
            then: Then::Receive,
            asked: Asked::default(),
            piece: None,
            closing: false,
            unacknowledged: 0,
        }
    }

    /// Bytes have arrived.
    pub fn received(&mut self, bytes: &[u8], now: &Now) -> Turn {
        if self.closing {
            return Turn::Wait;
        }
        if self.asked.send.is_some() {
            self.aside.extend_from_slice(bytes);
            return if self.aside.len() > ASIDE { Turn::StopReceive } else { Turn::Wait };
        }
        let step = self.session.feed(bytes, now);
        self.proceed(step, now)
    }

    /// The peer has shut its sending side.
    pub fn end(&mut self, now: &Now) -> Turn {
        self.end = End::Untold;
        if self.closing || self.asked.send.is_some() { Turn::Wait } else { self.proceed(Step::Read, now) }
    }

    /// The first `count` bytes of the output have left.
    pub fn sent(&mut self, count: usize, now: &Now) -> Turn {
        self.session.sent(count, now);
        if let Some(piece) = &mut self.piece {
            piece.sent += count;
        }
        if self.closing {
            return Turn::Wait;
        }
        let step = match self.then {
            _ if self.session.has_output() => return Turn::Send,
            Then::Receive => Step::Read,
            Then::GoOn => Step::Write,
            Then::Close => Step::Close,
        };
        self.proceed(step, now)
    }

    /// Goes on with the answer of work that a turn ended in.
    pub fn finish(&mut self, answer: Answer, now: &Now) -> Turn {
        let step = self.session.finish(answer, now);
        self.proceed(step, now)
    }

    /// Does what the session says, until it wants something of the kernel.
    fn proceed(&mut self, mut step: Step, now: &Now) -> Turn {
        loop {
            self.then = match step {
                Step::Work(work) => return Turn::Work(work),
                Step::Read => Then::Receive,
                Step::Write => Then::GoOn,
                Step::Close => Then::Close,
            };
            if self.session.has_output() {
                return Turn::Send;
            }
            self.piece = None;
            step = match self.then {
                Then::GoOn => self.session.feed(&[], now),
                Then::Receive if !self.aside.is_empty() => {
                    let aside = std::mem::take(&mut self.aside);
                    self.session.feed(&aside, now)
                }
                Then::Receive if self.end == End::Untold => {
                    self.end = End::Told;
                    self.session.end(now)
                }
                Then::Receive if now.draining && self.session.is_idle() => return Turn::Close,
                Then::Receive => return Turn::Receive,
                // The reply has left; now the peer sees its end. What it still sends is received and dropped.
                Then::Close if self.session.linger(now) => return Turn::HalfClose,
                Then::Close => return Turn::Close,
            };
        }
    }

    /// What is to be sent next. It stays where it is until [`Connection::sent`].
    pub fn output(&self) -> Output<'_> {
        match (self.session.output(), &self.piece) {
            ((&[], Some(Body::File { .. })), Some(piece)) if piece.sent < piece.bytes.len() => {
                Output::Bytes(&piece.bytes[piece.sent..], false)
            }
            ((&[], Some(Body::File { file, offset, left })), _) => {
                Output::File(Arc::clone(file), *offset, (*left).min(PIECE as u64) as usize)
            }
            ((&[], Some(body)), _) => Output::Bytes(body.filler(), false),
            ((bytes, body), _) => Output::Bytes(bytes, body.is_some()),
        }
    }

    /// Memory for `length` bytes of a file. It stays where it is until [`Connection::read`].
    pub fn room(&mut self, length: usize) -> &mut [u8] {
        let piece = self.piece.get_or_insert_with(|| Piece { bytes: Vec::new(), sent: 0 });
        piece.bytes.resize(length, 0);
        piece.sent = 0;
        &mut piece.bytes
    }

    /// The first `count` bytes of the room were filled: they are the output now.
    pub fn read(&mut self, count: usize) -> Turn {
        match &mut self.piece {
            _ if self.closing => Turn::Wait,
            // The file has shrunk since it was opened: the promised length cannot be kept.
            _ if count == 0 => Turn::Close,
            Some(piece) => {
                piece.bytes.truncate(count);
                Turn::Send
            }
            None => Turn::Close,
        }
    }

    /// Once a second, and when its time may be over: gives it up if the peer is late. A peer that takes what the kernel
    /// holds for it, if slowly, is not.
    pub fn expire(&mut self, now: &Now) -> Turn {
        if self.asked.send.is_some() {
            let count = unacknowledged(self.as_fd());
            if count < self.unacknowledged {
                self.session.touch(now);
            }
            self.unacknowledged = count;
        }
        match (self.session.is_late(now) && !self.closing, self.asked.send) {
            (false, _) => Turn::Wait,
            // Nothing that we say would arrive, and the outbox is the kernel's until it has answered.
            (true, Some(_)) => Turn::Close,
            (true, None) => {
                let step = self.session.expire(now);
                self.proceed(step, now)
            }
        }
    }

    /// Whether closing now costs the peer nothing that it could count on.
    pub fn is_idle(&self) -> bool {
        !self.closing && self.asked.send.is_none() && self.aside.is_empty() && self.session.is_idle()
    }

    /// Notes that a request was made.
    pub fn ask(&mut self, operation: Operation) {
        match operation {
            Operation::Receive => self.asked = Asked { receive: true, stop_receive: false, ..self.asked },
            Operation::Send | Operation::Read => self.asked.send = Some(operation),
        }
    }

    /// Notes that a request has had its last answer.
    pub fn answered(&mut self, operation: Operation) {
        match operation {
            Operation::Receive => self.asked = Asked { receive: false, stop_receive: false, ..self.asked },
            Operation::Send | Operation::Read => self.asked.send = None,
        }
    }

    /// Whether it must be asked to receive.
    pub fn needs_receive(&self) -> bool {
        !self.asked.receive && !self.closing && self.end == End::Ahead && self.asked.send.is_none()
    }

    /// Whether the receive is to be given up now; not twice.
    pub fn stops_receive(&mut self) -> bool {
        self.asked.receive && !std::mem::replace(&mut self.asked.stop_receive, true)
    }

    /// From now on nothing more is asked for; gives what has to be given up.
    pub fn close(&mut self) -> [Option<Operation>; 2] {
        self.closing = true;
        let receive = self.stops_receive().then_some(Operation::Receive);
        [receive, self.asked.send]
    }

    /// Whether it is over, and the kernel is at nothing more for it.
    pub fn is_over(&self) -> bool {
        self.closing && !self.asked.receive && self.asked.send.is_none()
    }

    /// Whether a reply is on its way.
    pub fn is_sending(&self) -> bool {
        self.asked.send.is_some()
    }

    /// The socket, when it is over.
    pub fn into_socket(self) -> OwnedFd {
        self.socket
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
