//! One client: a process that fetches until its alarm fires, and what it counted.

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
            match self.fetch(&mut tally.bytes) {
                Ok(()) => tally.succeeded += 1,
                Err(_) => tally.failed += 1,
            }
        }
        // The request that the alarm interrupted is not the server's failure.
        tally.failed = tally.failed.saturating_sub(1);
        Ok(tally)
    }

    /// One request on its own connection.
    pub(super) fn fetch(&self, bytes: &mut u64) -> nix::Result<()> {
        let stream = self.connect()?;
        if unistd::write(&stream, self.request)? != self.request.len() {
            return Err(Errno::EIO);
        }
        if self.shut_after_request {
            socket::shutdown(stream.as_raw_fd(), Shutdown::Write)?;
        }
        if self.wait_for_reply {
            let mut piece = [0; 1500];
            // A reply that the alarm cuts between two reads counts as whole; one cut inside a read failed.
            while !EXPIRED.load(Ordering::Relaxed) {
                match unistd::read(&stream, &mut piece)? {
                    0 => break,
                    count => *bytes += count as u64,
                }
            }
        }
        unistd::close(stream.into_raw_fd())
    }

    /// Connects. Not by std, which would connect again after the alarm.
    pub(super) fn connect(&self) -> nix::Result<OwnedFd> {
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
