//! The loop of stage 01.

use kit::blocking::{SocketTimeouts, end_of_input, would_block};
use kit::clock::Clock;
use kit::listener::accept_blocking;
use kit::options::{Options, ProtocolKind};
use kit::session::{Next, Session};
use kit::shutdown::{ShutdownGuard, wake_accept_on_shutdown};
use kit::start::{announce, listen};
use nix::errno::Errno;
use nix::sys::socket::SockFlag;
use nix::unistd::read;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// How many bytes one read takes at most.
pub const READ_BUFFER: usize = 64 * 1024;

// ANCHOR: run
/// Serves one connection at a time until the server must stop. Errors: why it cannot listen or accept.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options, SockFlag::empty(), ProtocolKind::Echo)?;
    wake_accept_on_shutdown(listener.as_fd());
    announce(&listener)?;
    let (mut clock, mut buffer) = (Clock::new(), vec![0; READ_BUFFER]);
    while let Some(socket) = accept_blocking(listener.as_fd())? {
        // An error concerns this connection only.
        let _ = serve(socket.as_fd(), sessions.open(clock.read()), &mut buffer);
        drop(socket); // close(2)
    }
    Ok(())
}
// ANCHOR_END: run

/// Serves one connection until either side ends it; every call may block. Errors: why it was lost.
// ANCHOR: serve
pub fn serve(socket: BorrowedFd<'_>, mut session: Session, buffer: &mut [u8]) -> nix::Result<()> {
    let mut clock = Clock::new();
    let guard = ShutdownGuard::new(socket); // a shutdown wakes this thread too
    let mut timeouts = SocketTimeouts::new(socket, &session, clock.last())?;
    // ANCHOR: conversation
    loop {
        timeouts.update(&session, clock.last())?;
        match session.next(clock.last()) {
            Next::Read => match read(socket, buffer) {
                Ok(0) => end_of_input(socket, &mut session, clock.read()),
                Ok(count) => session.received(&buffer[..count], clock.read()),
                // The timeout of the socket is over, or a signal came.
                Err(Errno::EAGAIN | Errno::EINTR) => _ = would_block(socket, &mut session, clock.read()),
                Err(error) => return Err(error),
            },
            Next::Write(output) => {
                let count = output.write_to(socket)?;
                session.sent(count, clock.read());
                timeouts.check_progress(count, clock.last())?;
            }
            Next::Work(work) => session.finished(work.run(), clock.read()),
            Next::ShutdownWrite => guard.shutdown_write()?,
            Next::Close => return Ok(()),
        }
    }
    // ANCHOR_END: conversation
}
// ANCHOR_END: serve
