//! Which child is notified of a connection, and when the parent looks at the listener again (`--accept
//! notify`).

use crate::children::Children;
use crate::options::Notify;
use kit::connection_table::LISTENER;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long a child that was notified may take to answer before another one is notified.
const ACK_TIMEOUT: Duration = Duration::from_millis(1);

/// Notifies the children in turn.
#[derive(Debug)]
pub struct Dispatcher {
    listener: OwnedFd,
    notify: Notify,
    /// The slot of the child whose turn it is.
    next: usize,
    watch: Watch,
}

/// How the parent watches the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// epoll reports it.
    Armed,
    /// Disarmed: a child was notified of a connection, and has until then to answer.
    Notified(Instant),
    /// Disarmed: no child can be notified, until one answers or a new one can serve.
    NoIdleWorker,
}

impl Dispatcher {
    /// Lets `epoll` report the listener as [`LISTENER`].
    ///
    /// # Errors
    /// What epoll_ctl(2) says.
    pub fn new(listener: OwnedFd, notify: Notify, epoll: &Epoll) -> nix::Result<Self> {
        // Level-triggered: with one edge for one connection, a connection would be forgotten if the child
        // that was notified of it is killed before it accepts.
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        Ok(Self { listener, notify, next: 0, watch: Watch::Armed })
    }

    // ANCHOR: notify
    /// A connection waits: notifies a child, and stops watching until it answers. The listener stays readable
    /// until a child has accepted, so a parent that went on watching would do nothing else.
    pub fn notify(&mut self, children: &mut Children, epoll: &Epoll) -> nix::Result<()> {
        let flood = self.notify == Notify::Flood;
        let notified = children.notify_next(self.next, flood);
        if let Some(slot) = notified {
            self.next = slot + 1;
        }
        if flood {
            return Ok(());
        }
        self.watch = match notified {
            Some(_) => Watch::Notified(Instant::now() + ACK_TIMEOUT),
            None => Watch::NoIdleWorker,
        };
        self.set_interest(epoll, EpollFlags::empty())
    }
    // ANCHOR_END: notify

    /// A child has accepted what there was, can serve now, or has ended: watches the listener again.
    ///
    /// # Errors
    /// What epoll_ctl(2) says.
    pub fn rearm_listener(&mut self, epoll: &Epoll) -> nix::Result<()> {
        match std::mem::replace(&mut self.watch, Watch::Armed) {
            Watch::Armed => Ok(()),
            Watch::Notified(_) | Watch::NoIdleWorker => self.set_interest(epoll, EpollFlags::EPOLLIN),
        }
    }

    /// Watches the listener again if the child that was notified is late: it is busy, or dead, and the next
    /// one can take the connection as well.
    ///
    /// # Errors
    /// What epoll_ctl(2) says.
    pub fn check_deadlines(&mut self, epoll: &Epoll) -> nix::Result<()> {
        match self.watch {
            Watch::Notified(until) if until <= Instant::now() => self.rearm_listener(epoll),
            _ => Ok(()),
        }
    }

    /// When [`Dispatcher::check_deadlines`] is to be called.
    pub fn deadline(&self) -> Option<Instant> {
        match self.watch {
            Watch::Notified(until) => Some(until),
            Watch::Armed | Watch::NoIdleWorker => None,
        }
    }

    /// Stops watching for good. Closing would not do: the children have duplicates of the listener, which
    /// keep it in epoll.
    ///
    /// # Errors
    /// What epoll_ctl(2) says.
    pub fn stop(self, epoll: &Epoll) -> nix::Result<()> {
        epoll.delete(&self.listener)
    }

    fn set_interest(&self, epoll: &Epoll, interest: EpollFlags) -> nix::Result<()> {
        epoll.modify(&self.listener, &mut EpollEvent::new(interest, LISTENER))
    }
}
