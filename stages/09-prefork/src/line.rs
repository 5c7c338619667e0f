//! What parent and child say to each other: one byte each way.
//!
//! A socket pair, both ends non-blocking. Seed 002 tells why: a parent that blocks in a write to a full pipe, and a child
//! that waits to be told, wait for each other for ever.

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socketpair};
use nix::unistd::read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// One end of a line.
#[derive(Debug)]
pub struct Line {
    socket: OwnedFd,
}

/// Both ends of a new line.
///
/// # Errors
/// What socketpair(2) says.
pub fn line() -> nix::Result<(Line, Line)> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let (one, other) = socketpair(AddressFamily::Unix, SockType::Stream, None, flags)?;
    Ok((Line { socket: one }, Line { socket: other }))
}

impl Line {
    /// Says something. False if the other side has not listened for so long that the line is full, or is gone.
    pub fn say(&self) -> bool {
        send(self.socket.as_raw_fd(), b"!", MsgFlags::MSG_NOSIGNAL) == Ok(1)
    }

    /// Takes what the other side has said. False if it has said nothing.
    pub fn hear(&self) -> bool {
        let mut words = [0; 256];
        loop {
            match read(&self.socket, &mut words) {
                Ok(count) => return count > 0,
                Err(Errno::EINTR) => {}
                Err(_) => return false,
            }
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody ever waits on a line, neither for room nor for words.
    #[test]
    fn a_line_never_blocks() {
        let (one, other) = line().expect("a pair");
        assert!(!other.hear());
        let said = (0..1_000_000).take_while(|_| one.say()).count();
        assert!(said < 1_000_000, "it is never full");
        assert!(other.hear() && one.say());
        drop(other);
        assert!(!one.say());
    }
}
