//! The loop of stage 07, and its workers.

use crate::dispatch::{Desk, Dispatch, Dispatcher, Handover, dispatcher};
use clap::Parser;
use kit::clock::Clock;
use kit::listener::{Accepted, Acceptor};
use kit::options::Speak;
use kit::registry::{Registry, Token};
use kit::shutdown;
use kit::start::{Sessions, listen};
use kit::sweep::Sweep;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::SockFlag;
use nonblocking_epoll::connection::{BUFFER, Connection};
use oneshot::crew::Crew;
use oneshot::shared::Shared;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::scope;

/// Tokens that are no connection's: generations do not reach this far.
const LISTENER: Token = Token::MAX;
const SHUTDOWN: Token = Token::MAX - 1;

/// How many events are fetched at once.
const BATCH: usize = 256;

/// Stage 07: a queue per worker instead of one for all.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How connections get from the reactor to the workers.
    #[command(flatten)]
    pub handover: Handover,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}

/// The thread that waits.
struct Reactor<'scope> {
    crew: &'scope Crew,
    acceptor: Acceptor,
    sessions: Sessions,
    connections: Registry<Arc<Shared>>,
    clock: Clock,
    jobs: Dispatcher,
}

/// Waits in one thread and serves in others until the server must stop.
///
/// # Errors
/// Why it cannot listen, accept or wait.
pub fn run(options: Options) -> io::Result<()> {
    options.handover.check()?;
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, Speak::Http)?;
    let (jobs, desks) = dispatcher(&options.handover, options.common.max_connections)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    epoll.add(shutdown::event(), EpollEvent::new(EpollFlags::EPOLLIN, SHUTDOWN))?;
    let acceptor = Acceptor::new(listener, options.common.max_connections);
    let crew = Crew::new(epoll, options.handover.dispatch == Dispatch::RoundRobin);
    let (connections, clock) = (Registry::new(), Clock::new());
    scope(|threads| {
        for desk in desks {
            threads.spawn(|| work(&crew, desk));
        }
        Reactor { crew: &crew, acceptor, sessions, connections, clock, jobs }.serve()
    })
}

impl Reactor<'_> {
    /// The event loop: wait, then hand out what is ready.
    fn serve(mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); BATCH];
        let mut sweep = Sweep::default();
        while !self.clock.last().draining || self.crew.open() > 0 {
            let impatient = self.acceptor.is_paused() || self.clock.last().draining;
            let timeout = match self.jobs.retry() {
                true => EpollTimeout::from(1u8),
                false => Sweep::timeout(self.crew.open(), impatient),
            };
            let count = match self.crew.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            self.clock.read();
            for event in &events[..count] {
                match event.data() {
                    LISTENER => self.accept()?,
                    SHUTDOWN => self.stop()?,
                    token => self.ready(token),
                }
            }
            if self.acceptor.resumes(self.crew.open(), self.clock.last()) {
                self.watch_listener(EpollFlags::EPOLLIN)?;
            }
            if self.clock.last().draining && count == 0 {
                self.drain();
            }
            if sweep.is_due(self.clock.last()) {
                self.expire();
            }
        }
        Ok(())
    }

    /// Takes the connections that wait.
    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.acceptor.accept(self.crew.open(), self.clock.last())? {
                Accepted::Socket(socket) => {
                    let token = self.connections.token(socket.as_fd());
                    let session = self.sessions.open(self.clock.last());
                    let shared = Arc::new(Shared::new(Connection::new(socket, session), token));
                    // Before it is armed: a worker may close it, and its number be used again, at once.
                    self.connections.insert(token, Arc::clone(&shared));
                    self.crew.adopt(&shared);
                }
                Accepted::None => return Ok(()),
                Accepted::NoRoom => return self.watch_listener(EpollFlags::empty()),
            }
        }
    }

    /// Hands a connection to a worker.
    fn ready(&mut self, token: Token) {
        if let Some(shared) = self.connections.get_mut(token)
            && shared.enqueue()
        {
            self.jobs.send(Arc::clone(shared));
        }
    }

    /// Gives each connection whose time is over a turn, in which it ends.
    fn expire(&mut self) {
        let now = self.clock.last();
        for token in self.connections.select(|shared| shared.is_late(now)) {
            self.ready(token);
        }
    }

    /// Stops accepting.
    fn stop(&mut self) -> io::Result<()> {
        // Nobody reads the eventfd: left in, it would wake the loop for ever.
        self.crew.epoll.delete(shutdown::event())?;
        self.acceptor.close();
        self.drain();
        Ok(())
    }

    /// Gives each connection that is still open a last turn: a request may be in its socket already. Again and again, since
    /// a worker that had it in hand a moment ago may have looked for the shutdown too early.
    fn drain(&mut self) {
        for token in self.connections.select(|shared| shared.is_open()) {
            self.ready(token);
        }
    }

    fn watch_listener(&self, mask: EpollFlags) -> io::Result<()> {
        match self.acceptor.listener() {
            Some(listener) => Ok(self.crew.epoll.modify(listener, &mut EpollEvent::new(mask, LISTENER))?),
            None => Ok(()),
        }
    }
}

/// A worker: serves one job after the other.
fn work(crew: &Crew, mut desk: Desk) {
    let (mut clock, mut buffer) = (Clock::new(), vec![0; BUFFER]);
    while let Some(shared) = desk.recv() {
        shared.dequeue();
        crew.serve(&shared, &mut clock, &mut buffer);
    }
}
