//! Sending what waits in an outbox: the same code for blocking and for non-blocking sockets.
//!
//! The queued bytes and the beginning of a body leave in one call: `sendmsg(2)` gathers bytes and filler,
//! and in front of a file `MSG_MORE` lets the kernel join the head with what `sendfile(2)` brings.

use crate::outbox::{Body, Outbox};
use nix::errno::Errno;
use nix::sys::sendfile::sendfile;
use nix::sys::socket::{MsgFlags, send, sendmsg};
use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd};

/// How much one call sends at most, so that one fast reader of a large body does not hold a loop.
const TURN: usize = 1024 * 1024;

/// `MSG_MORE`, which nix does not name: more will follow, do not send a small packet yet (send(2)).
const MSG_MORE: MsgFlags = MsgFlags::from_bits_retain(nix::libc::MSG_MORE);

/// How a flush ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Everything was sent.
    All,
    /// The socket takes no more now: wait until it is writable. On a blocking socket: SO_SNDTIMEO is over.
    Blocked,
    /// The socket would take more, but it is somebody else's turn.
    Paused,
}

/// Sends from the outbox until it is empty, the socket is full, or 1 MiB was sent.
///
/// # Errors
/// What send(2) and sendfile(2) say, but `EAGAIN` and `EINTR`; `EIO` when a file shrank while it was being sent,
/// since the promised length cannot be kept.
pub fn flush(socket: BorrowedFd<'_>, outbox: &mut Outbox) -> nix::Result<Flushed> {
    let mut budget = TURN;
    while !outbox.is_empty() {
        match send_some(socket, outbox) {
            Ok(count) if count >= budget && !outbox.is_empty() => return Ok(Flushed::Paused),
            Ok(count) => budget = budget.saturating_sub(count),
            Err(Errno::EAGAIN) => return Ok(Flushed::Blocked),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Flushed::All)
}

/// How many bytes the kernel holds that the peer has not acknowledged (`SIOCOUTQ`, tcp(7)). A peer that reads slowly lets
/// this shrink long before the socket becomes writable: epoll reports that only when a third of its buffer is free.
pub fn unacknowledged(socket: BorrowedFd<'_>) -> u32 {
    let mut count = 0;
    // SAFETY: the descriptor is open for as long as it is borrowed, and the kernel writes one c_int.
    match unsafe { siocoutq(socket.as_raw_fd(), &mut count) } {
        Ok(_) => count as u32,
        // No TCP socket: nothing is known, so nothing seems to move.
        Err(_) => 0,
    }
}

/// Whether bytes have arrived that nobody has read (`SIOCINQ`, tcp(7)). close(2) with such bytes sends a reset instead of an
/// orderly end, and the kernel throws away what it has not sent yet: the tail of a reply.
pub fn has_unread(socket: BorrowedFd<'_>) -> bool {
    let mut count = 0;
    // SAFETY: the descriptor is open for as long as it is borrowed, and the kernel writes one c_int.
    unsafe { siocinq(socket.as_raw_fd(), &mut count) }.is_ok_and(|_| count > 0)
}

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

/// One system call.
fn send_some(socket: BorrowedFd<'_>, outbox: &mut Outbox) -> nix::Result<usize> {
    let fd = socket.as_raw_fd();
    // Without MSG_NOSIGNAL a write after the peer's reset would raise SIGPIPE, whose default action ends the
    // process. (Rust's runtime ignores SIGPIPE; the flag says that we do not depend on it.)
    let count = match outbox.parts() {
        (bytes, None) => send(fd, bytes, MsgFlags::MSG_NOSIGNAL)?,
        (bytes, Some(body @ Body::Pattern { .. })) => {
            let both = [IoSlice::new(bytes), IoSlice::new(body.filler())];
            sendmsg::<()>(fd, &both, &[], MsgFlags::MSG_NOSIGNAL, None)?
        }
        (&[], Some(Body::File { file, offset, left })) => {
            let mut from = *offset as nix::libc::off_t;
            let most = (*left).min(TURN as u64) as usize;
            match sendfile(socket, file, Some(&mut from), most)? {
                0 => return Err(Errno::EIO),
                count => count,
            }
        }
        (&[], Some(Body::Source { source, offset, left })) => {
            match source.send(socket, *offset, (*left).min(TURN as u64) as usize)? {
                0 => return Err(Errno::EIO),
                count => count,
            }
        }
        (bytes, Some(Body::File { .. } | Body::Source { .. })) => {
            send(fd, bytes, MsgFlags::MSG_NOSIGNAL | MSG_MORE)?
        }
    };
    outbox.advance(count);
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    /// The end of the peer's bytes is none of them.
    #[test]
    fn what_nobody_has_read_is_seen() {
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
