//! The main reactor of stage 13: it accepts, and hands out what it accepts.

mod loops;

use crate::application::Application;
use crate::event_loop::EventLoop;
use crate::handle::Server;
use crate::loop_clock::LoopClock;
use crate::processes::Child;
use descriptor_reserve::Reserve;
use kit::connection_table::{LISTENER, SHUTDOWN};
use kit::error::failed;
use kit::listener::Acceptor;
use kit::shutdown;
use kit::start::announce_address;
use kit::stderr::log_stderr;
use kit::timeout_scan::TimeoutScan;
use loop_per_thread::remote::Pending;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::{MsgFlags, send, setsockopt, sockopt};
use nix::unistd::read;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// How many events are fetched at once: there are three.
const MAX_EVENTS: usize = 3;

/// The token of the queue of tasks.
const TASKS: u64 = SHUTDOWN - 1;

/// How long connections may take after the server was stopped (ms).
const DRAIN_MS: u64 = shutdown::DRAIN_SECONDS as u64 * 1_000 - 200;

/// The main reactor: it has no connections of its own.
pub(crate) struct Reactor {
    epoll: Epoll,
    acceptor: Acceptor,
    pending: Pending<Reactor>,
    server: Server,
    application: Arc<dyn Application>,
    reserve: Reserve,
    clock: LoopClock,
    /// What was accepted and not handed out yet, for each worker.
    chosen: Vec<Vec<OwnedFd>>,
    /// When to wait no longer for connections to end (ms).
    end_ms: u64,
    child: Option<Arc<Child>>,
}

impl Reactor {
    /// A reactor that accepts from `listener`.
    ///
    /// # Errors
    /// Which system call failed.
    pub(crate) fn new(
        listener: OwnedFd,
        server: Server,
        application: Arc<dyn Application>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
        if let Some(bytes) = server.settings().send_buffer {
            // Accepted connections inherit it.
            setsockopt(&listener, sockopt::SndBuf, &bytes).map_err(failed("setsockopt"))?;
        }
        // With a message for those over the capacity, they are accepted too.
        let max = if server.settings().busy_message.is_some() { usize::MAX } else { server.capacity() };
        let acceptor = Acceptor::new(listener, max);
        acceptor.watch(&epoll).map_err(failed("epoll_ctl"))?;
        if server.settings().signals {
            shutdown::watch(&epoll).map_err(failed("epoll_ctl"))?;
        }
        let pending = Pending::new().map_err(failed("eventfd"))?;
        let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, TASKS);
        epoll.add(&pending, event).map_err(failed("epoll_ctl"))?;
        let (reserve, clock, end_ms) = (Reserve::new()?, LoopClock::new(), u64::MAX);
        let chosen = (0..server.settings().workers).map(|_| Vec::new()).collect();
        Ok(Self {
            epoll,
            acceptor,
            pending,
            server,
            application,
            reserve,
            clock,
            chosen,
            end_ms,
            child: None,
        })
    }

    /// Starts the loops and serves until the server is stopped.
    ///
    /// # Errors
    /// Why it cannot start, accept or wait.
    pub(crate) fn run(mut self, child: Option<Arc<Child>>) -> io::Result<()> {
        self.child = child;
        let (server, application) = (self.server.clone(), Arc::clone(&self.application));
        let ended = self.start_loops()?;
        application.on_init(&server);
        match &self.child {
            Some(child) => child.can_serve(),
            None if server.settings().announce => announce_address(server.address().into())?,
            None => {}
        }
        self.serve()?;
        for worker in 0..server.workers().len() {
            server.queue(worker, EventLoop::finish);
        }
        let left = self.end_ms.saturating_sub(self.clock.now().ms);
        let _ = ended.recv_timeout(Duration::from_millis(left));
        application.on_finish(&server);
        Ok(())
    }

    /// The event loop: wait, then hand out what has come.
    fn serve(&mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        while self.acceptor.is_open() && self.clock.now().ms < self.end_ms {
            let check_soon = self.acceptor.is_paused() || self.clock.now().draining;
            let count = match self.epoll.wait(&mut events, TimeoutScan::timeout(0, check_soon)) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(failed("epoll_wait")(error)),
            };
            self.clock.read();
            for event in &events[..count] {
                match event.data() {
                    LISTENER => self.accept()?,
                    SHUTDOWN => self.stop(),
                    TASKS => self.run_pending(),
                    _ => {}
                }
            }
            if self.acceptor.resume(&self.epoll, self.open(), self.clock.now())? {
                self.accept()?;
            }
        }
        Ok(())
    }

    /// How many connections there are, in all processes.
    fn open(&self) -> usize {
        self.child.as_ref().map_or_else(|| self.server.count(None), |child| child.open_in_all())
    }

    /// Runs what other threads have queued.
    fn run_pending(&mut self) {
        for task in self.pending.take() {
            task(self);
        }
    }

    /// Takes the connections that wait, and hands each worker its own at once.
    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..self.server.settings().backlog {
            let open = self.open();
            let Some(socket) = self.acceptor.accept(&self.epoll, open, self.clock.now())? else { break };
            self.reserve.accepted();
            self.child.iter().for_each(|child| child.accepted());
            match &self.server.settings().busy_message {
                Some(message) if open >= self.server.capacity() => refuse(&socket, message),
                _ => {
                    let worker = self.server.next_worker();
                    self.server.opened(worker);
                    self.chosen[worker].push(socket);
                }
            }
        }
        for (worker, chosen) in self.chosen.iter_mut().enumerate().filter(|(_, chosen)| !chosen.is_empty()) {
            let sockets = std::mem::take(chosen);
            self.server.queue(worker, |event_loop| {
                sockets.into_iter().for_each(|socket| event_loop.register(socket, None));
            });
        }
        self.shed();
        Ok(())
    }

    /// If accepting pauses since descriptors are missing, and for long, the peers that wait are turned away.
    fn shed(&mut self) {
        let exhausted = self.acceptor.is_paused() && self.open() < self.server.capacity();
        if let Some(listener) = self.acceptor.listener()
            && exhausted
            && let Some(count) = self.reserve.shed(listener, self.clock.now().ms)
        {
            log_stderr(format_args!("out of descriptors: {count} connections were shed"));
        }
    }

    /// Lets no new connection begin and tells the loops; the listener is closed once the connections that
    /// wait are accepted.
    pub(crate) fn stop(&mut self) {
        if self.clock.has_stopped() {
            return;
        }
        self.clock.stop();
        if self.server.settings().signals {
            let _ = shutdown::unwatch(&self.epoll);
        }
        self.end_ms = self.clock.now().ms + DRAIN_MS;
        match &self.child {
            None => self.acceptor.drain(),
            Some(child) => child.drain(&mut self.acceptor),
        }
        for worker in 0..self.server.workers().len() {
            self.server.queue(worker, EventLoop::stop);
        }
    }
}

/// Tells a peer that there is no room for it. What it has sent is read: a close with bytes unread is a reset,
/// which could destroy the message.
fn refuse(socket: &OwnedFd, message: &[u8]) {
    let _ = send(socket.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL);
    let _ = read(socket, &mut [0; 4096]);
}
