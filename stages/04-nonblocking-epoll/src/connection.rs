//! One connection of an event loop: a socket, its session, and the one place that does what the session says.
//!
//! ```text
//!            readable: read, received              replies remain: EAGAIN, or enough for one turn
//!   reading --------------------------> (drive) -----------------------------------------> writing
//!      ^                                 |   ^                                                |
//!      +---- everything has been sent ---+   +---------- writable: write the rest, sent ------+
//! ```
//!
//! A connection waits for one thing at a time: while replies wait to be sent it does not read. So a peer that
//! sends requests and does not read the replies fills the kernel's socket buffers and not our memory.

use kit::clock::LoopContext;
use kit::protocol::work::{Answer, Work};
use kit::session::{Next, Session};
use kit::socket::{MAX_WRITE, SendFile, send_file, would_block};
use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;
use nix::sys::socket::{Shutdown, shutdown};
use nix::unistd::read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// How many bytes one read takes at most. One buffer serves all connections: requests are parsed where they
/// lie in it.
pub const READ_BUFFER: usize = 64 * 1024;

/// What one call of `drive` may send: 1 MiB of a body, or four writes of small replies, which cost more CPU
/// time than their bytes.
const WRITE_BUDGET: usize = MAX_WRITE;
const MIN_WRITE_COST: usize = WRITE_BUDGET / 4;

/// One connection of an event loop.
pub struct Connection {
    socket: OwnedFd,
    session: Session,
    send_file: SendFile,
    /// This turn has not read yet, and may.
    may_read: bool,
    /// The last read filled the buffer.
    filled: bool,
}

/// How a turn ended, and so what must happen before the next one.
#[derive(Debug)]
pub enum Turn {
    /// The turn has read once, or sent the rest. There may be more to read.
    Served,
    /// The kernel said `EAGAIN`: there is nothing to read, or no room to write.
    Blocked,
    /// There is more to send and room for it, but other connections have their turn first.
    Paused,
    /// A job may block: run it, then call [`Connection::finish_work`].
    Work(Box<Work>),
    /// The conversation is over: drop the connection.
    Close,
}

impl Connection {
    /// A connection that waits for its first byte.
    pub fn new(socket: OwnedFd, session: Session) -> Self {
        Self::with_send_file(socket, session, send_file)
    }

    /// A connection that sends files otherwise than with sendfile(2).
    pub fn with_send_file(socket: OwnedFd, session: Session, send_file: SendFile) -> Self {
        Self { socket, session, send_file, may_read: false, filled: false }
    }

    /// Takes a turn: reads once, or sends what waits.
    pub fn handle_event(&mut self, buffer: &mut [u8], now: &LoopContext) -> Turn {
        self.may_read = !self.session.has_output();
        self.drive(buffer, now)
    }

    /// Continues a turn that ended in [`Turn::Work`], with the answer of that work.
    pub fn finish_work(&mut self, answer: Answer, buffer: &mut [u8], now: &LoopContext) -> Turn {
        self.session.finished(answer, now);
        self.drive(buffer, now)
    }

    /// Does what the session says until the kernel has nothing to read or no room to write, or the turn is
    /// over.
    // ANCHOR: drive
    fn drive(&mut self, buffer: &mut [u8], now: &LoopContext) -> Turn {
        let mut budget = WRITE_BUDGET;
        loop {
            match self.session.next(now) {
                Next::Read if !self.may_read => return self.after_reading(),
                Next::Read => match read(&self.socket, buffer) {
                    Ok(0) => {
                        self.may_read = false;
                        self.session.ended();
                    }
                    Ok(count) => {
                        self.may_read = false;
                        self.filled = count == buffer.len();
                        self.session.received(&buffer[..count], now);
                    }
                    // The deadline has passed, or the server stops: the session says something else now.
                    Err(Errno::EAGAIN) if would_block(self.socket.as_fd(), &mut self.session, now) => {}
                    Err(Errno::EAGAIN) => return Turn::Blocked,
                    Err(Errno::EINTR) => {}
                    // The peer has reset the connection.
                    Err(_) => return Turn::Close,
                },
                // ANCHOR_END: drive
                // ANCHOR: drive-write
                Next::Write(_) if budget == 0 => return Turn::Paused,
                Next::Write(output) => match output.write_with(self.socket.as_fd(), self.send_file) {
                    Ok(count) => {
                        self.session.sent(count, now);
                        budget = budget.saturating_sub(count.max(MIN_WRITE_COST));
                    }
                    Err(Errno::EAGAIN) if self.session.would_block(now) => {}
                    Err(Errno::EAGAIN) => return Turn::Blocked,
                    Err(_) => return Turn::Close,
                },
                Next::Work(work) => return Turn::Work(work),
                Next::ShutdownWrite => drop(shutdown(self.socket.as_raw_fd(), Shutdown::Write)),
                Next::Close => return Turn::Close,
            }
        }
    }
    // ANCHOR_END: drive-write

    /// There may be more to read, unless the peer has ended: then a job of another thread is under way for
    /// it, which happens only in stage 06 without ONESHOT.
    fn after_reading(&self) -> Turn {
        if self.session.has_ended() { Turn::Blocked } else { Turn::Served }
    }

    // ANCHOR: interest
    /// The events that the connection waits for.
    pub fn interest(&self) -> EpollFlags {
        if self.session.has_output() { EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN }
    }
    // ANCHOR_END: interest

    /// Whether the last read filled the buffer. After a shorter one the socket was empty.
    pub fn has_filled(&self) -> bool {
        self.filled
    }

    /// Whether the deadline has passed. The next turn then ends the conversation, but only once it has found
    /// nothing more to read: what the peer sent in time may still wait in the socket.
    pub fn is_late(&self, now: &LoopContext) -> bool {
        self.session.is_late(now)
    }

    /// The peer's deadline, in milliseconds of [`LoopContext`]; `None` while a job runs for it.
    pub fn deadline(&self) -> Option<u64> {
        self.session.deadline()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
