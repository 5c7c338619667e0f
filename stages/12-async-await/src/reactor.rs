//! The reactor: it waits for sockets and timers, and wakes the tasks that wait for them.
//!
//! It is stage 05's epoll, edge-triggered, with two differences. An event calls no handler: it wakes a task,
//! which the executor polls later. And since an edge is reported once, also while no task waits for it, each
//! [`Source`] remembers what was reported, until a call says `EAGAIN`.

use crate::timer::Sleepers;
use crate::wake::{Notify, RunQueue};
use kit::clock::{Clock, LoopContext};
use kit::connection_table::{ConnectionTable, SHUTDOWN, Token};
use kit::error::failed;
use kit::shutdown;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::cell::{Cell, Ref, RefCell};
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The token of what wakes the executor from other threads: no connection has it (as kit's SHUTDOWN).
const NOTIFIED: Token = SHUTDOWN - 1;

/// How many events are fetched at once.
const MAX_EVENTS: usize = 256;

/// What one poll may do before the other tasks have their turn: so many reads, or a quarter of the writes.
const TURN: u32 = 16;

/// Reading, as a direction to wait for.
pub const READ: EpollFlags = EpollFlags::EPOLLIN;
/// Writing.
pub const WRITE: EpollFlags = EpollFlags::EPOLLOUT;

/// With one of these a read that does not fill its buffer does not show that the socket is empty: see stage
/// 10's `short_read`.
const READS_ON: EpollFlags = EpollFlags::EPOLLRDHUP
    .union(EpollFlags::EPOLLHUP)
    .union(EpollFlags::EPOLLERR)
    .union(EpollFlags::EPOLLPRI);

/// One thread's reactor.
pub struct Reactor {
    epoll: Epoll,
    events: RefCell<Vec<EpollEvent>>,
    sources: RefCell<ConnectionTable<Rc<State>>>,
    timers: RefCell<Sleepers>,
    clock: RefCell<Clock>,
    /// What is left of the turn of the task that is being polled.
    turn: Cell<u32>,
}

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

/// What the reactor knows of it.
struct State {
    /// Directions in which the next call may succeed. At the beginning both: only a try shows more.
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

impl Reactor {
    /// A reactor that waits for nothing but the end of the server and the queue's notifications.
    ///
    /// # Errors
    /// Which system call found no descriptor.
    pub fn new(queue: &RunQueue<impl Notify + AsFd>) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
        let notified = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, NOTIFIED);
        epoll.add(queue.notifier(), notified).map_err(failed("epoll_ctl"))?;
        shutdown::watch(&epoll).map_err(failed("epoll_ctl"))?;
        let clock = Clock::new();
        let timers = RefCell::new(Sleepers::new(&epoll, clock.last().ms)?);
        let (events, sources) = (RefCell::new(vec![EpollEvent::empty(); MAX_EVENTS]), RefCell::default());
        Ok(Self { epoll, events, sources, timers, clock: RefCell::new(clock), turn: Cell::new(TURN) })
    }

    /// The time of the last wake-up. To be dropped before the next `.await`.
    pub fn now(&self) -> Ref<'_, LoopContext> {
        Ref::map(self.clock.borrow(), Clock::last)
    }

    /// The timers.
    pub(crate) fn timers(&self) -> &RefCell<Sleepers> {
        &self.timers
    }

    // ANCHOR: wait
    /// Waits until something is ready, unless a task is, and wakes the tasks that waited for it.
    ///
    /// # Errors
    /// What epoll_wait(2) says.
    pub fn wait(&self, queue: &RunQueue<impl Notify>) -> io::Result<()> {
        let mut events = self.events.borrow_mut();
        let timeout = match queue.may_sleep() {
            true => self.timers.borrow_mut().timeout(self.now().ms)?,
            false => EpollTimeout::ZERO,
        };
        let count = match self.epoll.wait(&mut events, timeout) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        queue.awake();
        self.clock.borrow_mut().read();
        for event in &events[..count] {
            match event.data() {
                NOTIFIED => {}
                SHUTDOWN => self.stop()?,
                token => self.report(token, event.events()),
            }
        }
        // What a peer sent in time counts, so the deadlines wait until no event is left.
        if count < MAX_EVENTS {
            self.timers.borrow_mut().expire(self.now().ms);
        }
        Ok(())
    }

    /// Remembers what epoll reported of a source, and wakes its task if that is what it waits for.
    fn report(&self, token: Token, events: EpollFlags) {
        let mut sources = self.sources.borrow_mut();
        // It may be gone: an event that was fetched for it finds nothing.
        let Some(state) = sources.get_mut(token) else { return };
        // An error or an end lets every call succeed: it returns what has happened.
        let ends = events.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP);
        let ready = if ends { READ | WRITE } else { events & (READ | WRITE) };
        state.ready.set(state.ready.get() | ready);
        state.reads_on.set(state.reads_on.get() || events.intersects(READS_ON));
        if state.ready.get().intersects(state.awaited.get()) {
            state.wake();
        }
    }
    // ANCHOR_END: wait

    /// Wakes every task that waits for a source: each learns that the server stops.
    fn stop(&self) -> nix::Result<()> {
        shutdown::unwatch(&self.epoll)?;
        let mut sources = self.sources.borrow_mut();
        for token in sources.tokens() {
            sources.get_mut(token).iter().for_each(|state| state.wake());
        }
        Ok(())
    }

    /// A task is about to be polled.
    pub fn begin_turn(&self) {
        self.turn.set(TURN);
    }

    /// The task has done something that costs as much as `reads` reads.
    pub fn spend(&self, reads: u32) {
        self.turn.set(self.turn.get().saturating_sub(reads));
    }
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

    /// Waits until a call in this direction may succeed, or the server begins to stop. `fd` is the source's
    /// descriptor.
    ///
    /// # Errors
    /// What epoll_ctl(2) says.
    pub async fn ready(&self, fd: BorrowedFd<'_>, direction: EpollFlags) -> nix::Result<Event> {
        poll_fn(|context| self.poll_ready(fd, direction, context)).await
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
            if self.reactor.turn.get() > 0 {
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

    /// Lets epoll report a direction from now on; also what is ready at this moment.
    fn watch(&self, fd: BorrowedFd<'_>, direction: EpollFlags) -> nix::Result<()> {
        let State { interest, token, .. } = &*self.state;
        if interest.get().contains(direction) {
            return Ok(());
        }
        let reported = EpollFlags::EPOLLET | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLPRI;
        let wanted = interest.get() | direction | reported;
        match token.get() {
            Some(token) => self.reactor.epoll.modify(fd, &mut EpollEvent::new(wanted, token))?,
            None => {
                let mut sources = self.reactor.sources.borrow_mut();
                let new = sources.token(fd);
                self.reactor.epoll.add(fd, EpollEvent::new(wanted, new))?;
                sources.insert(new, Rc::clone(&self.state));
                token.set(Some(new));
            }
        }
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

    /// A read did not fill its buffer: the socket is empty, and what comes later makes a new edge. A read only
    /// to get `EAGAIN` would cost a system call per request.
    pub fn emptied(&self) {
        let State { ready, reads_on, .. } = &*self.state;
        if !reads_on.get() {
            ready.set(ready.get() - READ);
        }
    }
}

impl Drop for Source {
    /// Before its descriptor is closed, which takes it out of epoll.
    fn drop(&mut self) {
        if let Some(token) = self.state.token.get() {
            self.reactor.sources.borrow_mut().remove(token);
        }
    }
}

impl State {
    fn wake(&self) {
        self.awaited.set(EpollFlags::empty());
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}
