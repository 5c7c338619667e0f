//! A descriptor that tasks wait for: what the reactor has reported of it, and who waits.

use crate::reactor::Reactor;
use kit::connection_table::Token;
use nix::sys::epoll::EpollFlags;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Reading, as a direction to wait for.
pub const READ: EpollFlags = EpollFlags::EPOLLIN;
/// Writing.
pub const WRITE: EpollFlags = EpollFlags::EPOLLOUT;

/// The connection is lost: both sides have ended, or the peer has reset it.
const LOST: EpollFlags = EpollFlags::EPOLLERR;

/// With one of these a read that does not fill its buffer does not show that the socket is empty: see stage
/// 10's `short_read`.
const READS_ON: EpollFlags = EpollFlags::EPOLLRDHUP
    .union(EpollFlags::EPOLLHUP)
    .union(EpollFlags::EPOLLERR)
    .union(EpollFlags::EPOLLPRI);

/// What a wait for readiness ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The next call may succeed.
    Ready,
    /// The server begins to stop. Each source reports it once.
    Stop,
}

/// A descriptor that tasks wait for, one at a time.
pub struct Source {
    reactor: Rc<Reactor>,
    state: Rc<State>,
}

/// What the reactor knows of a source.
pub(crate) struct State {
    /// Directions in which the next call may succeed, and `LOST`. At the beginning both: only a try shows
    /// more.
    ready: Cell<EpollFlags>,
    /// An end or urgent data was reported since the last `EAGAIN`.
    reads_on: Cell<bool>,
    /// What epoll reports; nothing before the first wait.
    interest: Cell<EpollFlags>,
    token: Cell<Option<Token>>,
    /// What the task waits for.
    awaited: Cell<EpollFlags>,
    waker: RefCell<Option<Waker>>,
    /// It has reported [`Event::Stop`].
    told: Cell<bool>,
}

impl Source {
    /// A descriptor that may be ready. It is registered with epoll when a task first waits for it, and no
    /// longer than it is open.
    pub fn new(reactor: Rc<Reactor>) -> Self {
        let state = State {
            ready: Cell::new(READ | WRITE),
            reads_on: Cell::new(false),
            interest: Cell::new(EpollFlags::empty()),
            token: Cell::new(None),
            awaited: Cell::new(EpollFlags::empty()),
            waker: RefCell::new(None),
            told: Cell::new(false),
        };
        Self { reactor, state: Rc::new(state) }
    }

    /// What it waits on.
    pub fn reactor(&self) -> &Rc<Reactor> {
        &self.reactor
    }

    /// Whether [`Source::ready`] would return [`Event::Ready`] at once.
    #[inline]
    pub fn is_ready(&self, direction: EpollFlags) -> bool {
        let State { ready, told, .. } = &*self.state;
        let stops = self.reactor.now().draining && !told.get();
        ready.get().contains(direction) && !self.reactor.turn_is_over() && !stops
    }

    /// Waits until a call in this direction may succeed, or the server begins to stop. `fd` is the source's
    /// descriptor.
    ///
    /// # Errors
    /// What epoll_ctl(2) says.
    // No `async fn`: its state machine would be one more around this future, with nothing to remember.
    pub fn ready(
        &self,
        fd: BorrowedFd<'_>,
        direction: EpollFlags,
    ) -> impl Future<Output = nix::Result<Event>> {
        poll_fn(move |context| self.poll_ready(fd, direction, context))
    }

    fn poll_ready(
        &self,
        fd: BorrowedFd<'_>,
        direction: EpollFlags,
        context: &mut Context<'_>,
    ) -> Poll<nix::Result<Event>> {
        // ANCHOR: poll-ready
        let state = &self.state;
        if self.reactor.now().draining && !state.told.replace(true) {
            return Poll::Ready(Ok(Event::Stop));
        }
        if state.ready.get().contains(direction) {
            if !self.reactor.turn_is_over() {
                return Poll::Ready(Ok(Event::Ready));
            }
            // A task whose socket is always ready never waits. So it gives way by itself: it is queued again,
            // behind the others.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.watch(fd, direction)?;
        state.awaited.set(direction);
        let mut waker = state.waker.borrow_mut();
        if waker.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
        Poll::Pending
        // ANCHOR_END: poll-ready
    }

    /// Ready once the connection is lost. A peer that has only ended its own side may still read, so it is
    /// not.
    ///
    /// # Errors
    /// What epoll_ctl(2) says.
    pub fn poll_lost(&self, fd: BorrowedFd<'_>, context: &mut Context<'_>) -> Poll<nix::Result<()>> {
        if self.state.ready.get().contains(LOST) {
            return Poll::Ready(Ok(()));
        }
        self.watch(fd, READ)?;
        self.state.awaited.set(LOST);
        *self.state.waker.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }

    /// Lets epoll report a direction from now on.
    fn watch(&self, fd: BorrowedFd<'_>, direction: EpollFlags) -> nix::Result<()> {
        let State { interest, token, .. } = &*self.state;
        if interest.get().contains(direction) {
            return Ok(());
        }
        let reported = EpollFlags::EPOLLET | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLPRI;
        let wanted = interest.get() | direction | reported;
        token.set(Some(self.reactor.watch(fd, &self.state, token.get(), wanted)?));
        interest.set(wanted);
        Ok(())
    }

    /// A call in this direction said `EAGAIN`: the next one waits for an event.
    pub fn blocked(&self, direction: EpollFlags) {
        let State { ready, reads_on, .. } = &*self.state;
        ready.set(ready.get() - direction);
        if direction == READ {
            reads_on.set(false);
        }
    }

    /// A read did not fill its buffer: the socket is empty, and what comes later makes a new edge. A read
    /// only to get `EAGAIN` would cost a system call per request.
    pub fn emptied(&self) {
        let State { ready, reads_on, .. } = &*self.state;
        if !reads_on.get() {
            ready.set(ready.get() - READ);
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(token) = self.state.token.get() {
            self.reactor.forget(token);
        }
    }
}

impl State {
    /// Remembers what epoll has reported, and wakes the task if that is what it waits for.
    pub(crate) fn report(&self, events: EpollFlags) {
        // An error or an end lets every call succeed: it returns what has happened.
        let ends = events.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP);
        let ready = if ends { READ | WRITE | LOST } else { events & (READ | WRITE) };
        self.ready.set(self.ready.get() | ready);
        self.reads_on.set(self.reads_on.get() || events.intersects(READS_ON));
        if self.ready.get().intersects(self.awaited.get()) {
            self.wake();
        }
    }

    /// Wakes the task: what it waits for is there, or the server stops.
    pub(crate) fn wake(&self) {
        self.awaited.set(EpollFlags::empty());
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}
