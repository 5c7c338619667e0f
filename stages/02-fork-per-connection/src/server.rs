//! The loop of stage 02.

use crate::children;
use blocking_echo::serve::{BUFFER, serve};
use clap::Parser;
use kit::clock::Clock;
use kit::listener::wait_for_connection;
use kit::options::Speak;
use kit::shutdown::Sleeper;
use kit::start::listen;
use nix::sys::socket::SockFlag;
use std::io;
use std::os::fd::AsFd;

/// Stage 02: accept, then fork.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}

/// Forks a child for each connection until the server must stop.
///
/// # Errors
/// Why it cannot listen or accept.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::empty(), Speak::Http)?;
    let sleeper = Sleeper::new(listener.as_fd());
    let mut clock = Clock::new();
    // ANCHOR: loop
    children::reap_on_sigchld(options.common.max_connections)?;
    children::wait_for_room();
    while let Some(socket) = wait_for_connection(listener.as_fd())? {
        let session = sessions.open(clock.read());
        // In the parent the closure is dropped, and its copy of the socket with it. If no child could be started,
        // that closes the connection.
        let _ = children::spawn(|| {
            let _ = serve(socket, session, &mut vec![0; BUFFER]);
        });
        children::wait_for_room();
    }
    drop(sleeper);
    drop(listener);
    children::stop_all();
    // ANCHOR_END: loop
    Ok(())
}
