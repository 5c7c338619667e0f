//! One client: a process that fetches until its alarm fires, and what it counted.

use lab_core::wire::{Part, Reader};
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::socket::{self, AddressFamily, Shutdown, SockFlag, SockType, SockaddrStorage};
use nix::unistd;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

static EXPIRED: AtomicBool = AtomicBool::new(false);

/// What clients have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Requests whose connection was read to its end and closed, whatever came.
    pub succeeded: u64,
    /// Requests that ended in an error.
    pub failed: u64,
    /// Bytes read, heads included.
    pub bytes: u64,
    /// The first 2xx that a reply had, or else the last status; 0 if there was none. The counting does not
    /// look at it; the user is told.
    pub status: u16,
}

impl Tally {
    /// Whether a reply was a 2xx. From then on no other is looked at.
    pub(super) fn has_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Looks for the status of the reply that `reader` reads, until it is known.
    fn look(&mut self, reader: &mut Option<Reader>, mut piece: &[u8]) {
        while let Some(parts) = reader {
            match parts.next(&mut piece) {
                Ok(None) => return,
                // RFC 9110 section 15.2: the reply is still to come.
                Ok(Some(Part::Head(head))) if head.is_interim() => continue,
                Ok(Some(Part::Head(head))) => self.status = head.status,
                Ok(Some(Part::Content(_) | Part::End)) | Err(_) => {}
            }
            *reader = None;
        }
    }

    /// Adds another client's counts.
    pub(super) fn add(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.bytes += other.bytes;
        if other.has_success() || !self.has_success() && other.status > 0 {
            self.status = other.status;
        }
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
    pub(super) fn run(&self, seconds: u32) -> nix::Result<Tally> {
        arm_alarm(seconds)?;
        let mut tally = Tally::default();
        // Relaxed: the handler runs on this thread.
        while !EXPIRED.load(Ordering::Relaxed) {
            match self.fetch(&mut tally) {
                Ok(()) => tally.succeeded += 1,
                Err(_) => tally.failed += 1,
            }
        }
        // The request that the alarm interrupted is not the server's failure.
        tally.failed = tally.failed.saturating_sub(1);
        Ok(tally)
    }

    /// One request on its own connection.
    fn fetch(&self, tally: &mut Tally) -> nix::Result<()> {
        let stream = self.connect()?;
        if unistd::write(&stream, self.request)? != self.request.len() {
            return Err(Errno::EIO);
        }
        if self.shut_after_request {
            socket::shutdown(stream.as_raw_fd(), Shutdown::Write)?;
        }
        if self.wait_for_reply {
            let mut piece = [0; 1500];
            let mut reader = (!tally.has_success()).then(Reader::default);
            // A reply that the alarm cuts between two reads counts as whole; one cut inside a read failed.
            while !EXPIRED.load(Ordering::Relaxed) {
                match unistd::read(&stream, &mut piece)? {
                    0 => break,
                    count => {
                        tally.bytes += count as u64;
                        tally.look(&mut reader, &piece[..count]);
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
        let look = |tally: &mut Tally, bytes: &[u8], size| {
            let mut reader = Some(Reader::default());
            bytes.chunks(size).for_each(|piece| tally.look(&mut reader, piece));
        };
        for size in 1..refused.len() {
            let mut tally = Tally::default();
            look(&mut tally, refused, size);
            look(&mut tally, refused, size);
            // What follows the head is its body, whatever it looks like.
            assert_eq!((tally.has_success(), tally.status), (false, 400), "in pieces of {size}");
            look(&mut tally, b"HTTP/1.0 204 No Content\r\n\r\n", size);
            assert_eq!((tally.has_success(), tally.status), (true, 204), "in pieces of {size}");
        }
        let mut tally = Tally::default();
        look(&mut tally, b"Hello, World!", 13);
        assert_eq!((tally.has_success(), tally.status), (false, 0));
    }

    #[test]
    fn one_success_of_one_client_is_enough() {
        let of = |status| Tally { status, ..Tally::default() };
        for (statuses, expected) in [([0, 404, 0], 404), ([404, 200, 500], 200), ([200, 404, 0], 200)] {
            let mut total = Tally::default();
            statuses.into_iter().for_each(|status| total.add(of(status)));
            assert_eq!(total.status, expected, "{statuses:?}");
        }
    }
}
