//! The loop of stage 06, and its workers.

use crate::options::Options;
use crate::reactor_shared::ReactorShared;
use crate::shared_connection::SharedConnection;
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
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent};
use nix::sys::socket::SockFlag;
use nonblocking_epoll::connection::{Connection, READ_BUFFER};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::scope;
use thread_pool::queue::{Receiver, Sender, queue};

/// How many events are fetched at once.
const MAX_EVENTS: usize = 256;

/// The thread that waits.
struct Reactor<'scope> {
    shared: &'scope ReactorShared, // New in 06
    acceptor: Acceptor,
    sessions: Sessions,
    connections: ConnectionTable<Arc<SharedConnection>>,
    clock: Clock,
    jobs: Sender<Arc<SharedConnection>>, // New in 06
}

/// Waits in one thread and serves in others until the server must stop. Errors: why it cannot listen, accept
/// or wait.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
    shutdown::watch(&epoll)?;
    let shared = ReactorShared::new(epoll, !options.no_oneshot);
    let (connections, clock) = (ConnectionTable::new(), Clock::new());
    // A connection is queued at most once, so the queue can fill only while the server drains: then more may
    // be open, and this thread waits for a worker.
    let (jobs, receiver) = queue(options.common.max_connections);
    scope(|scope| {
        // New in 06: this thread waits, and the workers serve.
        for _ in 0..options.workers {
            let receiver = receiver.clone();
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
            let timeout = TimeoutScan::timeout(self.shared.open(), check_soon);
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

    /// New in 06: queues a connection for whichever worker is free.
    fn handle_event(&mut self, token: Token) {
        if let Some(connection) = self.connections.get_mut(token)
            && connection.enqueue()
        {
            let _ = self.jobs.send(Arc::clone(connection));
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

/// New in 06: a worker, which serves one connection's turn after the other.
fn work(shared: &ReactorShared, jobs: Receiver<Arc<SharedConnection>>) {
    let (mut clock, mut buffer) = (Clock::new(), vec![0; READ_BUFFER]);
    while let Some(connection) = jobs.recv() {
        connection.dequeue();
        shared.serve(&connection, &mut clock, &mut buffer);
    }
}
