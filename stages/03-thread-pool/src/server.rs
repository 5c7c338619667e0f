//! The loop of stage 03.

use crate::queue::{Receiver, queue};
use blocking_echo::serve::{BUFFER, serve};
use clap::Parser;
use kit::clock::Clock;
use kit::listener::wait_for_connection;
use kit::options::{Speak, workers};
use kit::room::{Place, Room};
use kit::shutdown::Sleeper;
use kit::start::{Sessions, listen};
use nix::sys::socket::SockFlag;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::scope;

/// Stage 03: a fixed number of threads behind one locked queue.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How many threads serve connections
    #[arg(long, value_name = "N", default_value = "4", value_parser = workers)]
    pub workers: usize,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}

/// Queues connections for a pool of threads until the server must stop.
///
/// # Errors
/// Why it cannot listen or accept.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::empty(), Speak::Http)?;
    let _sleeper = Sleeper::new(listener.as_fd());
    // What waits in the queue counts as open too, so the queue itself never fills.
    let room = Room::new(options.common.max_connections);
    let (sender, receiver) = queue(options.common.max_connections);
    // ANCHOR: pool
    scope(|threads| {
        for _ in 0..options.workers {
            let receiver = receiver.clone();
            threads.spawn(|| work(receiver, &sessions));
        }
        let mut place = room.enter();
        while let Some(socket) = wait_for_connection(listener.as_fd())? {
            let _ = sender.send((socket, place));
            place = room.enter();
        }
        // Without a sender the queue is closed: the workers finish what it holds, and end.
        drop(sender);
        Ok(())
    })
    // ANCHOR_END: pool
}

// ANCHOR: worker
/// A worker: serves one connection after the other.
fn work(receiver: Receiver<(OwnedFd, Place<'_>)>, sessions: &Sessions) {
    let mut clock = Clock::new();
    let mut buffer = vec![0; BUFFER];
    while let Some((socket, _place)) = receiver.recv() {
        let session = sessions.open(clock.read());
        // An error concerns this connection only.
        let _ = serve(socket, session, &mut buffer);
    }
}
// ANCHOR_END: worker
