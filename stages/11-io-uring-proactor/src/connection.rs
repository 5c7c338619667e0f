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

use crate::aside::Aside;
use crate::operation::Operation;
use kit::clock::Now;
use kit::flush::{has_unread, unacknowledged};
use kit::outbox::Body;
use kit::protocol::Step;
use kit::protocol::work::{Answer, Work};
use kit::session::Session;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// So much may arrive while a send is on its way; then the kernel is asked to stop receiving. What it received in the same
/// round of the loop is kept too: mostly some hundred KiB, and never more than all the buffers hold, 2 MiB (see
/// [`crate::buffers`]). To submit the cancellation sooner would not help: the kernel sees it before it receives any more.
const ASIDE: usize = 64 * 1024;

/// How much of a file is read and sent at once.
pub const PIECE: usize = 128 * 1024;

/// One connection of a proactor.
pub struct Connection {
    socket: OwnedFd,
    session: Session,
    /// Arrived while a send was on its way.
    aside: Aside,
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
pub enum Next {
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
    /// Nothing, but a job may block: run it, then [`Connection::finish`].
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
            aside: Aside::default(),
            end: End::Ahead,
            then: Then::Receive,
            asked: Asked::default(),
            piece: None,
            closing: false,
            unacknowledged: 0,
        }
    }

    /// Bytes have arrived.
    pub fn received(&mut self, bytes: &[u8], now: &Now) -> Next {
        if self.closing {
            return Next::Wait;
        }
        if self.asked.send.is_some() {
            self.aside.put(bytes);
            return if self.aside.len() > ASIDE { Next::StopReceive } else { Next::Wait };
        }
        let step = self.session.feed(bytes, now);
        self.proceed(step, now)
    }

    /// The peer has shut its sending side.
    pub fn end(&mut self, now: &Now) -> Next {
        self.end = End::Untold;
        if self.closing || self.asked.send.is_some() { Next::Wait } else { self.proceed(Step::Read, now) }
    }

    /// The first `count` bytes of the output have left.
    pub fn sent(&mut self, count: usize, now: &Now) -> Next {
        self.session.sent(count, now);
        if let Some(piece) = &mut self.piece {
            piece.sent += count;
        }
        if self.closing {
            return Next::Wait;
        }
        let step = match self.then {
            _ if self.session.has_output() => return Next::Send,
            Then::Receive => Step::Read,
            Then::GoOn => Step::Write,
            Then::Close => Step::Close,
        };
        self.proceed(step, now)
    }

    /// Goes on with the answer of work that was to be run.
    pub fn finish(&mut self, answer: Answer, now: &Now) -> Next {
        let step = self.session.finish(answer, now);
        self.proceed(step, now)
    }

    /// Does what the session says, until it wants something of the kernel.
    fn proceed(&mut self, mut step: Step, now: &Now) -> Next {
        loop {
            self.then = match step {
                Step::Work(work) => return Next::Work(work),
                Step::Read => Then::Receive,
                Step::Write => Then::GoOn,
                Step::Close => Then::Close,
            };
            if self.session.has_output() {
                return Next::Send;
            }
            self.piece = None;
            step = match self.then {
                Then::GoOn => self.session.feed(&[], now),
                Then::Receive if let Some(piece) = self.aside.take() => self.session.feed(&piece, now),
                Then::Receive if self.end == End::Untold => {
                    self.end = End::Told;
                    self.session.end(now)
                }
                Then::Receive => return Next::Receive,
                // Behind the end nothing can come. All that came before it was read, though not all of it was used: so the
                // close is no reset.
                Then::Close if self.end != End::Ahead => return Next::Close,
                Then::Close => {
                    let unread = || !self.aside.is_empty() || has_unread(self.socket.as_fd());
                    // The reply has left; now the peer sees its end. What it still sends is received and dropped.
                    let lingers = self.session.linger(now, unread);
                    return if lingers { Next::HalfClose } else { Next::Close };
                }
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
    pub fn read(&mut self, count: usize) -> Next {
        match &mut self.piece {
            _ if self.closing => Next::Wait,
            // The file has shrunk since it was opened: the promised length cannot be kept.
            _ if count == 0 => Next::Close,
            Some(piece) => {
                piece.bytes.truncate(count);
                Next::Send
            }
            None => Next::Close,
        }
    }

    /// Once a second: gives it up if the peer was late `then`, when everything had been seen that it sent until then. A peer
    /// that takes what the kernel holds for it, if slowly, is not.
    pub fn expire(&mut self, then: &Now, now: &Now) -> Next {
        if self.asked.send.is_some() {
            let count = unacknowledged(self.as_fd());
            if count < self.unacknowledged {
                self.session.touch(now);
            }
            self.unacknowledged = count;
        }
        match (self.session.is_late(then) && !self.closing, self.asked.send) {
            (false, _) => Next::Wait,
            // Nothing that we say would arrive, and the outbox is the kernel's until it has answered.
            (true, Some(_)) => Next::Close,
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
