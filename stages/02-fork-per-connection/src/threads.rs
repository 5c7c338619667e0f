//! The loop of stage 02's twin: the same server with a thread instead of a process.
//!
//! A thread shares the page tables, so it is cheaper to start. The scheduler has as many to choose from.

use blocking_echo::serve::{BUFFER, serve};
use clap::Parser;
use kit::clock::Clock;
use kit::listener::wait_for_connection;
use kit::options::Speak;
use kit::room::Room;
use kit::shutdown::Sleeper;
use kit::start::listen;
use nix::sys::socket::SockFlag;
use std::io;
use std::os::fd::AsFd;
use std::thread::{Builder, scope, sleep};
use std::time::Duration;

/// Stage 02's twin: accept, then start a thread.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}

/// Starts a thread for each connection until the server must stop.
///
/// # Errors
/// Why it cannot listen or accept.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::empty(), Speak::Http)?;
    let _sleeper = Sleeper::new(listener.as_fd());
    let mut clock = Clock::new();
    let room = Room::new(options.common.max_connections);
    // The scope waits for its threads: each finishes what is in flight.
    scope(|threads| {
        let mut place = room.enter();
        while let Some(socket) = wait_for_connection(listener.as_fd())? {
            let session = sessions.open(clock.read());
            let body = move || {
                let _place = place;
                let _ = serve(socket, session, &mut vec![0; BUFFER]);
            };
            // The system allows no more threads: this connection is closed, the next ones wait in the backlog.
            if Builder::new().spawn_scoped(threads, body).is_err() {
                sleep(Duration::from_millis(100));
            }
            place = room.enter();
        }
        Ok(())
    })
}
