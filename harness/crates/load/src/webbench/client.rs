//! One client: a process that fetches until its alarm fires, and what it counted.

use lab_core::wire::{Part, Reader};
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::socket::{self, AddressFamily, Shutdown, SockFlag, SockType, SockaddrStorage};
use nix::unistd;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

static EXPIRED: AtomicBool = AtomicBool::new(false);

/// What clients have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests whose connection was read to its end and closed, whatever came.
    pub succeeded: u64,
    /// Requests that ended in an error.
    pub failed: u64,
    /// Bytes read, heads included.
    pub bytes: u64,
}

/// What the replies of clients were. The counting does not look at it; the user is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Replies {
    /// A reply had a status of 2xx. From then on no other is looked at.
    pub(super) has_success: bool,
    /// The last status before that; 0 if none was seen.
    pub(super) last_status: u16,
    /// Reads the reply until its status is known.
    reader: Option<Reader>,
}

impl Replies {
    /// A reply begins.
    fn begin(&mut self) {
        self.reader = (!self.has_success).then(Reader::default);
    }

    fn look(&mut self, mut piece: &[u8]) {
        let Some(reader) = &mut self.reader else { return };
        loop {
            match reader.next(&mut piece) {
                Ok(None) => return,
                // RFC 9110 section 15.2: the reply is still to come.
                Ok(Some(Part::Head(head))) if head.is_interim() => {}
                Ok(Some(Part::Head(head))) => {
                    self.last_status = head.status;
                    self.has_success = (200..300).contains(&head.status);
                    break;
                }
                Ok(Some(Part::Content(_) | Part::End)) | Err(_) => break,
            }
        }
        self.reader = None;
    }
}

/// How one client fetches.
#[derive(Clone, Debug)]
pub(super) struct Client<'a> {
    pub(super) addr: SocketAddr,
    pub(super) request: &'a [u8],
    /// HTTP/0.9: the end of the request is the end of the stream.
    pub(super) shut_after_request: bool,
    pub(super) wait_for_reply: bool,
}

impl Client<'_> {
    /// Fetches for so many seconds.
    pub(super) fn run(&self, seconds: u32) -> nix::Result<(Tally, Replies)> {
        arm_alarm(seconds)?;
        let (mut tally, mut replies) = (Tally::default(), Replies::default());
        // Relaxed: the handler runs on this thread.
        while !EXPIRED.load(Ordering::Relaxed) {
            match self.fetch(&mut tally.bytes, &mut replies) {
                Ok(()) => tally.succeeded += 1,
                Err(_) => tally.failed += 1,
            }
        }
        // The request that the alarm interrupted is not the server's failure.
        tally.failed = tally.failed.saturating_sub(1);
        Ok((tally, replies))
    }

    /// One request on its own connection.
    fn fetch(&self, bytes: &mut u64, replies: &mut Replies) -> nix::Result<()> {
        let stream = self.connect()?;
        if unistd::write(&stream, self.request)? != self.request.len() {
            return Err(Errno::EIO);
        }
        if self.shut_after_request {
            socket::shutdown(stream.as_raw_fd(), Shutdown::Write)?;
        }
        if self.wait_for_reply {
            let mut piece = [0; 1500];
            replies.begin();
            // A reply that the alarm cuts between two reads counts as whole; one cut inside a read failed.
            while !EXPIRED.load(Ordering::Relaxed) {
                match unistd::read(&stream, &mut piece)? {
                    0 => break,
                    count => {
                        *bytes += count as u64;
                        replies.look(&piece[..count]);
                    }
                }
            }
        }
        unistd::close(stream.into_raw_fd())
    }

    /// Connects. Not by std, which would connect again after the alarm.
    fn connect(&self) -> nix::Result<OwnedFd> {
        let family = if self.addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let stream = socket::socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        socket::connect(stream.as_raw_fd(), &SockaddrStorage::from(self.addr))?;
        Ok(stream)
    }
}

extern "C" fn on_alarm(_: i32) {
    EXPIRED.store(true, Ordering::Relaxed);
    // Again in a second: an alarm between the check and a read that never returns would be lost.
    nix::unistd::alarm::set(1);
}

fn arm_alarm(seconds: u32) -> nix::Result<()> {
    // No SA_RESTART: the alarm has to end a read.
    let action = SigAction::new(SigHandler::Handler(on_alarm), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler stores to an atomic and calls alarm(2); both are async-signal-safe.
    unsafe { sigaction(Signal::SIGALRM, &action) }?;
    nix::unistd::alarm::set(seconds);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_found_wherever_the_pieces_end() {
        let refused = b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 400 Bad Request\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        for size in 1..refused.len() {
            let mut replies = Replies::default();
            for _ in 0..2 {
                replies.begin();
                refused.chunks(size).for_each(|piece| replies.look(piece));
            }
            // What follows the head is its body, whatever it looks like.
            assert_eq!((replies.has_success, replies.last_status), (false, 400), "in pieces of {size}");
            replies.begin();
            b"HTTP/1.0 204 No Content\r\n\r\n".chunks(size).for_each(|piece| replies.look(piece));
            assert_eq!((replies.has_success, replies.last_status), (true, 204), "in pieces of {size}");
        }
        let mut replies = Replies::default();
        replies.begin();
        replies.look(b"Hello, World!");
        assert_eq!((replies.has_success, replies.last_status), (false, 0));
    }
}
