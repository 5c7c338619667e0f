//! The loop of stage 09, once in every child.

use crate::children::NewChild;
use crate::control_pipe::{ControlPipe, Received};
use crate::options::{Accept, Options};
use crate::scoreboard::{Scoreboard, Slot};
use edge_vs_level::trigger::{Drain, Trigger};
use kit::clock::Clock;
use kit::connection_table::{ConnectionTable, LISTENER, SHUTDOWN, Token};
use kit::error::failed;
use kit::listener::{Accepted, Acceptor};
use kit::shutdown;
use kit::start::Sessions;
use kit::timeout_scan::TimeoutScan;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nonblocking_epoll::connection::{Connection, READ_BUFFER, Turn};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// How many events are fetched at once.
const MAX_EVENTS: usize = 256;

/// How many connections a child takes when it was woken. Of 64 clients that connect at once, the first child
/// that is notified would else take all and keep them, while the others have nothing to do.
const MAX_ACCEPTS: usize = 8;

/// The server of one child: everything that its one thread looks after.
pub struct Server<'child> {
    epoll: Epoll,
    acceptor: Acceptor,
    sessions: Sessions,
    connections: ConnectionTable<Registration>,
    clock: Clock,
    buffer: Vec<u8>,
    how: Accept,                  // New in 09
    control: &'child ControlPipe, // New in 09
    /// The parent has notified this child of a connection, and has no answer yet.
    notified: bool, // New in 09
    scoreboard: Scoreboard,       // New in 09
    slot: &'static Slot,          // New in 09
}

/// A connection, and the events that epoll was last told to report for it.
struct Registration {
    connection: Connection,
    interest: EpollFlags,
}

impl<'child> Server<'child> {
    /// The server of a new child.
    ///
    /// # Errors
    /// What epoll_create1(2) and epoll_ctl(2) say.
    pub fn new(
        listener: OwnedFd,
        child: &'child NewChild,
        options: &Options,
        scoreboard: Scoreboard,
        sessions: Sessions,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
        let acceptor = Acceptor::new(listener, options.common.max_connections);
        shutdown::watch(&epoll).map_err(failed("epoll_ctl"))?;
        let (connections, clock, buffer) = (ConnectionTable::new(), Clock::new(), vec![0; READ_BUFFER]);
        let (how, control, slot) = (options.accept, &child.control, scoreboard.slot(child.slot));
        Ok(Self {
            epoll,
            acceptor,
            sessions,
            connections,
            clock,
            buffer,
            how,
            control,
            notified: false,
            scoreboard,
            slot,
        })
    }

    // ANCHOR: loop
    /// The event loop: wait, then serve what is ready.
    ///
    /// # Errors
    /// Why it cannot wait or accept, or that the parent has ended.
    pub fn serve(&mut self) -> io::Result<()> {
        self.watch_listener(true)?;
        self.control.notify(); // New in 09: from now on this child can serve.
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        let mut scan = TimeoutScan::default();
        while self.acceptor.is_open() || !self.connections.is_empty() {
            let check_soon = self.acceptor.is_paused() || self.clock.last().draining;
            let timeout = TimeoutScan::timeout(self.connections.len(), check_soon);
            let count = match self.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(failed("epoll_wait")(error)),
            };
            self.clock.read();
            for event in &events[..count] {
                match event.data() {
                    LISTENER => self.handle_wakeup()?,
                    SHUTDOWN => self.stop()?,
                    token => self.handle_event(token),
                }
            }
            if self.acceptor.ends_pause(self.scoreboard.open(), self.clock.last()) {
                self.watch_listener(!self.clock.last().draining)?;
                self.accept()?;
            }
            if scan.is_due(self.clock.last()) {
                self.check_deadlines();
            }
        }
        Ok(())
    }
    // ANCHOR_END: loop

    // ANCHOR: accept
    /// New in 09: a connection may wait. The parent says so, or the kernel.
    fn handle_wakeup(&mut self) -> io::Result<()> {
        self.slot.woken.fetch_add(1, Relaxed);
        if self.how == Accept::Notify {
            match self.control.drain() {
                Received::Notification => self.notified = true,
                Received::Closed => return Err(io::Error::other("the parent has ended")),
                _ => {}
            }
        }
        self.accept()
    }

    /// Takes the connections that wait, but not all of many; then answers the parent. Without room it does
    /// not answer, and is not notified again until there is some.
    fn accept(&mut self) -> io::Result<()> {
        // While the server stops, no other process may be left for them.
        let max = if self.clock.last().draining { usize::MAX } else { MAX_ACCEPTS };
        for _ in 0..max {
            match self.acceptor.try_accept(self.scoreboard.open(), self.clock.last())? {
                Accepted::Socket(socket) => self.register(socket),
                Accepted::None => break,
                Accepted::NoRoom => return self.watch_listener(false),
            }
        }
        if std::mem::take(&mut self.notified) {
            self.control.notify();
        }
        Ok(())
    }
    // ANCHOR_END: accept

    fn register(&mut self, socket: OwnedFd) {
        self.slot.accepted.fetch_add(1, Relaxed);
        let token = self.connections.token(socket.as_fd());
        let connection = Connection::new(socket, self.sessions.open(self.clock.last()));
        let interest = Trigger::Edge.interest(connection.interest());
        if self.epoll.add(&connection, EpollEvent::new(interest, token)).is_ok() {
            self.connections.insert(token, Registration { connection, interest });
            self.slot.open.store(self.connections.len(), Relaxed);
        }
    }

    /// Gives a connection its turn.
    fn handle_event(&mut self, token: Token) {
        let Some(Registration { connection, .. }) = self.connections.get_mut(token) else { return };
        let mut turn = Turn::Served;
        for reads in 0.. {
            turn = connection.handle_event(&mut self.buffer, self.clock.last());
            while let Turn::Work(work) = turn {
                let answer = work.run();
                turn = connection.finish_work(answer, &mut self.buffer, self.clock.read());
            }
            if !Drain::UntilWouldBlock.continues(&turn, reads) {
                break;
            }
        }
        self.update_interest(token, turn);
    }

    /// After a turn: asks epoll to look anew if we ended it early.
    fn update_interest(&mut self, token: Token, turn: Turn) {
        let Some(registration) = self.connections.get_mut(token) else { return };
        let ended = match turn {
            Turn::Close => true,
            turn if Drain::UntilWouldBlock.stopped_early(&turn) => self
                .epoll
                .modify(&registration.connection, &mut EpollEvent::new(registration.interest, token))
                .is_err(),
            _ => false,
        };
        if ended {
            // Closing the descriptor also takes it out of epoll, since it has no duplicate.
            self.connections.remove(token);
            self.slot.open.store(self.connections.len(), Relaxed);
        }
    }

    /// Gives each connection whose time is over a turn, in which it ends.
    fn check_deadlines(&mut self) {
        let now = self.clock.last();
        for token in self.connections.select(|registration| registration.connection.is_late(now)) {
            self.handle_event(token);
        }
    }

    // ANCHOR: stop
    /// Takes the connections that wait, and closes the listener. Then idle connections are late.
    fn stop(&mut self) -> io::Result<()> {
        shutdown::unwatch(&self.epoll)?;
        self.watch_listener(false)?;
        // New in 09: Acquire pairs with the parent's Release.
        if self.slot.stopping.load(Acquire) {
            // The parent has let all listeners refuse what is new.
            self.acceptor.drain_shared();
            self.accept()
        } else {
            // The signal was for this child alone: what waits is for the others, or for its successor.
            self.acceptor.close();
            Ok(())
        }
    }
    // ANCHOR_END: stop

    // ANCHOR: watch
    /// New in 09: watches for connections, or no longer. `EPOLLEXCLUSIVE` cannot be changed, only taken out
    /// and put in again.
    fn watch_listener(&self, watch: bool) -> io::Result<()> {
        let Some(listener) = self.acceptor.listener() else { return Ok(()) };
        let (fd, mask) = match self.how {
            Accept::Notify => (self.control.as_fd(), EpollFlags::EPOLLIN),
            Accept::Exclusive => (listener, EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE),
            Accept::Shared | Accept::Reuseport => (listener, EpollFlags::EPOLLIN),
        };
        match watch {
            true => match self.epoll.add(fd, EpollEvent::new(mask, LISTENER)) {
                Ok(()) | Err(Errno::EEXIST) => Ok(()),
                Err(error) => Err(failed("epoll_ctl")(error)),
            },
            // It is a shared descriptor, so closing it would not take it out.
            false => match self.epoll.delete(fd) {
                Ok(()) | Err(Errno::ENOENT) => Ok(()),
                Err(error) => Err(failed("epoll_ctl")(error)),
            },
        }
    }
    // ANCHOR_END: watch
}
