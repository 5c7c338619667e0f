//! What the session cannot do without a socket: sending its output, and asking the kernel about the other
//! side.
//!
//! The queued bytes and the beginning of a body leave in one call: `sendmsg(2)` gathers bytes and filler,
//! and in front of a file `MSG_MORE` lets the kernel join the head with what `sendfile(2)` brings.

use crate::clock::LoopContext;
use crate::output::Output;
use crate::session::Session;
use crate::write_buffer::Body;
use nix::errno::Errno;
use nix::libc::off_t;
use nix::sys::sendfile::sendfile;
use nix::sys::socket::{MsgFlags, send, sendmsg};
use std::fs::File;
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// How many bytes one call sends at most, so that one fast reader of a large body does not hold a loop.
pub const MAX_WRITE: usize = 1024 * 1024;

/// `MSG_MORE`, which nix does not name: more will follow, do not send a small packet yet (send(2)).
const MSG_MORE: MsgFlags = MsgFlags::from_bits_retain(nix::libc::MSG_MORE);

/// Sends bytes of a file: the socket, the file, where to begin, and how many bytes at most. Returns how many
/// were sent; 0 means that the file ends there.
pub type SendFile = fn(BorrowedFd<'_>, &File, u64, usize) -> nix::Result<usize>;

impl Output<'_> {
    /// Writes what the socket takes, at most 1 MiB, and returns how much that was: for
    /// [`crate::session::Session::sent`].
    ///
    /// # Errors
    /// What send(2) and sendfile(2) say, but not `EINTR`: `EAGAIN` when the socket has no room (a blocking
    /// one: for as long as its SO_SNDTIMEO), or the session's deadline has passed and the peer has taken
    /// nothing, so that room is only that of a buffer that has grown; `EIO` when a file has become shorter
    /// than the length that its head promised.
    pub fn write_to(self, socket: impl AsFd) -> nix::Result<usize> {
        self.write_with(socket.as_fd(), send_file)
    }

    /// [`Output::write_to`] with another way to send a file.
    ///
    /// # Errors
    /// As [`Output::write_to`], and what `send_file` says.
    #[inline]
    pub fn write_with(mut self, socket: BorrowedFd<'_>, send_file: SendFile) -> nix::Result<usize> {
        if self.late {
            self.unacknowledged(unacknowledged(socket));
            if !self.peer.reads {
                return Err(Errno::EAGAIN);
            }
        }
        let result = loop {
            match send_output(socket, self.bytes(), self.body(), send_file) {
                Err(Errno::EINTR) => {}
                result => break result,
            }
        };
        match result {
            Ok(count) if self.ends_with(count) && has_unread(socket) => self.unread(),
            Err(Errno::EAGAIN) => self.unacknowledged(unacknowledged(socket)),
            _ => {}
        }
        result
    }
}

/// One system call.
#[inline]
fn send_output(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    body: Option<&Body>,
    send_file: SendFile,
) -> nix::Result<usize> {
    let fd = socket.as_raw_fd();
    // Without MSG_NOSIGNAL a write after the peer's reset would raise SIGPIPE, whose default action ends the
    // process. (Rust's runtime ignores SIGPIPE; the flag says that we do not depend on it.)
    match (bytes, body) {
        (bytes, None) => send(fd, bytes, MsgFlags::MSG_NOSIGNAL),
        (bytes, Some(body @ Body::Pattern { .. })) => {
            let both = [IoSlice::new(bytes), IoSlice::new(body.filler())];
            sendmsg::<()>(fd, &both, &[], MsgFlags::MSG_NOSIGNAL, None)
        }
        (&[], Some(Body::File { file, offset, left })) => {
            match send_file(socket, file, *offset, (*left).min(MAX_WRITE as u64) as usize)? {
                0 => Err(Errno::EIO),
                count => Ok(count),
            }
        }
        (bytes, Some(Body::File { .. })) => send(fd, bytes, MsgFlags::MSG_NOSIGNAL | MSG_MORE),
    }
}

/// Sends bytes of a file with sendfile(2): the kernel refers to the file's pages and copies nothing.
///
/// # Errors
/// What sendfile(2) says.
pub fn send_file(socket: BorrowedFd<'_>, file: &File, offset: u64, max: usize) -> nix::Result<usize> {
    sendfile(socket, file, Some(&mut (offset as off_t)), max)
}

/// How many bytes the kernel holds that the peer has not acknowledged (`SIOCOUTQ`, tcp(7)). A peer that reads
/// slowly lets this shrink long before the socket becomes writable: epoll reports that only when a third of
/// its buffer is free.
pub fn unacknowledged(socket: BorrowedFd<'_>) -> u32 {
    let mut count = 0;
    // SAFETY: the descriptor is open for as long as it is borrowed, and the kernel writes one c_int.
    match unsafe { siocoutq(socket.as_raw_fd(), &mut count) } {
        Ok(_) => count as u32,
        // Not a TCP socket: the amount is unknown, and a constant shows no progress.
        Err(_) => 0,
    }
}

/// [`Session::would_block`] for a loop that reads this socket. While the server drains, a lingering close
/// ends as soon as the peer's kernel has all the replies: a reset destroys only what has not reached it.
#[inline]
pub fn would_block(socket: BorrowedFd<'_>, session: &mut Session, now: &LoopContext) -> bool {
    if now.draining && session.is_lingering() && unacknowledged(socket) == 0 {
        session.ended();
        return true;
    }
    session.would_block(now)
}

// ANCHOR: has-unread
/// Whether bytes have arrived that are still unread (`SIOCINQ`, tcp(7)). close(2) with such bytes sends a
/// reset instead of an orderly end, and the kernel throws away what it has not sent yet: the tail of a reply.
pub fn has_unread(socket: BorrowedFd<'_>) -> bool {
    let mut count = 0;
    // SAFETY: the descriptor is open for as long as it is borrowed, and the kernel writes one c_int.
    unsafe { siocinq(socket.as_raw_fd(), &mut count) }.is_ok_and(|_| count > 0)
}
// ANCHOR_END: has-unread

nix::ioctl_read_bad!(
    /// See tcp(7), where it is called SIOCINQ too.
    siocinq,
    nix::libc::FIONREAD,
    nix::libc::c_int
);

nix::ioctl_read_bad!(
    /// See tcp(7).
    siocoutq,
    nix::libc::TIOCOUTQ,
    nix::libc::c_int
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::protocol::http::{Http, Limits, Settings};
    use crate::session::{Next, Timeouts};
    use nix::sys::socket::{setsockopt, sockopt};
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::sync::Arc;

    /// Protects the server from a peer that does not read, for which the kernel lets its buffer grow: room is
    /// no sign of the peer, but what it has taken is.
    #[test]
    fn room_in_a_larger_buffer_wins_no_time() {
        const IDLE_MS: u32 = 1_000;
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut peer = TcpStream::connect(listener.local_addr().expect("bound")).expect("queued");
        let (socket, _) = listener.accept().expect("it is there");
        socket.set_nonblocking(true).expect("possible");
        setsockopt(&socket, sockopt::SndBuf, &(64 * 1024)).expect("possible");
        let mut now = Clock::new().last().clone();
        let timeouts = Timeouts { idle_ms: IDLE_MS, header_ms: IDLE_MS };
        let http = Http::new(Arc::new(Settings { limits: Limits::default(), root: None }));
        let mut session = Session::new(Box::new(http), timeouts, &now);
        session.received(b"GET /bytes/1000000000 HTTP/1.1\r\nHost: x\r\n\r\n", &now);
        // Whether the session is over when no more can be written.
        let mut write = |now: &LoopContext| loop {
            match session.next(now) {
                Next::Write(output) => match output.write_to(&socket) {
                    Ok(count) => session.sent(count, now),
                    Err(Errno::EAGAIN) => {
                        if !session.would_block(now) {
                            return false;
                        }
                    }
                    Err(error) => panic!("{error}"),
                },
                next => return matches!(next, Next::Close),
            }
        };
        assert!(!write(&now), "there is time");
        peer.read_exact(&mut vec![0; 100_000]).expect("so many have left");
        now.ms += u64::from(IDLE_MS);
        assert!(!write(&now), "it has read");
        // What its kernel has taken for it counts, once.
        for round in 1.. {
            now.ms += u64::from(IDLE_MS);
            setsockopt(&socket, sockopt::SndBuf, &((64 + round * 64) * 1024)).expect("possible");
            if write(&now) {
                break;
            }
            assert!(round < 3, "it has read nothing since");
        }
    }

    /// The end of the peer's bytes is none of them.
    #[test]
    fn unread_bytes_are_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut peer = TcpStream::connect(listener.local_addr().expect("bound")).expect("queued");
        let (mut socket, _) = listener.accept().expect("it is there");
        assert!(!has_unread(socket.as_fd()));
        peer.write_all(b"x").expect("sent");
        drop(peer);
        // It waits until the byte is there, and leaves it.
        socket.peek(&mut [0]).expect("arrived");
        assert!(has_unread(socket.as_fd()));
        socket.read_exact(&mut [0]).expect("there");
        assert!(!has_unread(socket.as_fd()));
    }
}
