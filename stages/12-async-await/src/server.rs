//! The loop of stage 01 once more, with `.await` where it blocked.

use crate::blocking::BlockingPool;
use crate::executor::Executor;
use crate::options::Options;
use crate::socket::{Buffer, Listener, Socket};
use kit::options::ProtocolKind;
use kit::session::{Next, Session};
use kit::socket::would_block;
use kit::start::{Sessions, listen};
use nix::errno::Errno;
use nix::sys::socket::SockFlag;
use reuseport_shards::shards::{self, ShardOptions};
use reuseport_shards::steering::Steer;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many bytes one read takes at most.
pub const READ_BUFFER: usize = 64 * 1024;

/// What the shards share.
struct Shared {
    sessions: Sessions,
    pool: Arc<BlockingPool>,
    max: usize,
    /// Open connections of all shards. Relaxed: a count for a limit, which orders no other memory.
    open: AtomicUsize,
}

/// Serves from one executor per shard until the server must stop. Errors: why it cannot listen, accept or
/// wait.
pub fn run(options: Options) -> io::Result<()> {
    run_tasks(options, |socket, session, buffer, pool| async move {
        // An error concerns this connection only.
        let _ = serve(socket, session, &buffer, &pool).await;
    })
}

/// [`run`] with another task for each connection.
///
/// # Errors
/// As [`run`].
pub fn run_tasks<F: Future<Output = ()> + 'static>(
    options: Options,
    task: impl Fn(Socket, Session, Rc<Buffer>, Arc<BlockingPool>) -> F + Copy + Sync + 'static,
) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let (backlog, max) = (options.common.backlog, options.common.max_connections);
    let pool = Arc::new(BlockingPool::start(options.blocking_threads)?);
    let shared = &Arc::new(Shared { sessions, pool, max, open: AtomicUsize::new(0) });
    let how_many = ShardOptions { count: options.workers, steer: Steer::Hash };
    // New in 12: an executor instead of stage 10's loop.
    let make = |listener| Ok((Executor::new()?, listener));
    let serve = |(executor, listener): (Rc<Executor>, OwnedFd)| {
        executor.run(accept(Rc::clone(&executor), listener, Arc::clone(shared), task))
    };
    shards::run(listener, backlog, SockFlag::SOCK_NONBLOCK, how_many, make, serve)
}

// ANCHOR: accept
/// Accepts, and lets a task serve each connection.
async fn accept<F: Future<Output = ()> + 'static>(
    executor: Rc<Executor>,
    listener: OwnedFd,
    shared: Arc<Shared>,
    task: impl Fn(Socket, Session, Rc<Buffer>, Arc<BlockingPool>) -> F,
) -> io::Result<()> {
    let buffer = Rc::new(Buffer::new(vec![0; READ_BUFFER]));
    let mut listener = Listener::new(executor.reactor(), listener, shared.max);
    while let Some(fd) = listener.accept(&shared.open).await? {
        let socket = Socket::new(executor.reactor(), fd);
        let session = shared.sessions.open(&socket.now());
        let conversation = task(socket, session, Rc::clone(&buffer), Arc::clone(&shared.pool));
        shared.open.fetch_add(1, Relaxed);
        let shared = Arc::clone(&shared);
        executor.spawn(async move {
            conversation.await;
            shared.open.fetch_sub(1, Relaxed);
        });
    }
    Ok(())
}
// ANCHOR_END: accept

/// Serves one connection until either side ends it; every `.await` may wait. Errors: why it was lost.
// ANCHOR: serve
pub async fn serve(
    mut socket: Socket,
    mut session: Session,
    buffer: &Buffer,
    pool: &BlockingPool,
) -> nix::Result<()> {
    // ANCHOR: conversation
    loop {
        socket.update_timeout(&session);
        let next = session.next(&socket.now());
        match next {
            Next::Read => match socket.read(buffer).await {
                Ok(0) => session.ended(),
                Ok(count) => session.received(&buffer.borrow()[..count], &socket.now()),
                // The deadline has passed, or the server stops.
                Err(Errno::EAGAIN | Errno::EINTR) => {
                    _ = would_block(socket.as_fd(), &mut session, &socket.now());
                }
                Err(error) => return Err(error),
            },
            Next::Write(output) => match socket.write(output).await {
                Ok(count) => session.sent(count, &socket.now()),
                Err(Errno::EAGAIN | Errno::EINTR) => _ = session.would_block(&socket.now()),
                Err(error) => return Err(error),
            },
            Next::Work(work) => {
                let answer = pool.run(work).await;
                session.finished(answer, &socket.now());
            }
            Next::ShutdownWrite => socket.shutdown_write(),
            Next::Close => return Ok(()),
        }
    }
    // ANCHOR_END: conversation
}
// ANCHOR_END: serve
