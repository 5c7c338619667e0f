//! The loop of stage 02's twin: the same server with a thread instead of a process.
//!
//! A thread shares the page tables, so it is cheaper to start. But the scheduler has just as many threads to
//! choose from.

use crate::semaphore::Semaphore;
use blocking_echo::{READ_BUFFER, serve};
use kit::clock::Clock;
use kit::listener::accept_blocking;
use kit::options::{Options, ProtocolKind};
use kit::shutdown::wake_accept_on_shutdown;
use kit::start::{announce, listen};
use kit::threads::spawn;
use nix::sys::socket::SockFlag;
use std::io;
use std::os::fd::AsFd;
use std::thread::{scope, sleep};
use std::time::Duration;

/// Starts a thread for each connection until the server must stop. Errors: why it cannot listen or accept.
// ANCHOR: loop
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options, SockFlag::empty(), ProtocolKind::Http)?;
    wake_accept_on_shutdown(listener.as_fd());
    announce(&listener)?;
    let mut clock = Clock::new();
    let semaphore = Semaphore::new(options.max_connections);
    // The scope waits for its threads: each finishes what is in flight.
    scope(|scope| {
        let mut permit = semaphore.acquire();
        while let Some(socket) = accept_blocking(listener.as_fd())? {
            let session = sessions.open(clock.read());
            let body = move || {
                let _permit = permit;
                let _ = serve(socket.as_fd(), session, &mut vec![0; READ_BUFFER]);
            };
            // The system allows no more threads: this connection is closed, the next ones wait in the
            // backlog.
            if spawn(scope, "connection", body).is_err() {
                sleep(Duration::from_millis(100));
            }
            permit = semaphore.acquire();
        }
        Ok(())
    })
}
// ANCHOR_END: loop
