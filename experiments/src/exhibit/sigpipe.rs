//! **A server that is broken on purpose.** It serves one connection: it reads the request, waits until the
//! peer has gone, and writes its reply in one write or in two, as a server does that sends head and body by
//! themselves. With the default action a SIGPIPE ends it.

use crate::measure::{PEER_ENDED, await_event};
use anyhow::{Context, Result, bail};
use nix::poll::PollFlags;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::write;
use std::io::{Read, Write};
use std::net::TcpListener;

/// `default|ignored 1|2`: what becomes of a SIGPIPE, and how many writes a reply takes.
pub(super) fn run(words: &[String]) -> Result<()> {
    let (action, writes) = match words {
        [action, writes] if action == "default" => (SigHandler::SigDfl, writes.parse::<u32>()?),
        [action, writes] if action == "ignored" => (SigHandler::SigIgn, writes.parse()?),
        _ => bail!("the exhibit takes default or ignored, and a number of writes"),
    };
    // Rust's runtime ignores SIGPIPE before `main`; a C program starts with the default action.
    // SAFETY: neither action runs code of ours.
    unsafe { signal(Signal::SIGPIPE, action) }?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let (mut peer, _) = listener.accept()?;
    peer.read(&mut [0; 1024]).context("the request")?;
    await_event(&peer, PEER_ENDED)?;
    for number in 0..writes {
        if number > 0 {
            // What the first write has provoked must have come: a RST.
            await_event(&peer, PollFlags::POLLHUP)?;
        }
        // write(2) and not std's, which is send(2) with MSG_NOSIGNAL. A careless server does not look at what
        // it returns.
        let _ = write(&peer, b"HTTP/1.1 200 OK\r\n");
    }
    Ok(())
}
