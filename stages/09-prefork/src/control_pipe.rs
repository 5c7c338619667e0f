//! What parent and child tell each other: a socket pair, both ends non-blocking.
//!
//! Source 002 tells why: a parent that blocks in a write to a full pipe, and a child that waits to be
//! notified, wait for each other for ever.
//!
//! | direction | message |
//! |---|---|
//! | parent to child | `!`: a connection waits |
//! | child to parent | `!`: "I can serve" once, then "I have accepted" after each notification |
//! | child to parent | any other text: why the child ends |

use kit::error::failed;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socketpair};
use nix::unistd::read;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

const NOTIFICATION: u8 = b'!';

/// One end of the pair.
#[derive(Debug)]
pub struct ControlPipe {
    socket: OwnedFd,
}

/// What the other side has sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Nothing new.
    Nothing,
    /// One notification or several.
    Notification,
    /// The child ends, for this reason.
    Failure(String),
    /// The other process has ended.
    Closed,
}

/// Both ends of a new pair.
///
/// # Errors
/// What socketpair(2) says.
pub fn control_pipe() -> io::Result<(ControlPipe, ControlPipe)> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let pair =
        socketpair(AddressFamily::Unix, SockType::Stream, None, flags).map_err(failed("socketpair"))?;
    Ok((ControlPipe { socket: pair.0 }, ControlPipe { socket: pair.1 }))
}

impl ControlPipe {
    /// Sends a notification. Returns false if the other process has not drained for so long that there is no
    /// room, or has ended.
    pub fn notify(&self) -> bool {
        self.send(&[NOTIFICATION]) == Ok(1)
    }

    /// In a child: tells the parent why it ends.
    pub fn fail(&self, error: &io::Error) {
        let _ = self.send(error.to_string().as_bytes());
    }

    /// Takes what the other side has sent.
    pub fn drain(&self) -> Received {
        let mut buffer = [0; 512];
        let count = loop {
            match read(&self.socket, &mut buffer) {
                Ok(0) => return Received::Closed,
                Ok(count) => break count,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Received::Nothing,
                Err(_) => return Received::Closed,
            }
        };
        match buffer[..count].iter().position(|&byte| byte != NOTIFICATION) {
            None => Received::Notification,
            Some(start) => Received::Failure(String::from_utf8_lossy(&buffer[start..count]).into_owned()),
        }
    }

    /// Waits until the other side has sent something or has ended, and takes it.
    pub fn wait(&self) -> Received {
        loop {
            // It fails only when a signal interrupts it.
            let _ = poll(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE);
            match self.drain() {
                Received::Nothing => {}
                received => return received,
            }
        }
    }

    fn send(&self, message: &[u8]) -> nix::Result<usize> {
        send(self.socket.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL)
    }
}

impl AsFd for ControlPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects both loops: neither process ever waits for the other, for room or for a message.
    #[test]
    fn a_control_pipe_never_blocks() {
        let (one, other) = control_pipe().expect("a pair");
        assert_eq!(other.drain(), Received::Nothing);
        let sent = (0..1_000_000).take_while(|_| one.notify()).count();
        assert!(sent < 1_000_000, "it is never full");
        assert_eq!(other.drain(), Received::Notification);
        while other.drain() == Received::Notification {}
        assert!(one.notify());
        drop(other);
        assert!(!one.notify());
    }

    /// Protects the one line that a server prints which cannot start its children.
    #[test]
    fn a_failure_arrives_behind_a_notification_and_then_the_end() {
        let (parent, child) = control_pipe().expect("a pair");
        assert!(child.notify());
        child.fail(&io::Error::other("epoll_wait: Bad address"));
        drop(child);
        assert_eq!(parent.wait(), Received::Failure("epoll_wait: Bad address".to_owned()));
        assert_eq!(parent.wait(), Received::Closed);
    }
}
