//! The loop of stage 01.

use crate::serve::{BUFFER, serve};
use clap::Parser;
use kit::clock::Clock;
use kit::listener::wait_for_connection;
use kit::options::Speak;
use kit::shutdown::Sleeper;
use kit::start::listen;
use nix::sys::socket::SockFlag;
use std::io;
use std::os::fd::AsFd;

/// Stage 01: accept, read, write, repeat.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}

/// Serves one connection after the other until the server must stop.
///
/// # Errors
/// Why it cannot listen or accept.
pub fn run(options: Options) -> io::Result<()> {
    // ANCHOR: loop
    let (listener, sessions) = listen(&options.common, SockFlag::empty(), Speak::Echo)?;
    let _sleeper = Sleeper::new(listener.as_fd());
    let mut clock = Clock::new();
    let mut buffer = vec![0; BUFFER];
    while let Some(socket) = wait_for_connection(listener.as_fd())? {
        let session = sessions.open(clock.read());
        // An error concerns this connection only.
        let _ = serve(socket, session, &mut buffer);
    }
    Ok(())
    // ANCHOR_END: loop
}
