//! Sockets whose calls are futures: each tries, and waits where a blocking call would.

use crate::reactor::Reactor;
use crate::source::{Event, READ, Source, WRITE};
use crate::timer::{Sleep, timeout};
use kit::clock::LoopContext;
use kit::listener::{Accepted, Acceptor};
use kit::output::Output;
use kit::session::Session;
use kit::socket::would_block;
use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;
use nix::sys::socket::{Shutdown, shutdown};
use nix::unistd::read;
use std::cell::{Ref, RefCell};
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

/// What is read into: one for all tasks of a thread. It is whose turn it is until the next `.await`.
pub type Buffer = RefCell<Vec<u8>>;

/// While accepting is paused, how often to look whether there is room again; and how often a connection looks
/// whether the server may end.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a write costs of a turn, in reads: stage 04's four writes, or 1 MiB.
const WRITE_COST: u32 = 4;
const READ_COST_BYTES: usize = 64 * 1024;

/// A connection.
pub struct Socket {
    // Dropped before the descriptor is closed.
    source: Source,
    /// What SO_RCVTIMEO and SO_SNDTIMEO are in stage 01.
    timer: Sleep,
    fd: OwnedFd,
    _open: Open,
}

/// One of the open connections, for as long as it lives.
pub struct Open(Arc<AtomicUsize>);

impl Open {
    /// Counts one more.
    pub fn count(open: &Arc<AtomicUsize>) -> Self {
        // Relaxed, here and below: a count for a limit, which orders no other memory.
        open.fetch_add(1, Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Socket {
    /// A connection from a non-blocking socket.
    pub fn new(reactor: &Rc<Reactor>, fd: OwnedFd, open: Open) -> Self {
        let timer = Sleep::until(Rc::clone(reactor), u64::MAX);
        Self { source: Source::new(Rc::clone(reactor)), timer, fd, _open: open }
    }

    /// The time of the last wake-up. To be dropped before the next `.await`.
    pub fn now(&self) -> Ref<'_, LoopContext> {
        self.source.reactor().now()
    }

    /// Lets a call that waits fail with `EAGAIN` at the session's deadline.
    pub fn update_timeout(&mut self, session: &Session) {
        let mut deadline = session.deadline().unwrap_or(u64::MAX);
        // Nothing tells us when the peer has the last of what it was sent, and then the server may end.
        if session.is_lingering() && self.now().draining {
            deadline = deadline.min(self.now().ms + LOOK_AGAIN.as_millis() as u64);
        }
        self.timer.reset(deadline);
    }

    // ANCHOR: read
    /// Reads what has arrived, waiting for it. Returns how many bytes, 0 at the end.
    ///
    /// # Errors
    /// What read(2) says; `EAGAIN` after the deadline, as with SO_RCVTIMEO (socket(7)); `EINTR` once, when
    /// the server begins to stop.
    pub async fn read(&mut self, buffer: &Buffer) -> nix::Result<usize> {
        loop {
            let interrupted = self.wait(READ).await?;
            let mut buffer = buffer.borrow_mut();
            match (read(&self.fd, &mut buffer), interrupted) {
                (Ok(count), _) => {
                    self.source.reactor().spend(1);
                    if count < buffer.len() {
                        self.source.emptied();
                    }
                    return Ok(count);
                }
                (Err(Errno::EAGAIN), None) => self.source.blocked(READ),
                (Err(Errno::EAGAIN), Some(reason)) => return Err(reason),
                (Err(Errno::EINTR), _) => {}
                (Err(error), _) => return Err(error),
            }
        }
    }
    // ANCHOR_END: read

    /// Writes what the socket takes of the output, waiting for room. Returns how many bytes.
    ///
    /// # Errors
    /// What [`Output::write_to`] says, and as [`Socket::read`].
    pub async fn write(&mut self, mut output: Output<'_>) -> nix::Result<usize> {
        loop {
            let interrupted = self.wait(WRITE).await?;
            match (output.reborrow().write_to(&self.fd), interrupted) {
                (Ok(count), _) => {
                    self.source.reactor().spend(WRITE_COST.max((count / READ_COST_BYTES) as u32));
                    return Ok(count);
                }
                (Err(Errno::EAGAIN), None) => self.source.blocked(WRITE),
                (Err(Errno::EAGAIN), Some(reason)) => return Err(reason),
                (Err(error), _) => return Err(error),
            }
        }
    }

    /// What `future` returns, which waits for something else than the peer. If the connection is lost before,
    /// the future is dropped, and with it what it has asked for.
    ///
    /// # Errors
    /// `ECONNRESET`: nobody is left who would read the answer. What epoll_ctl(2) says.
    pub async fn unless_lost<T>(&self, future: impl Future<Output = T>) -> nix::Result<T> {
        let mut future = pin!(future);
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => {
                let lost = self.source.poll_lost(self.fd.as_fd(), context);
                lost.map(|lost| lost.and(Err(Errno::ECONNRESET)))
            }
        })
        .await
    }

    /// A read was in vain: see [`would_block`].
    pub fn would_block(&self, session: &mut Session) -> bool {
        would_block(self.fd.as_fd(), session, &self.now())
    }

    /// Shuts the sending side.
    pub fn shutdown_write(&self) {
        // It fails only when the peer has reset the connection, which the next read says too.
        let _ = shutdown(self.fd.as_raw_fd(), Shutdown::Write);
    }

    /// Waits until a call may succeed. With `Some` it should be tried for the last time: what it then says is
    /// the reason to give up.
    async fn wait(&mut self, direction: EpollFlags) -> nix::Result<Option<Errno>> {
        // Nearly every write, and each read behind an event: no timer is looked at.
        if self.source.is_ready(direction) {
            return Ok(None);
        }
        match timeout(&mut self.timer, self.source.ready(self.fd.as_fd(), direction)).await {
            None => Ok(Some(Errno::EAGAIN)),
            Some(Ok(Event::Stop)) => Ok(Some(Errno::EINTR)),
            Some(Ok(Event::Ready)) => Ok(None),
            Some(Err(error)) => Err(error),
        }
    }
}

/// The listening socket.
pub struct Listener {
    source: Source,
    acceptor: Acceptor,
}

impl Listener {
    /// Accepts from a non-blocking socket while fewer than `max` connections are open.
    pub fn new(reactor: &Rc<Reactor>, fd: OwnedFd, max: usize) -> Self {
        Self { source: Source::new(Rc::clone(reactor)), acceptor: Acceptor::new(fd, max) }
    }

    /// Waits for the next connection, while there is room for it. `None` when the server must stop and no
    /// connection is left that the kernel had accepted before. `open` counts the open ones.
    ///
    /// # Errors
    /// What epoll_ctl(2) and accept4(2) say, but the errors of a single connection and of a lack of
    /// descriptors.
    pub async fn accept(&mut self, open: &AtomicUsize) -> io::Result<Option<OwnedFd>> {
        let reactor = Rc::clone(self.source.reactor());
        while let Some(fd) = self.acceptor.listener() {
            if self.source.ready(fd, READ).await? == Event::Stop {
                self.acceptor.drain();
            }
            let accepted = self.acceptor.try_accept(open.load(Relaxed), &reactor.now())?;
            match accepted {
                Accepted::Socket(socket) => {
                    reactor.spend(1);
                    return Ok(Some(socket));
                }
                Accepted::None => self.source.blocked(READ),
                // It ends when the server stops, too: then there is room for all that wait.
                Accepted::NoRoom => {
                    while !reactor.now().draining
                        && !self.acceptor.ends_pause(open.load(Relaxed), &reactor.now())
                    {
                        Sleep::new(Rc::clone(&reactor), LOOK_AGAIN).await;
                    }
                }
            }
        }
        Ok(None)
    }
}
