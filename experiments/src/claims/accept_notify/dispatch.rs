//! **An exhibit:** source 002's parent and one of its children, as two threads. The parent watches the
//! listener and sends a word over a socket pair for each report of its epoll; the child, whose end of the
//! pair is edge-triggered, then accepts all that waits.

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, recv, send};
use nix::unistd::gettid;
use procfs::process::Process;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How many of `burst` connections a parent with one report for each of them accepts: all are there before it
/// looks. `takes_all`: it accepts until nothing waits.
pub(super) fn accepted(burst: usize, is_edge: bool, takes_all: bool) -> Result<usize> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let trigger = if is_edge { EpollFlags::EPOLLET } else { EpollFlags::empty() };
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN | trigger, 0))?;
    let addr = listener.local_addr()?;
    // The kernel shakes hands: a connection that is established on this side may not yet be in the queue.
    let clients = (0..burst).map(|_| TcpStream::connect(addr)).collect::<Result<Vec<_>, _>>()?;
    sleep(Duration::from_millis(20));
    let mut peers = Vec::new();
    // What is there was reported, or is not reported any more: a timeout of 0 is no race.
    while epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::ZERO)? == 1 {
        while let Ok((peer, _)) = listener.accept() {
            peers.push(peer);
            if !takes_all {
                break;
            }
        }
    }
    drop(clients);
    Ok(peers.len())
}

/// What became of the second of two connections that came while the child was busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Second {
    /// It was accepted.
    pub(super) is_served: bool,
    /// The parent waited in its send when the time was over.
    pub(super) parent_hangs: bool,
    /// How many words the parent had sent.
    pub(super) words: u64,
}

/// A connection comes while the child is busy, so the level-triggered parent notifies it again and again,
/// until the pair is full. Then the child serves it, and a second one comes. `blocks`: the parent's end of
/// the pair blocks. `drains`: the child reads all words of a report, not one. `limit`: how long it may take
/// to be served.
pub(super) fn second_connection(blocks: bool, drains: bool, limit: Duration) -> Result<Second> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let (near, far) = UnixStream::pair()?;
    near.set_nonblocking(!blocks)?;
    far.set_nonblocking(true)?;
    let parent = Parent::default();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| parent.run(&listener, &near));
        let outcome = child(&listener, &far, &parent, drains, limit);
        // Relaxed: nothing but the flag is handed over.
        parent.is_over.store(true, Relaxed);
        // A send that waits ends with an error.
        near.shutdown(std::net::Shutdown::Both)?;
        thread.join().map_err(|_| anyhow!("the parent panicked"))??;
        outcome
    })
}

/// The child: busy until the pair is full, then it serves.
fn child(
    listener: &TcpListener,
    far: &UnixStream,
    parent: &Parent,
    drains: bool,
    limit: Duration,
) -> Result<Second> {
    let addr = listener.local_addr()?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(far, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0))?;
    let _first = TcpStream::connect(addr)?;
    parent.await_full_pair()?;
    let served = serve(listener, &epoll, far, drains, Duration::ZERO)?;
    ensure!(served == 1, "the first connection was not served");
    let _second = TcpStream::connect(addr)?;
    let is_served = serve(listener, &epoll, far, drains, limit)? == 1;
    let parent_hangs = !is_served && parent.waits_in_its_send();
    Ok(Second { is_served, parent_hangs, words: parent.words.load(Relaxed) })
}

/// Waits for a report, reads one word or all, and accepts all that waits. Returns how many.
fn serve(
    listener: &TcpListener,
    epoll: &Epoll,
    far: &UnixStream,
    drains: bool,
    limit: Duration,
) -> Result<usize> {
    let start = Instant::now();
    loop {
        let left = limit.saturating_sub(start.elapsed());
        let timeout = EpollTimeout::try_from(left).context("the limit")?;
        if epoll.wait(&mut [EpollEvent::empty()], timeout)? == 1 {
            while recv(far.as_raw_fd(), &mut [0], MsgFlags::empty()).is_ok_and(|count| count > 0) && drains {}
            let mut accepted = 0;
            while listener.accept().is_ok() {
                accepted += 1;
            }
            if accepted > 0 {
                return Ok(accepted);
            }
        }
        if start.elapsed() >= limit {
            return Ok(0);
        }
    }
}

/// The parent, and what can be seen of it. Relaxed everywhere: flags and counts, which nothing else depends
/// on.
#[derive(Default)]
struct Parent {
    is_over: AtomicBool,
    /// Its thread, once it runs.
    tid: AtomicI32,
    /// It is about to send, sends, or has just sent.
    sends: AtomicBool,
    /// A send that does not block found the pair full.
    found_full: AtomicBool,
    words: AtomicU64,
}

impl Parent {
    /// A word for each report of the listener.
    fn run(&self, listener: &TcpListener, near: &UnixStream) -> Result<()> {
        self.tid.store(gettid().as_raw(), Relaxed);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        while !self.is_over.load(Relaxed) {
            if epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::from(10u8))? == 0 {
                continue;
            }
            self.sends.store(true, Relaxed);
            match send(near.as_raw_fd(), b"!", MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => drop(self.words.fetch_add(1, Relaxed)),
                // It goes on, and tries again at the next report.
                Err(Errno::EAGAIN) => self.found_full.store(true, Relaxed),
                Err(Errno::EINTR) => {}
                Err(_) if self.is_over.load(Relaxed) => return Ok(()),
                Err(error) => return Err(error).context("the parent's send"),
            }
            self.sends.store(false, Relaxed);
        }
        Ok(())
    }

    /// Whether its thread sleeps, and in no other call than its send.
    fn waits_in_its_send(&self) -> bool {
        let state = || -> Result<char> {
            let tid = self.tid.load(Relaxed);
            Ok(Process::myself()?.task_from_tid(tid)?.stat()?.state)
        };
        self.sends.load(Relaxed) && state().is_ok_and(|state| state == 'S')
    }

    /// Waits until no further word can be sent.
    fn await_full_pair(&self) -> Result<()> {
        const LIMIT: Duration = Duration::from_secs(10);
        let start = Instant::now();
        while !self.found_full.load(Relaxed) && !self.waits_in_its_send() {
            ensure!(start.elapsed() < LIMIT, "the pair did not become full");
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}
