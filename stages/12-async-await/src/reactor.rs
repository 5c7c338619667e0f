//! The reactor: it waits for sockets and timers, and wakes the tasks that wait for them.
//!
//! It is stage 05's epoll, edge-triggered, with two differences. An event calls no handler: it wakes a task,
//! which the executor polls later. And since an edge is reported once, also while no task waits for it, each
//! [`Source`](crate::source::Source) remembers what was reported, until a call says `EAGAIN`.

use crate::source::State;
use crate::timer::Sleepers;
use crate::wake::{Notify, RunQueue};
use kit::clock::{Clock, LoopContext};
use kit::connection_table::{ConnectionTable, SHUTDOWN, Token};
use kit::error::failed;
use kit::shutdown;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::cell::{Cell, Ref, RefCell};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

/// The token of what wakes the executor from other threads: no connection has it (as kit's SHUTDOWN).
const NOTIFIED: Token = SHUTDOWN - 1;

/// How many events are fetched at once.
const MAX_EVENTS: usize = 256;

/// What one poll may do before the other tasks have their turn: so many reads, or a quarter of the writes.
const TURN: u32 = 16;

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
        state.report(events);
    }

    /// Wakes every task that waits for a source: each learns that the server stops.
    fn stop(&self) -> nix::Result<()> {
        shutdown::unwatch(&self.epoll)?;
        let mut sources = self.sources.borrow_mut();
        for token in sources.tokens() {
            sources.get_mut(token).iter().for_each(|state| state.wake());
        }
        Ok(())
    }

    /// Lets epoll report these events of a source, also what is ready at this moment. Returns the source's
    /// token.
    pub(crate) fn watch(
        &self,
        fd: BorrowedFd<'_>,
        state: &Rc<State>,
        token: Option<Token>,
        events: EpollFlags,
    ) -> nix::Result<Token> {
        if let Some(token) = token {
            self.epoll.modify(fd, &mut EpollEvent::new(events, token))?;
            return Ok(token);
        }
        let mut sources = self.sources.borrow_mut();
        let token = sources.token(fd);
        self.epoll.add(fd, EpollEvent::new(events, token))?;
        sources.insert(token, Rc::clone(state));
        Ok(token)
    }

    /// Forgets a source, before its descriptor is closed, which takes it out of epoll.
    pub(crate) fn forget(&self, token: Token) {
        self.sources.borrow_mut().remove(token);
    }

    /// A task is about to be polled.
    pub(crate) fn begin_turn(&self) {
        self.turn.set(TURN);
    }

    /// The task has done something that costs as much as `reads` reads.
    pub(crate) fn spend(&self, reads: u32) {
        self.turn.set(self.turn.get().saturating_sub(reads));
    }

    /// Whether the turn of the task that is being polled is over.
    pub(crate) fn turn_is_over(&self) -> bool {
        self.turn.get() == 0
    }
}
