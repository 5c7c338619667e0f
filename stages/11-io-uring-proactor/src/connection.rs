//! One connection of a proactor: a socket, its session, and the one place that does what the session says.
//!
//! ```text
//!                 bytes came: received                    everything is sent
//!   receiving ---------------------------> sending -------------------------------> receiving
//!                                             |  ^
//!                                             +--+ a part was sent: submit the next
//! ```
//!
//! While a send is in flight the kernel reads the session's output. The session is not asked for more then,
//! since a reply that it appends could move these bytes; what arrives meanwhile it only keeps. One send at a
//! time also keeps the replies in order, which io_uring does not promise.

use crate::buffers::{GROUP, LENGTH};
use crate::direct::Socket;
use crate::operation::Operation;
use crate::piece::{self, Piece};
use crate::proactor::Proactor;
use crate::registered::INDEX;
use io_uring::types::Fd;
use io_uring::{cqueue, opcode, squeue};
use kit::clock::{Clock, LoopContext};
use kit::connection_table::Token;
use kit::output::Output;
use kit::session::{Next, Session};
use kit::socket::{has_unread, unacknowledged, would_block};
use kit::write_buffer::Body;
use nix::libc::{self, ECANCELED, ENOBUFS};
use nix::sys::socket::{Shutdown, shutdown};
use std::io;
use std::os::fd::AsRawFd;

/// One connection of a proactor.
pub struct Connection {
    socket: Socket,
    token: Token,
    session: Session,
    receive: Receive,
    sending: Option<Sending>,
    /// A piece of a file, read and partly sent.
    piece: Piece,
    /// With `--own-buffers`: where the kernel puts what arrives.
    own: Vec<u8>,
    /// With `--direct`: a descriptor is being made for the socket.
    installing: bool,
    /// Nothing more is submitted, and what is in flight was cancelled.
    closing: bool,
}

/// The receive that is in flight.
#[derive(Clone, Copy, Debug)]
enum Receive {
    /// None was submitted yet.
    New,
    /// It has ended.
    Off,
    /// Submitted, after this many flushes of completions.
    Armed(u64),
    /// Cancelled; its last completion has not come yet.
    Cancelled,
}

/// The send that is in flight, or the read of a file that precedes it.
#[derive(Clone, Copy, Debug)]
struct Sending {
    operation: Operation,
    /// It is all of the output, and the connection closes behind it.
    last: bool,
    /// The bytes that the peer has not acknowledged were counted since it was submitted.
    counted: bool,
    /// Sent without a copy: what the kernel says of it. Until its second completion it reads the bytes.
    result: Option<i32>,
}

impl Connection {
    /// A connection for which nothing is submitted yet.
    pub fn new(socket: Socket, token: Token, session: Session) -> Self {
        let (piece, own) = (Piece::default(), Vec::new());
        let (receive, sending, installing, closing) = (Receive::New, None, false, false);
        Self { socket, token, session, receive, sending, piece, own, installing, closing }
    }

    /// Does what the session says until it must wait for a completion.
    ///
    /// # Errors
    /// What io_uring_enter(2) says.
    pub fn drive(&mut self, proactor: &mut Proactor, clock: &mut Clock) -> io::Result<()> {
        // ANCHOR: drive
        while !self.closing && self.sending.is_none() {
            match self.session.next(clock.last()) {
                Next::Read => return self.arm_receive(proactor),
                Next::Write(output) => {
                    let (submission, sending) = send(&self.socket, &output, &mut self.piece, proactor);
                    self.sending = Some(sending);
                    let submission = submission.user_data(sending.operation.user_data(self.token));
                    // SAFETY: the bytes are the session's output, the filler or a piece of a file: static, or
                    // on the heap, where they stay until the session is told that they were sent. That and
                    // dropping the connection wait for the completion.
                    unsafe { proactor.push(&submission) }?;
                }
                // ANCHOR_END: drive
                // ANCHOR: drive-rest
                Next::Work(work) => {
                    if work.is_slow() {
                        // The replies of other connections must not wait for it in our queue.
                        proactor.submit()?;
                    }
                    let answer = work.run();
                    self.session.finished(answer, clock.read());
                }
                Next::ShutdownWrite => self.shut_down(proactor)?,
                Next::Close => return self.close(proactor),
            }
        }
        // ANCHOR_END: drive-rest
        // More has arrived during the send than the session should keep. What was received in the same round
        // of the loop is kept too: at most what all the provided buffers hold, 2 MiB. An earlier submission
        // of the cancellation would not help: the kernel sees it before it receives any more.
        if self.session.is_full() { self.cancel_receive(proactor) } else { Ok(()) }
    }

    /// An operation has completed: tells the session, which [`Connection::drive`] must then ask. `bytes` are
    /// those that arrived.
    ///
    /// # Errors
    /// What io_uring_enter(2) says.
    pub fn complete(
        &mut self,
        operation: Operation,
        entry: &cqueue::Entry,
        bytes: &[u8],
        proactor: &mut Proactor,
        now: &LoopContext,
    ) -> io::Result<()> {
        let mut result = entry.result();
        if let (Operation::Send, Some(sending)) = (operation, &mut self.sending) {
            if cqueue::more(entry.flags()) {
                // Without a copy: a second completion tells when the kernel has let go of the bytes.
                sending.result = Some(result);
                if self.closing {
                    self.reset();
                }
                return Ok(());
            }
            result = sending.result.unwrap_or(result);
        }
        let sending = self.sending;
        if operation == Operation::Install {
            self.installing = false;
            // SAFETY: the kernel has just made this descriptor for us.
            let has_descriptor = unsafe { self.socket.installed(result) };
            return if has_descriptor || self.closing { Ok(()) } else { self.close(proactor) };
        }
        // Taken out: the session needs its bytes while it is borrowed.
        let own = std::mem::take(&mut self.own);
        let bytes = if own.is_empty() { bytes } else { &own[..own.len().min(result.max(0) as usize)] };
        match operation {
            _ if cqueue::more(entry.flags()) => {}
            Operation::Receive => self.receive = Receive::Off,
            _ => self.sending = None,
        }
        let mut has_failed = false;
        match (operation, result) {
            _ if self.closing => {}
            (Operation::Receive, 1..) => self.session.received(bytes, now),
            (Operation::Receive, 0) => self.session.ended(),
            // The provided buffers ran out, or we have cancelled it.
            (Operation::Receive, error) if [ENOBUFS, ECANCELED].contains(&-error) => {}
            // Its peer may be gone: then the receive ends too.
            (Operation::ShutDown, _) => {}
            (Operation::Read, count @ 1..) => self.piece.filled(count as usize),
            (Operation::Send, count @ 0..) => {
                self.note_unread(sending, count as usize, now);
                self.session.sent(count as usize, now);
                self.piece.advance(count as usize);
            }
            // The peer has reset the connection, or the file is shorter than its head promised.
            _ => has_failed = true,
        }
        self.own = own;
        if has_failed { self.close(proactor) } else { Ok(()) }
    }

    /// Tells the session before it closes whether the socket has bytes that will not be read.
    fn note_unread(&mut self, sending: Option<Sending>, count: usize, now: &LoopContext) {
        if sending.is_some_and(|sending| sending.last)
            // A slot cannot be asked. That there are some only makes the close take a little longer.
            && self.socket.descriptor().is_none_or(has_unread)
            && let Next::Write(mut output) = self.session.next(now)
            && output.ends_with(count)
        {
            output.unread();
        }
    }

    /// Closes the connection if the peer was late at `then` and all that it sent until then was processed.
    ///
    /// # Errors
    /// As [`Connection::drive`].
    pub fn check_deadline(
        &mut self,
        then: &LoopContext,
        proactor: &mut Proactor,
        clock: &mut Clock,
    ) -> io::Result<()> {
        let was_seen = matches!(self.receive, Receive::Armed(flushes) if flushes < proactor.flushes());
        let session = &mut self.session;
        let Some(socket) = self.socket.descriptor() else {
            let must_be_asked = self.sending.is_some() || session.is_late(then);
            return if must_be_asked { self.install(proactor) } else { Ok(()) };
        };
        match &mut self.sending {
            _ if self.closing => {}
            // A peer that takes what the kernel holds for it, if slowly, is not late. That takes two looks.
            Some(sending) if !sending.counted => {
                sending.counted = true;
                session.unacknowledged(unacknowledged(socket));
            }
            Some(_) if session.is_late(then) => {
                session.unacknowledged(unacknowledged(socket));
                if session.would_block(then) {
                    // Nothing that we say would arrive. The output stays until the kernel has let go of it.
                    return self.close(proactor);
                }
            }
            None if was_seen && would_block(socket, session, then) => self.drive(proactor, clock)?,
            _ => {}
        }
        Ok(())
    }

    /// Submits nothing more, and cancels what is in flight.
    ///
    /// # Errors
    /// What io_uring_enter(2) says.
    pub fn close(&mut self, proactor: &mut Proactor) -> io::Result<()> {
        self.closing = true;
        if let Some(sending) = self.sending {
            proactor.cancel(sending.operation.user_data(self.token))?;
            if sending.result.is_some() {
                self.reset();
            }
        }
        self.cancel_receive(proactor)
    }

    /// Bytes that were sent without a copy stay the kernel's until the peer has acknowledged them, or the
    /// connection is reset. Closing is no way: the descriptor's number is ours until the kernel has let go.
    fn reset(&self) {
        let Some(socket) = self.socket.descriptor() else { return };
        // SAFETY: zero bytes are an address, of the family AF_UNSPEC: connect(2) takes it as "dissolve".
        let nobody: libc::sockaddr = unsafe { std::mem::zeroed() };
        let length = size_of_val(&nobody) as libc::socklen_t;
        // SAFETY: the kernel reads `length` bytes of `nobody`. It fails if the peer has reset it before.
        unsafe { libc::connect(socket.as_raw_fd(), &raw const nobody, length) };
    }

    /// The socket, once the conversation is over and the last completion has come.
    pub fn into_socket(self) -> Socket {
        self.socket
    }

    /// See [`Connection::into_socket`].
    pub fn is_over(&self) -> bool {
        let receives = matches!(self.receive, Receive::Armed(_) | Receive::Cancelled);
        self.closing && self.sending.is_none() && !receives && !self.installing
    }

    /// Makes sure that the kernel receives what arrives.
    fn arm_receive(&mut self, proactor: &mut Proactor) -> io::Result<()> {
        // An idle connection keeps no memory.
        self.piece = Piece::default();
        // One that was cancelled is submitted anew when its last completion has come.
        let is_first = match self.receive {
            Receive::New => true,
            Receive::Off => false,
            Receive::Armed(_) | Receive::Cancelled => return Ok(()),
        };
        self.receive = Receive::Armed(proactor.flushes());
        let (fd, features) = (self.socket.fd(), proactor.features());
        // Many a connection has one request. A multishot receive would have to be cancelled behind it, and
        // its last completion awaited; the second receive is early enough for one.
        let once = features.receive_once || is_first;
        let receive = match (features.own_buffers, once) {
            (true, _) => {
                // Once: it is kept while the connection is, which is the price of it.
                self.own.resize(LENGTH, 0);
                opcode::Recv::new(fd, self.own.as_mut_ptr(), LENGTH as u32).build()
            }
            (false, true) if features.bundles => opcode::RecvBundle::new(fd, GROUP).build(),
            (false, false) if features.bundles => opcode::RecvMultiBundle::new(fd, GROUP).build(),
            (false, true) => {
                let once = opcode::Recv::new(fd, std::ptr::null_mut(), LENGTH as u32).buf_group(GROUP);
                once.build().flags(squeue::Flags::BUFFER_SELECT)
            }
            (false, false) => opcode::RecvMulti::new(fd, GROUP).build(),
        };
        let receive = receive.flags(self.socket.flags());
        // SAFETY: it names no memory, and the kernel picks one of the provided buffers; or the connection's
        // own, which is on the heap, and neither dropped nor resized before the completion has come.
        unsafe { proactor.push(&receive.user_data(Operation::Receive.user_data(self.token))) }
    }

    /// The peer is told that no more will come.
    fn shut_down(&mut self, proactor: &mut Proactor) -> io::Result<()> {
        if let Some(socket) = self.socket.descriptor() {
            // It fails where the peer is gone.
            let _ = shutdown(socket.as_raw_fd(), Shutdown::Write);
            return Ok(());
        }
        let operation = Operation::ShutDown;
        self.sending = Some(Sending { operation, last: false, counted: true, result: None });
        let submission = self.socket.shut_down().user_data(operation.user_data(self.token));
        // SAFETY: it names no memory.
        unsafe { proactor.push(&submission) }
    }

    /// Makes a descriptor for a socket that has none, so that the kernel can be asked about it at the next
    /// look.
    fn install(&mut self, proactor: &mut Proactor) -> io::Result<()> {
        if self.installing || self.closing {
            return Ok(());
        }
        self.installing = true;
        let submission = self.socket.install().user_data(Operation::Install.user_data(self.token));
        // SAFETY: it names no memory.
        unsafe { proactor.push(&submission) }
    }

    fn cancel_receive(&mut self, proactor: &mut Proactor) -> io::Result<()> {
        let Receive::Armed(_) = self.receive else { return Ok(()) };
        self.receive = Receive::Cancelled;
        proactor.cancel(Operation::Receive.user_data(self.token))
    }
}

/// The submission for what comes first in the output: bytes, filler, a piece of a file, or the read of one.
fn send(
    socket: &Socket,
    output: &Output<'_>,
    piece: &mut Piece,
    proactor: &Proactor,
) -> (squeue::Entry, Sending) {
    let sending = |operation, last| Sending { operation, last, counted: false, result: None };
    let (bytes, flags) = match (output.bytes(), output.body()) {
        (&[], Some(Body::File { file, offset, left })) if piece.unsent().is_empty() => {
            let room = piece.prepare((*left).min(piece::LENGTH as u64) as usize);
            let read = opcode::Read::new(Fd(file.as_raw_fd()), room.as_mut_ptr(), room.len() as u32);
            return (read.offset(*offset).build(), sending(Operation::Read, false));
        }
        (&[], Some(Body::File { .. })) => (piece.unsent(), 0),
        (&[], Some(body)) => (body.filler(), 0),
        (bytes, None) => (bytes, 0),
        (bytes, Some(_)) => (bytes, libc::MSG_MORE),
    };
    // With MSG_MORE the kernel keeps the bytes until more come, and these wait for the completion.
    let zero_copy = proactor.features().zero_copy.filter(|_| flags == 0);
    let (length, flags) = (bytes.len() as u32, libc::MSG_NOSIGNAL | flags);
    let send = match zero_copy {
        Some(least) if length >= least => {
            let registered = proactor.registered().and_then(|registered| registered.find(bytes));
            let send = opcode::SendZc::new(socket.fd(), registered.unwrap_or(bytes).as_ptr(), length);
            send.buf_index(registered.map(|_| INDEX)).flags(flags).build()
        }
        _ => opcode::Send::new(socket.fd(), bytes.as_ptr(), length).flags(flags).build(),
    };
    let send = send.flags(socket.flags());
    (send, sending(Operation::Send, output.ends_with(bytes.len())))
}
