//! **An exhibit:** source 002's serial server with a clock around its calls. It accepts, reads a request,
//! writes a reply of 66 bytes and closes, one connection after the other.

use crate::measure::{Pinned, cpu};
use anyhow::{Context, Result, anyhow};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, socket};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{JoinHandle, spawn};
use std::time::Instant;

const REPLY: &[u8; 66] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\nA: b\r\n\r\nabc";

/// What the calls took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Times {
    /// Connections that were served.
    pub(super) served: u64,
    /// Nanoseconds in accept, which waits for a connection.
    pub(super) accept: u64,
    /// Nanoseconds in write.
    pub(super) write: u64,
    /// Nanoseconds in close.
    pub(super) close: u64,
}

/// The server, on a thread of its own on the first CPU.
pub(super) struct Serial {
    pub(super) addr: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Times>,
}

impl Serial {
    pub(super) fn start(backlog: i32) -> Result<Self> {
        // std has no other queue than one of 128.
        let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))?;
        listen(&socket, Backlog::new(backlog).context("the accept queue")?)?;
        let listener = TcpListener::from(socket);
        let (addr, stop) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let (told, first) = (Arc::clone(&stop), cpu(0));
        let thread = spawn(move || {
            let _pinned = Pinned::to(first);
            serve(&listener, &told)
        });
        Ok(Self { addr, stop, thread })
    }

    /// Ends it, and returns what its calls took.
    pub(super) fn stop(self) -> Result<Times> {
        // Relaxed: nothing but the flag is handed over.
        self.stop.store(true, Relaxed);
        // It waits for a connection.
        drop(TcpStream::connect(self.addr));
        self.thread.join().map_err(|_| anyhow!("the server panicked"))
    }
}

fn serve(listener: &TcpListener, stop: &AtomicBool) -> Times {
    let mut times = Times::default();
    let mut request = [0; 4096];
    loop {
        let start = Instant::now();
        let Ok((mut peer, _)) = listener.accept() else { continue };
        let accepted = Instant::now();
        if stop.load(Relaxed) {
            return times;
        }
        // A request of a generator is one segment.
        if !peer.read(&mut request).is_ok_and(|count| count > 0) {
            continue;
        }
        let before = Instant::now();
        let written = peer.write(REPLY);
        let after = Instant::now();
        drop(peer);
        let closed = Instant::now();
        if written.is_ok() {
            times.served += 1;
            times.accept += (accepted - start).as_nanos() as u64;
            times.write += (after - before).as_nanos() as u64;
            times.close += (closed - after).as_nanos() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_serves_one_after_the_other_and_counts() {
        let server = Serial::start(5).expect("it starts");
        for _ in 0..3 {
            let mut client = TcpStream::connect(server.addr).expect("it listens");
            client.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("it reads");
            let mut reply = Vec::new();
            client.read_to_end(&mut reply).expect("it closes");
            assert_eq!(reply, REPLY);
        }
        let times = server.stop().expect("it ends");
        assert_eq!(times.served, 3);
        assert!(times.write > 0 && times.close > 0 && times.accept > 0, "{times:?}");
    }
}
