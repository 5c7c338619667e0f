//! Waiting until something has happened to a socket.

use anyhow::{Result, ensure};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;

/// The peer has ended the connection, or its sending side: a FIN or a RST has come. nix lacks the name.
pub const PEER_ENDED: PollFlags = PollFlags::from_bits_retain(libc::POLLRDHUP);

/// Waits for an event; errors and the end of the connection count as one (poll(2)).
///
/// # Errors
/// When it does not come within five seconds.
pub fn await_event(socket: impl AsFd, event: PollFlags) -> Result<()> {
    let mut polled = [PollFd::new(socket.as_fd(), event)];
    let count = poll(&mut polled, PollTimeout::from(5000u16))?;
    ensure!(count > 0, "the event {:#x} did not come", event.bits());
    Ok(())
}
