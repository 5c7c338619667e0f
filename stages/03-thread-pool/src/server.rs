//! The loop of stage 03, and its workers.

use crate::options::Options;
use crate::queue::{Receiver, queue};
use blocking_echo::{READ_BUFFER, serve};
use fork_per_connection::semaphore::{Permit, Semaphore};
use kit::clock::Clock;
use kit::listener::accept_blocking;
use kit::options::ProtocolKind;
use kit::shutdown::wake_accept_on_shutdown;
use kit::start::{Sessions, announce, listen};
use kit::threads::spawn;
use nix::sys::socket::SockFlag;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::scope;

// ANCHOR: pool
/// Queues connections for a pool of threads until the server must stop. Errors: why it cannot listen or
/// accept.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::empty(), ProtocolKind::Http)?;
    wake_accept_on_shutdown(listener.as_fd());
    // New in 03: what waits in the queue counts as open too, so the queue itself never fills.
    let semaphore = Semaphore::new(options.common.max_connections);
    let (sender, receiver) = queue(options.common.max_connections);
    scope(|scope| {
        for _ in 0..options.workers {
            let receiver = receiver.clone();
            spawn(scope, "worker", || work(receiver, &sessions))?; // New in 03: once, not for each connection
        }
        announce(&listener)?;
        let mut permit = semaphore.acquire();
        while let Some(socket) = accept_blocking(listener.as_fd())? {
            let _ = sender.send((socket, permit)); // New in 03
            permit = semaphore.acquire();
        }
        // Without a sender the queue is closed: the workers finish what it holds, and end.
        drop(sender);
        Ok(())
    })
}
// ANCHOR_END: pool

// ANCHOR: worker
/// New in 03: a worker, which serves one connection after the other.
fn work(receiver: Receiver<(OwnedFd, Permit<'_>)>, sessions: &Sessions) {
    let (mut clock, mut buffer) = (Clock::new(), vec![0; READ_BUFFER]);
    while let Some((socket, _permit)) = receiver.recv() {
        // An error concerns this connection only.
        let _ = serve(socket.as_fd(), sessions.open(clock.read()), &mut buffer);
    }
}
// ANCHOR_END: worker
