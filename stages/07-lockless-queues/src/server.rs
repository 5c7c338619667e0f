//! The loop of stage 07, and its workers.

use crate::dispatch::{Dispatch, Dispatcher, JobReceiver, dispatcher};
use crate::options::Options;
use kit::clock::Clock;
use kit::connection_table::{ConnectionTable, LISTENER, SHUTDOWN, Token};
use kit::error::failed;
use kit::listener::Acceptor;
use kit::options::ProtocolKind;
use kit::shutdown;
use kit::start::{Sessions, announce, listen};
use kit::threads::spawn;
use kit::timeout_scan::TimeoutScan;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};
use nix::sys::socket::SockFlag;
use nonblocking_epoll::connection::{Connection, READ_BUFFER};
use oneshot::reactor_shared::ReactorShared;
use oneshot::shared_connection::SharedConnection;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::scope;

/// How many events are fetched at once.
const MAX_EVENTS: usize = 256;

/// The thread that waits.
struct Reactor<'scope> {
    shared: &'scope ReactorShared,
    acceptor: Acceptor,
    sessions: Sessions,
    connections: ConnectionTable<Arc<SharedConnection>>,
    clock: Clock,
    jobs: Dispatcher, // New in 07
}

/// Waits in one thread and serves in others until the server must stop. Errors: why it cannot listen, accept
/// or wait.
pub fn run(options: Options) -> io::Result<()> {
    options.dispatching.check()?;
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let (jobs, receivers) = dispatcher(&options.dispatching, options.common.max_connections)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
    shutdown::watch(&epoll)?;
    let shared = ReactorShared::new(epoll, options.dispatching.dispatch == Dispatch::RoundRobin);
    let (connections, clock) = (ConnectionTable::new(), Clock::new());
    scope(|scope| {
        // New in 07: a receiver for each worker.
        for receiver in receivers {
            spawn(scope, "worker", || work(&shared, receiver))?;
        }
        announce(&listener)?;
        let acceptor = Acceptor::new(listener, options.common.max_connections);
        acceptor.watch(&shared.epoll)?;
        Reactor { shared: &shared, acceptor, sessions, connections, clock, jobs }.serve()
    })
}

impl Reactor<'_> {
    /// The event loop: wait, then hand out what is ready.
    fn serve(mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        let mut scan = TimeoutScan::default();
        while self.acceptor.is_open() || self.shared.open() > 0 {
            let check_soon = self.acceptor.is_paused() || self.clock.last().draining;
            // New in 07: a job that fitted into no queue is tried again soon.
            let timeout = match self.jobs.retry() {
                true => EpollTimeout::from(1u8),
                false => TimeoutScan::timeout(self.shared.open(), check_soon),
            };
            let count = match self.shared.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            self.clock.read();
            for event in &events[..count] {
                match event.data() {
                    LISTENER => self.accept()?,
                    SHUTDOWN => self.stop()?,
                    token => self.handle_event(token),
                }
            }
            if self.acceptor.resume(&self.shared.epoll, self.shared.open(), self.clock.last())? {
                self.accept()?;
            }
            if scan.is_due(self.clock.last()) {
                self.check_deadlines();
            }
        }
        Ok(())
    }

    /// Accepts the connections that wait, and registers them with epoll.
    fn accept(&mut self) -> io::Result<()> {
        while let Some(socket) =
            self.acceptor.accept(&self.shared.epoll, self.shared.open(), self.clock.last())?
        {
            let token = self.connections.token(socket.as_fd());
            let connection = Connection::new(socket, self.sessions.open(self.clock.last()));
            let connection = Arc::new(SharedConnection::new(connection, token));
            // It is inserted before it is registered: from then on a worker may close it at once, and its
            // descriptor number may be used again.
            self.connections.insert(token, Arc::clone(&connection));
            self.shared.register(&connection);
        }
        Ok(())
    }

    /// Hands a connection to the worker that the dispatcher chooses.
    fn handle_event(&mut self, token: Token) {
        if let Some(connection) = self.connections.get_mut(token)
            && connection.enqueue()
        {
            self.jobs.send(self.shared, Arc::clone(connection));
        }
    }

    /// Serves each connection whose deadline has passed for one more turn, which ends it if there is nothing
    /// left to read.
    fn check_deadlines(&mut self) {
        let now = self.clock.last();
        for token in self.connections.select(|connection| connection.is_late(now)) {
            self.handle_event(token);
        }
    }

    /// Begins the shutdown: no new connection begins, and the listener is closed once those that wait are
    /// accepted. From then on an idle connection counts as late.
    fn stop(&mut self) -> io::Result<()> {
        shutdown::unwatch(&self.shared.epoll)?;
        self.acceptor.drain();
        self.accept()
    }
}

/// A worker, which serves one connection's turn after the other.
fn work(shared: &ReactorShared, mut jobs: JobReceiver) {
    let (mut clock, mut buffer) = (Clock::new(), vec![0; READ_BUFFER]);
    while let Some((connection, answer)) = jobs.recv() {
        connection.dequeue();
        shared.serve_with(&connection, answer, &mut clock, &mut buffer);
    }
}
