//! One connection of an event loop: a socket, its session, and what it waits for.
//!
//! ```text
//!             readable: one read, feed                  socket full, or enough for one turn
//!   reading ----------------------------> proceed ---------------------------------> writing
//!      ^                                     |   ^                                      |
//!      +------- everything is sent ----------+   +-------- writable: send the rest -----+
//! ```
//!
//! It waits for one thing at a time: while replies wait to be sent it does not read, so a peer that asks and does not
//! read fills its own socket buffers and not our memory.

use kit::clock::Now;
use kit::flush::{Flushed, has_unread, unacknowledged};
use kit::journal::Journal;
use kit::protocol::Step;
use kit::protocol::work::{Answer, Work};
use kit::session::Session;
use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;
use nix::sys::socket::{Shutdown, shutdown};
use nix::unistd::read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// How much a loop reads at once. One buffer serves all connections: requests are parsed in it.
pub const BUFFER: usize = 64 * 1024;

/// How often one turn fills the outbox and sends it, at most: then it is somebody else's turn.
const ROUNDS: usize = 4;

/// One connection of an event loop.
pub struct Connection {
    socket: OwnedFd,
    session: Session,
    writing: bool,
    /// The last read took as much as there was room for.
    filled: bool,
    /// Bytes that the kernel held for the peer when the socket was last full.
    unacknowledged: u32,
}

/// How a turn ended, and so what must happen before the next one.
#[derive(Debug)]
pub enum Turn {
    /// One read was served. There may be more to read.
    Served,
    /// The kernel said `EAGAIN`: there is nothing to read, or no room to write.
    Blocked,
    /// There is more to send and room for it, but it is somebody else's turn.
    Paused,
    /// A job may block: run it, then [`Connection::finish`].
    Work(Work),
    /// It is over: drop the connection.
    Close,
}

impl Connection {
    /// A connection that waits for its first byte.
    pub fn new(socket: OwnedFd, session: Session) -> Self {
        Self { socket, session, writing: false, filled: false, unacknowledged: 0 }
    }

    /// Takes a turn: reads once, or sends what waits. Ends the conversation if the peer's time is over, but only after
    /// this last look: what it sent in time may have waited in its socket for us.
    pub fn ready(&mut self, buffer: &mut [u8], now: &Now) -> Turn {
        self.notice_reading(now);
        let turn = if self.writing { self.proceed(Step::Write, now) } else { self.receive(buffer, now) };
        match turn {
            Turn::Served | Turn::Blocked | Turn::Paused if self.is_late(now) => {
                let step = self.session.expire(now);
                self.proceed(step, now)
            }
            turn => turn,
        }
    }

    /// Goes on with the answer of work that a turn ended in.
    pub fn finish(&mut self, answer: Answer, now: &Now) -> Turn {
        let step = self.session.finish(answer, now);
        self.proceed(step, now)
    }

    /// Whether the peer's time is over.
    pub fn is_late(&self, now: &Now) -> bool {
        self.session.is_late(now)
    }

    /// Whether the last read took as much as there was room for: after a shorter one the socket was empty.
    pub fn has_filled(&self) -> bool {
        self.filled
    }

    /// When the peer's time is over, in ms of [`Now`]. `None` while a job runs for it.
    pub fn deadline(&self) -> Option<u64> {
        self.session.deadline()
    }

    /// What was asked and answered, if the session keeps a journal.
    pub fn journal(&mut self) -> Option<&mut Journal> {
        self.session.journal()
    }

    /// What it waits for.
    pub fn interest(&self) -> EpollFlags {
        if self.writing { EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN }
    }

    // ANCHOR: read
    /// Reads once.
    fn receive(&mut self, buffer: &mut [u8], now: &Now) -> Turn {
        let result = read(&self.socket, buffer);
        self.filled = result == Ok(buffer.len());
        let step = match result {
            Ok(0) => self.session.end(now),
            Ok(count) => self.session.feed(&buffer[..count], now),
            Err(Errno::EAGAIN) if now.draining && self.session.is_idle() => return Turn::Close,
            Err(Errno::EAGAIN) => return Turn::Blocked,
            Err(Errno::EINTR) => return Turn::Served,
            // The peer has reset the connection.
            Err(_) => return Turn::Close,
        };
        self.proceed(step, now)
    }
    // ANCHOR_END: read

    /// Sends, and does what the session says, until the kernel or the session wants something else.
    fn proceed(&mut self, mut step: Step, now: &Now) -> Turn {
        self.writing = true;
        for round in 0.. {
            if let Step::Work(work) = step {
                self.writing = self.session.has_output();
                return Turn::Work(work);
            }
            match self.session.flush(self.socket.as_fd(), now) {
                Ok(Flushed::All) => {}
                Ok(Flushed::Blocked) => {
                    self.unacknowledged = unacknowledged(self.socket.as_fd());
                    return Turn::Blocked;
                }
                Ok(Flushed::Paused) => return Turn::Paused,
                Err(_) => return Turn::Close,
            }
            match step {
                Step::Close if self.session.linger(now, || has_unread(self.socket.as_fd())) => {
                    // The reply has left; now the peer sees its end. What it still sends is read and dropped.
                    let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Write);
                }
                Step::Close => return Turn::Close,
                // A request that arrived during the reply is in the socket still: it is read first.
                Step::Read if now.draining && self.session.is_idle() && !has_unread(self.socket.as_fd()) => {
                    return Turn::Close;
                }
                Step::Read => {}
                // Before the session is asked for more: what it then says must not be lost.
                _ if round == ROUNDS => return Turn::Paused,
                _ => {
                    step = self.session.feed(&[], now);
                    continue;
                }
            }
            break;
        }
        self.writing = false;
        Turn::Served
    }

    /// A late peer that does not let us write may still be reading, if slowly: it has more time if the kernel holds less
    /// for it than when the socket was last full.
    fn notice_reading(&mut self, now: &Now) {
        if self.writing && self.session.is_late(now) {
            let count = unacknowledged(self.socket.as_fd());
            if count < self.unacknowledged {
                self.session.touch(now);
            }
            self.unacknowledged = count;
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
