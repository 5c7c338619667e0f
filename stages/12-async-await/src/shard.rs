//! One executor per CPU, and what it serves with. Threads and listening sockets are those of stage 10.

use crate::blocking::BlockingPool;
use crate::executor::Executor;
use crate::options::Options;
use crate::socket::{Buffer, Listener, Open, Socket};
use kit::options::ProtocolKind;
use kit::session::Session;
use kit::start::{Sessions, listen};
use nix::sys::socket::SockFlag;
use reuseport_shards::shards::{self, ShardOptions};
use reuseport_shards::steering::Steer;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// How many bytes one read takes at most.
pub const READ_BUFFER: usize = 64 * 1024;

/// What one thread serves with.
pub struct Shard {
    executor: Rc<Executor>,
    listener: Listener,
    sessions: Sessions,
    /// Open connections of all shards. Relaxed: a count for a limit, which orders no other memory.
    open: Arc<AtomicUsize>,
    /// What its tasks read into.
    pub buffer: Rc<Buffer>,
    /// The threads for work that blocks, which all shards share.
    pub pool: Arc<BlockingPool>,
}

/// Lets an executor in each shard run what `main` makes of it, and everything that this spawns, until the
/// server must stop.
///
/// # Errors
/// Why the server cannot listen, or have as many threads.
pub fn run<F: Future<Output = io::Result<()>> + 'static>(
    options: Options,
    main: impl Fn(Shard) -> F + Sync,
) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let (backlog, max) = (options.common.backlog, options.common.max_connections);
    let pool = Arc::new(BlockingPool::start(options.blocking_threads, options.spin)?);
    let open = Arc::new(AtomicUsize::new(0));
    let how_many = ShardOptions { count: options.workers, steer: Steer::Hash };
    let make = |listener| {
        let executor = Executor::new()?;
        let listener = Listener::new(executor.reactor(), listener, max);
        let buffer = Rc::new(Buffer::new(vec![0; READ_BUFFER]));
        let (sessions, open, pool) = (sessions.clone(), Arc::clone(&open), Arc::clone(&pool));
        Ok(Shard { executor, listener, sessions, open, buffer, pool })
    };
    let serve = |shard: Shard| Rc::clone(&shard.executor).run(main(shard));
    shards::run(listener, backlog, SockFlag::SOCK_NONBLOCK, how_many, make, serve)
}

impl Shard {
    /// Waits for the next connection. `None` when the server must stop.
    ///
    /// # Errors
    /// As [`Listener::accept`].
    pub async fn accept(&mut self) -> io::Result<Option<(Socket, Session)>> {
        let Some(fd) = self.listener.accept(&self.open).await? else { return Ok(None) };
        let socket = Socket::new(self.executor.reactor(), fd, Open::count(&self.open));
        let session = self.sessions.open(&socket.now());
        Ok(Some((socket, session)))
    }

    /// Lets a task serve a connection.
    pub fn spawn(&self, task: impl Future + 'static) {
        self.executor.spawn(task);
    }
}
