//! A server, as applications and other threads hold it.

mod counting;

use crate::application::Application;
use crate::capacity::capacity;
use crate::event_loop::EventLoop;
use crate::processes;
use crate::server::Reactor;
use crate::settings::Settings;
use crate::worker::Worker;
use kit::connection_table::Token;
use kit::error::failed;
use kit::listener::{address_of, bind_to};
use kit::shutdown;
use loop_per_thread::remote::Remote;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::SockFlag;
use nix::unistd::{Pid, getpid};
use prefork::scoreboard::Slot;
use std::fmt::{Debug, Formatter};
use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A connection, named for as long as its server runs. The descriptor's number is a part of it, and so is a
/// *generation*: the next connection that is given the same number has another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    pub(crate) worker: u32,
    pub(crate) token: Token,
}

impl ConnectionId {
    /// The worker whose loop has it: an index into [`Server::counters`].
    pub fn worker(self) -> usize {
        self.worker as usize
    }

    /// The number of the descriptor, which is used again once the connection is closed.
    pub fn descriptor(self) -> u32 {
        self.token as u32
    }
}

/// A server. A clone is the same server: any thread may hold one.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    address: SocketAddrV4,
    /// Until the server runs.
    listener: Mutex<Option<OwnedFd>>,
    root_pid: Pid,
    capacity: usize,
    /// SeqCst, as `running`: `stop` stores and then looks for the reactor, `run` makes the reactor known and
    /// then looks here, and at least one of them sees the other.
    stopping: AtomicBool,
    running: OnceLock<Running>,
    /// In one of several processes: where all of them see how many connections this one has.
    slot: OnceLock<&'static Slot>,
    next_worker: AtomicUsize,
    next_task: AtomicU64,
}

/// What there is once the loops are there.
struct Running {
    workers: Vec<Worker>,
    reactor: Remote<Reactor>,
}

/// Making, running and stopping.
impl Server {
    /// Listens on the address of the settings, and raises the limit on descriptors.
    ///
    /// # Errors
    /// Why it cannot listen, or handle signals.
    pub fn new(settings: Settings) -> io::Result<Self> {
        capacity().map_err(failed("setrlimit"))?;
        if settings.signals {
            shutdown::install()?;
        }
        let listener =
            bind_to(settings.addr, settings.backlog, SockFlag::SOCK_NONBLOCK).map_err(|error| {
                let text = format!("cannot listen on {}: {}", settings.addr, error.desc());
                io::Error::new(io::Error::from(error).kind(), text)
            })?;
        Self::with_listener(listener, settings)
    }

    /// [`Server::new`] on a non-blocking socket that listens already. Where the settings ask for signals,
    /// [`shutdown::install`] was called before.
    ///
    /// # Errors
    /// What getsockname(2) and getrlimit(2) say.
    pub fn with_listener(listener: OwnedFd, settings: Settings) -> io::Result<Self> {
        let address = address_of(listener.as_fd()).map_err(failed("getsockname"))?.into();
        let limit = capacity().map_err(failed("getrlimit"))?;
        let capacity = settings.max_connections.unwrap_or(limit);
        let shared = Shared {
            settings,
            address,
            listener: Mutex::new(Some(listener)),
            root_pid: getpid(),
            capacity,
            stopping: AtomicBool::new(false),
            running: OnceLock::new(),
            slot: OnceLock::new(),
            next_worker: AtomicUsize::new(0),
            next_task: AtomicU64::new(0),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Serves until the server is stopped. With several processes this forks: the calling process must have a
    /// single thread then, and the children never return from here.
    ///
    /// # Errors
    /// Why it cannot serve, fork, accept or wait; `AlreadyExists` when it runs or has run.
    pub fn run(&self, application: impl Application) -> io::Result<()> {
        let listener = self.shared.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ran = || io::Error::new(io::ErrorKind::AlreadyExists, "a server runs once");
        let listener = listener.ok_or_else(ran)?;
        let application: Arc<dyn Application> = Arc::new(application);
        match self.settings().processes {
            ..=1 => Reactor::new(listener, self.clone(), application)?.run(None),
            _ => processes::run(listener, self, application),
        }
    }

    /// Stops the server of this process, from any thread: its protocols are told, what is queued is still
    /// sent, and [`Server::run`] returns within two seconds. One process of several is replaced by its
    /// parent.
    pub fn stop(&self) {
        self.shared.stopping.store(true, SeqCst);
        if let Some(running) = self.shared.running.get() {
            running.reactor.queue_in_loop(Reactor::stop);
        }
    }

    /// Stops the server in all its processes, from any thread of any of them.
    pub fn stop_all(&self) {
        if self.settings().processes > 1 {
            // The parent passes it on.
            let _ = kill(self.root_pid(), Signal::SIGTERM);
        } else {
            self.stop();
        }
    }

    /// The loops are there. Returns whether the server was stopped before.
    pub(crate) fn set_running(&self, workers: Vec<Worker>, reactor: Remote<Reactor>) -> bool {
        let _ = self.shared.running.set(Running { workers, reactor });
        self.shared.stopping.load(SeqCst)
    }
}

/// What it is, and what it counts.
impl Server {
    /// What it was built from.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddrV4 {
        self.shared.address
    }

    /// The process that made the server: with several processes, the parent of those that serve.
    pub fn root_pid(&self) -> Pid {
        self.shared.root_pid
    }

    /// How many connections the server may have, all its processes together.
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }
}

/// For the loops and the tasks.
impl Server {
    /// Empty before the server runs.
    pub(crate) fn workers(&self) -> &[Worker] {
        self.shared.running.get().map_or(&[], |running| &running.workers)
    }

    /// Runs something on a worker's loop.
    pub(crate) fn queue(&self, worker: usize, task: impl FnOnce(&mut EventLoop) + Send + 'static) {
        let Some(worker) = self.workers().get(worker) else { return };
        worker.state.counters.tasks.fetch_add(1, Relaxed);
        worker.remote.queue_in_loop(task);
    }

    /// The worker whose turn it is.
    pub(crate) fn next_worker(&self) -> usize {
        self.shared.next_worker.fetch_add(1, Relaxed) % self.workers().len().max(1)
    }

    pub(crate) fn next_task(&self) -> u64 {
        self.shared.next_task.fetch_add(1, Relaxed)
    }
}

impl Debug for Server {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").field("address", &self.address()).finish_non_exhaustive()
    }
}
