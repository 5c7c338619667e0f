//! **A server that is broken on purpose.** It answers one connection after the other; told to stop, it closes
//! its listener at once, as a server does that thinks "no new connections from now on". The kernel resets
//! what waits in the accept queue.

use anyhow::{Result, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;

const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\nHello, World!";

/// It takes no words.
pub(super) fn run(words: &[String]) -> Result<()> {
    ensure!(words.is_empty(), "the exhibit takes no words");
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTERM);
    stop.thread_block()?;
    let stopped = SignalFd::with_flags(&stop, SfdFlags::SFD_CLOEXEC)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    loop {
        let mut polled = [&stopped.as_fd(), &listener.as_fd()].map(|fd| PollFd::new(*fd, PollFlags::POLLIN));
        poll(&mut polled, PollTimeout::NONE)?;
        let is_told = polled[0].any().unwrap_or(false);
        if is_told {
            drop(listener);
            return Ok(());
        }
        let (mut peer, _) = listener.accept()?;
        // A peer that has gone costs its own connection only.
        if peer.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {
            let _ = peer.write_all(REPLY);
        }
    }
}
