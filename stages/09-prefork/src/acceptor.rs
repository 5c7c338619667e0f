//! How a child learns that a connection waits, and how many of them it takes.
//!
//! The child's loop uses it as others use [`kit::listener::Acceptor`]. What epoll reports as [`LISTENER`] is
//! the listener or, with `--accept notify`, the control pipe.

use crate::children::NewChild;
use crate::control_pipe::{ControlPipe, Received};
use crate::options::{Accept, Options};
use crate::scoreboard::{Scoreboard, Slot};
use kit::clock::LoopContext;
use kit::connection_table::LISTENER;
use kit::error::failed;
use kit::listener::{Accepted, Acceptor};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// How many connections a child takes when it was woken. Of 64 clients that connect at once, the first child
/// that is notified would else take all and keep them, while the others have nothing to do.
const MAX_ACCEPTS: usize = 8;

/// The listener of a child, which other processes accept from too.
#[derive(Debug)]
pub struct ChildAcceptor<'child> {
    acceptor: Acceptor,
    how: Accept,
    control: &'child ControlPipe,
    /// The parent has notified this child of a connection, and has no answer yet.
    notified: bool,
    /// How many connections the child may still take before it answers.
    left: usize,
    scoreboard: Scoreboard,
    slot: &'static Slot,
}

impl<'child> ChildAcceptor<'child> {
    /// Accepts from a non-blocking listener while all children together have fewer connections than
    /// `options` allow.
    pub fn new(
        listener: OwnedFd,
        child: &'child NewChild,
        options: &Options,
        scoreboard: Scoreboard,
    ) -> Self {
        let acceptor = Acceptor::new(listener, options.common.max_connections);
        let (how, control, slot) = (options.accept, &child.control, scoreboard.slot(child.slot));
        Self { acceptor, how, control, notified: false, left: 0, scoreboard, slot }
    }

    /// Lets `epoll` report that a connection may wait, and tells the parent that this child can serve.
    ///
    /// # Errors
    /// What epoll_ctl(2) says.
    pub fn watch(&self, epoll: &Epoll) -> io::Result<()> {
        self.set_watched(epoll, true)?;
        self.control.notify();
        Ok(())
    }

    /// A connection may wait: the parent says so, or the kernel.
    ///
    /// # Errors
    /// That the parent has ended.
    pub fn woken(&mut self) -> io::Result<()> {
        self.slot.woken.fetch_add(1, Relaxed);
        self.left = MAX_ACCEPTS;
        if self.how == Accept::Notify {
            match self.control.drain() {
                Received::Notification => self.notified = true,
                Received::Closed => return Err(io::Error::other("the parent has ended")),
                _ => {}
            }
        }
        Ok(())
    }

    /// The next of the connections that wait, but not of too many; after the last one the parent is answered.
    /// Without room it is not answered, and does not notify this child again until there is some.
    ///
    /// # Errors
    /// As [`Acceptor::try_accept`], and what epoll_ctl(2) says.
    pub fn accept(&mut self, epoll: &Epoll, now: &LoopContext) -> io::Result<Option<OwnedFd>> {
        // While the server stops, no other process may be left for them.
        if self.left > 0 || now.draining {
            match self.acceptor.try_accept(self.scoreboard.open(), now)? {
                Accepted::Socket(socket) => {
                    self.left = self.left.saturating_sub(1);
                    self.slot.accepted.fetch_add(1, Relaxed);
                    return Ok(Some(socket));
                }
                Accepted::None => {}
                Accepted::NoRoom => return self.set_watched(epoll, false).map(|()| None),
            }
        }
        if std::mem::take(&mut self.notified) {
            self.control.notify();
        }
        Ok(None)
    }

    /// As [`Acceptor::resume`].
    ///
    /// # Errors
    /// What epoll_ctl(2) says.
    pub fn resume(&mut self, epoll: &Epoll, now: &LoopContext) -> io::Result<bool> {
        let over = self.acceptor.ends_pause(self.scoreboard.open(), now);
        if over {
            self.left = MAX_ACCEPTS;
            self.set_watched(epoll, !now.draining)?;
        }
        Ok(over)
    }

    // ANCHOR: drain
    /// The server must stop, or this child alone.
    ///
    /// # Errors
    /// What epoll_ctl(2) says.
    pub fn drain(&mut self, epoll: &Epoll) -> io::Result<()> {
        self.set_watched(epoll, false)?;
        // Acquire pairs with the parent's Release.
        if self.slot.stopping.load(Acquire) {
            // The parent has let all listeners refuse what is new.
            self.acceptor.drain_shared();
        } else {
            // The signal was for this child alone: what waits is for the others, or for its successor.
            self.acceptor.close();
            self.notified = false;
        }
        Ok(())
    }
    // ANCHOR_END: drain

    /// Tells all processes how many connections this child has.
    pub fn set_open(&self, open: usize) {
        self.slot.open.store(open, Relaxed);
    }

    /// As [`Acceptor::is_open`].
    pub fn is_open(&self) -> bool {
        self.acceptor.is_open()
    }

    /// As [`Acceptor::is_paused`].
    pub fn is_paused(&self) -> bool {
        self.acceptor.is_paused()
    }

    /// Watches for connections, or no longer. `EPOLLEXCLUSIVE` cannot be changed, only taken out and put in
    /// again.
    fn set_watched(&self, epoll: &Epoll, watched: bool) -> io::Result<()> {
        let Some(listener) = self.acceptor.listener() else { return Ok(()) };
        let (fd, mask) = match self.how {
            Accept::Notify => (self.control.as_fd(), EpollFlags::EPOLLIN),
            Accept::Exclusive => (listener, EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE),
            Accept::Shared | Accept::Reuseport => (listener, EpollFlags::EPOLLIN),
        };
        match watched {
            true => match epoll.add(fd, EpollEvent::new(mask, LISTENER)) {
                Ok(()) | Err(Errno::EEXIST) => Ok(()),
                Err(error) => Err(failed("epoll_ctl")(error)),
            },
            // It is a shared descriptor, so closing it would not take it out.
            false => match epoll.delete(fd) {
                Ok(()) | Err(Errno::ENOENT) => Ok(()),
                Err(error) => Err(failed("epoll_ctl")(error)),
            },
        }
    }
}
