//! The loop of stage 02.

use crate::children;
use blocking_echo::{READ_BUFFER, serve};
use kit::clock::Clock;
use kit::listener::accept_blocking;
use kit::options::{Options, ProtocolKind};
use kit::shutdown::wake_accept_on_shutdown;
use kit::start::{announce, listen};
use nix::sys::socket::SockFlag;
use std::io;
use std::os::fd::AsFd;

// ANCHOR: loop
/// Forks a child for each connection until the server must stop. Errors: why it cannot listen or accept.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options, SockFlag::empty(), ProtocolKind::Http)?;
    children::reap_on_sigchld(options.max_connections)?; // New in 02
    wake_accept_on_shutdown(listener.as_fd());
    announce(&listener)?;
    let mut clock = Clock::new();
    children::wait_for_room(); // New in 02
    while let Some(socket) = accept_blocking(listener.as_fd())? {
        let session = sessions.open(clock.read());
        // New in 02: the child runs the closure. The parent drops it, and its copy of the socket with it: if
        // no child could be started, that closes the connection.
        let _ = children::spawn(move || {
            let _ = serve(socket.as_fd(), session, &mut vec![0; READ_BUFFER]);
        });
        children::wait_for_room(); // New in 02
    }
    drop(listener);
    children::stop_all(); // New in 02
    Ok(())
}
// ANCHOR_END: loop
