//! The same conversation on tokio: its reactor, its timers, and an executor of several threads that steal
//! tasks from each other.
//!
//! A task may be polled by another thread after each `.await`. So its future must be `Send`, and nothing of a
//! thread may be held across an `.await`: the bytes that were read are handed to the session in the same
//! poll, and a reply that the socket has no room for is asked for again when it has.

use crate::options::{Options, SpinOn};
use crate::shard::READ_BUFFER;
use kit::clock::Clock;
use kit::listener::{Accepted, Acceptor, address_of};
use kit::options::ProtocolKind;
use kit::session::{Next, Session};
use kit::shutdown;
use kit::socket::{unacknowledged, would_block};
use kit::start::{Sessions, announce_address, listen};
use nix::sys::socket::{Shutdown, SockFlag};
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Poll, ready};
use std::thread::available_parallelism;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::select;
use tokio::sync::{mpsc, watch};
use tokio::task::{consume_budget, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until};

/// While accepting is paused, how often to look whether there is room again; and how often a connection looks
/// whether the server may end.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A deadline for what has none.
const FOR_EVER: Duration = Duration::from_secs(86_400);

thread_local! {
    /// One for all tasks that this thread polls.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BUFFER]);
}

/// Serves on tokio's runtime until the server must stop. Errors: why it cannot listen, accept or wait.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let workers = options.workers.map_or_else(|| available_parallelism().map(usize::from), Ok)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(options.blocking_threads)
        .enable_all()
        .build()?;
    let result = runtime.block_on(accept(listener, sessions, &options));
    // A job may take longer than the server has.
    runtime.shutdown_background();
    result
}

/// Accepts, and lets a task serve each connection; waits for all of them at the end.
async fn accept(listener: OwnedFd, sessions: Sessions, options: &Options) -> io::Result<()> {
    let (stop_sender, mut stop) = watch::channel(false);
    let stop_event = readable(shutdown::event())?;
    tokio::spawn(async move {
        // The eventfd is never read, so it stays readable: one look is enough.
        let _ = stop_event.readable().await;
        let _ = stop_sender.send(true);
    });
    announce_address(address_of(listener.as_fd())?)?;
    let (open, spin) = (Arc::new(AtomicUsize::new(0)), options.spin);
    // Nothing is ever sent: the last sender is dropped when the last connection has ended.
    let (alive, mut ended) = mpsc::channel::<Infallible>(1);
    let readiness = readable(listener.as_fd())?;
    let (mut acceptor, mut clock) = (Acceptor::new(listener, options.common.max_connections), Clock::new());
    while acceptor.is_open() {
        if clock.read().draining {
            acceptor.drain();
        }
        match acceptor.try_accept(open.load(Relaxed), clock.last())? {
            Accepted::Socket(socket) => {
                let socket = TcpStream::from_std(net::TcpStream::from(socket))?;
                let (session, stop) = (sessions.open(clock.last()), stop.clone());
                let (open, alive) = (Arc::clone(&open), alive.clone());
                open.fetch_add(1, Relaxed);
                tokio::spawn(async move {
                    // An error concerns this connection only.
                    let _ = serve(socket, session, stop, spin).await;
                    open.fetch_sub(1, Relaxed);
                    drop(alive);
                });
            }
            // The edge is forgotten before the next try, so none is lost between the two.
            Accepted::None => select! {
                guard = readiness.readable() => guard?.clear_ready(),
                _ = stop.changed() => {}
            },
            Accepted::NoRoom => {
                while !clock.read().draining && !acceptor.ends_pause(open.load(Relaxed), clock.last()) {
                    sleep(LOOK_AGAIN).await;
                }
            }
        }
    }
    drop((readiness, alive));
    let _ = ended.recv().await;
    Ok(())
}

/// Lets tokio's reactor watch a duplicate of the descriptor, which is open for as long as it is watched.
fn readable(fd: BorrowedFd<'_>) -> io::Result<AsyncFd<OwnedFd>> {
    let duplicate = fd.try_clone_to_owned()?;
    // SAFETY: the result owns the descriptor, and so keeps it open.
    Ok(unsafe { AsyncFd::register_with_interest(duplicate, Interest::READABLE) }?)
}

/// Serves one connection until either side ends it; every `.await` may wait. Errors: why it was lost.
async fn serve(
    mut socket: TcpStream,
    mut session: Session,
    mut stop: watch::Receiver<bool>,
    spin: SpinOn,
) -> io::Result<()> {
    let mut clock = Clock::new();
    loop {
        let deadline = deadline(&session, &mut clock);
        match session.next(clock.last()) {
            Next::Read => {
                let receive = poll_fn(|context| {
                    BUFFER.with_borrow_mut(|buffer| {
                        let mut bytes = ReadBuf::new(buffer);
                        ready!(Pin::new(&mut socket).poll_read(context, &mut bytes))?;
                        match bytes.filled() {
                            [] => session.ended(),
                            bytes => session.received(bytes, clock.read()),
                        }
                        Poll::Ready(Ok(()))
                    })
                });
                if until(deadline, &mut stop, receive).await?.is_none() {
                    would_block(socket.as_fd(), &mut session, clock.read());
                }
            }
            Next::Write(output) => {
                match socket.try_io(Interest::WRITABLE, || Ok(output.write_to(socket.as_fd())?)) {
                    Ok(count) => {
                        session.sent(count, clock.read());
                        // A peer that takes all it is sent would have this thread to itself.
                        consume_budget().await;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        // tokio does not even try while it knows of no room, so nobody has looked.
                        session.unacknowledged(unacknowledged(socket.as_fd()));
                        if !session.would_block(clock.read()) {
                            until(deadline, &mut stop, socket.writable()).await?;
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
            Next::Work(work) => {
                let answer = match spin.is_inline(&work) {
                    true => work.run(),
                    false => spawn_blocking(|| work.run()).await?,
                };
                session.finished(answer, clock.read());
            }
            Next::ShutdownWrite => {
                let _ = nix::sys::socket::shutdown(socket.as_raw_fd(), Shutdown::Write);
            }
            Next::Close => return Ok(()),
        }
    }
}

/// What `future` returns; `None` after the deadline, or once when the server begins to stop.
async fn until<T>(
    deadline: Instant,
    stop: &mut watch::Receiver<bool>,
    future: impl Future<Output = io::Result<T>>,
) -> io::Result<Option<T>> {
    select! {
        biased;
        result = future => result.map(Some),
        // Its sender is gone when the server has stopped: then only the deadline counts.
        Ok(()) = stop.changed() => Ok(None),
        () = sleep_until(deadline) => Ok(None),
    }
}

/// The session's deadline, in tokio's time.
fn deadline(session: &Session, clock: &mut Clock) -> Instant {
    let now = clock.read();
    let left = session.deadline().map_or(FOR_EVER, |at| Duration::from_millis(at.saturating_sub(now.ms)));
    // Nothing tells us when the peer has the last of what it was sent, and then the server may end.
    let soon = session.is_lingering() && now.draining;
    Instant::now() + if soon { left.min(LOOK_AGAIN) } else { left }
}
