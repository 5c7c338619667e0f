//! **A server that waits on purpose,** as source 000's does for a client that speaks HTTP/1.0: it answers at
//! once, keeps the connection, and closes it when a scan finds that nothing has come for a while.

use anyhow::{Result, anyhow};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 13\r\n\r\nHello, World!";
const LISTENER: u64 = u64::MAX;

/// When a connection is closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// How often idle connections are looked for.
    pub(super) scan: Duration,
    /// How long a connection may be idle.
    pub(super) timeout: Duration,
    /// Or at once, behind the reply.
    pub(super) closes: bool,
}

/// The server, on a thread of its own.
pub(super) struct Keeper {
    pub(super) addr: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<Duration>>>,
}

impl Keeper {
    pub(super) fn start(policy: Policy) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let (addr, stop) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&stop);
        let thread = spawn(move || serve(&listener, policy, &told));
        Ok(Self { addr, stop, thread })
    }

    /// Ends it, and returns how long each connection was kept.
    pub(super) fn stop(self) -> Result<Vec<Duration>> {
        // Relaxed: nothing but the flag is handed over.
        self.stop.store(true, Relaxed);
        self.thread.join().map_err(|_| anyhow!("the server panicked"))?
    }
}

struct Connection {
    stream: TcpStream,
    accepted: Instant,
    last: Instant,
    request: Vec<u8>,
}

fn serve(listener: &TcpListener, policy: Policy, stop: &AtomicBool) -> Result<Vec<Duration>> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let mut connections: BTreeMap<u64, Connection> = BTreeMap::new();
    let (mut kept, mut scanned) = (Vec::new(), Instant::now());
    while !stop.load(Relaxed) {
        let mut events = [EpollEvent::empty(); 64];
        // Rounded up to a millisecond; and the flag is looked at now and then.
        let pause = policy.scan.min(Duration::from_millis(20)).max(Duration::from_millis(1));
        let count = epoll.wait(&mut events, EpollTimeout::try_from(pause)?).unwrap_or(0);
        for event in &events[..count] {
            if event.data() == LISTENER {
                accept(listener, &epoll, &mut connections)?;
                continue;
            }
            let Some(connection) = connections.get_mut(&event.data()) else { continue };
            if !connection.answer() || policy.closes {
                kept.extend(
                    connections.remove(&event.data()).map(|connection| connection.accepted.elapsed()),
                );
            }
        }
        if scanned.elapsed() >= policy.scan {
            scanned = Instant::now();
            connections.retain(|_, connection| {
                let is_idle = connection.last.elapsed() >= policy.timeout;
                kept.extend(is_idle.then(|| connection.accepted.elapsed()));
                !is_idle
            });
        }
    }
    Ok(kept)
}

fn accept(listener: &TcpListener, epoll: &Epoll, connections: &mut BTreeMap<u64, Connection>) -> Result<()> {
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(true)?;
        let (key, now) = (stream.as_raw_fd() as u64, Instant::now());
        epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, key))?;
        connections.insert(key, Connection { stream, accepted: now, last: now, request: Vec::new() });
    }
    Ok(())
}

impl Connection {
    /// Reads, and answers a whole request. Returns whether the client is still there.
    fn answer(&mut self) -> bool {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(0) => return false,
            Ok(count) => self.request.extend_from_slice(&piece[..count]),
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
        self.last = Instant::now();
        if self.request.ends_with(b"\r\n\r\n") {
            self.request.clear();
            return self.stream.write_all(REPLY).is_ok();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the exhibit: it must answer at once and close late, or at once where it is told to.
    #[test]
    fn it_answers_at_once_and_closes_by_its_timer() {
        for (timeout, closes) in [(200, false), (60_000, true)] {
            let (scan, timeout) = (Duration::from_millis(1), Duration::from_millis(timeout));
            let keeper = Keeper::start(Policy { scan, timeout, closes }).expect("it starts");
            let mut client = TcpStream::connect(keeper.addr).expect("it listens");
            let start = Instant::now();
            client.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("it reads");
            let mut reply = [0; REPLY.len()];
            client.read_exact(&mut reply).expect("it answers");
            assert_eq!(client.read(&mut [0]).expect("it closes"), 0);
            let took = start.elapsed();
            assert!(if closes { took < timeout } else { took >= timeout }, "{took:?}");
            assert_eq!(keeper.stop().expect("it ends").len(), 1);
        }
    }
}
