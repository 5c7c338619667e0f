//! The loop of one worker: stage 08's, with callbacks where that one has a session.
//!
//! It is level-triggered, so that a callback need not read everything: what is left is reported again. A
//! connection is served in three steps, always on this thread, one after the other:
//!
//! ```text
//!   event, task, timer -> visit: one callback -> settle: send what it queued; close; tell epoll; arm the timer
//! ```

mod ending;
mod registration;
mod work;

use crate::application::Application;
use crate::connection::Connection;
use crate::counters::add;
use crate::handle::{ConnectionId, Server};
use crate::link::{Link, Phase};
use crate::loop_clock::LoopClock;
use crate::protocol::{Protocol, Reason};
use crate::schedule::Schedule;
use crate::worker::{NOBODY, WorkerState};
use kit::connection_table::{ConnectionTable, Token};
use kit::error::failed;
use loop_per_thread::remote::{Pending, Remote};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::Instant;
use timers::source::WakeBy;
use timers::{Deadlines, Structure};

/// The token of the queue of tasks: descriptor numbers do not reach this far.
const TASKS: Token = Token::MAX - 2;

/// How many events are fetched at once.
const MAX_EVENTS: usize = 256;

/// The buffer into which all connections of the loop read.
const READ_BUFFER: usize = 64 * 1024;

/// How long a lingering close takes at most (ms).
const LINGER_MS: u64 = 2_000;

/// How often a hook may return what it holds before other connections have their turn.
const MAX_READS: usize = 16;

/// How often a protocol may go on because all it wrote has left, before other connections have their turn.
const MAX_READY: usize = 4;

/// One worker's loop.
pub(crate) struct EventLoop {
    epoll: Epoll,
    pending: Pending<EventLoop>,
    links: ConnectionTable<Link>,
    clock: LoopClock,
    buffer: Vec<u8>,
    deadlines: Deadlines,
    schedule: Schedule,
    application: Arc<dyn Application>,
    server: Server,
    state: Arc<WorkerState>,
    index: u32,
    measure: bool,
    woken: Option<Instant>,
    /// No more connections will come: end with the last one.
    finishing: bool,
}

impl EventLoop {
    /// The loop of worker `index`, without connections.
    ///
    /// # Errors
    /// Which system call found no descriptor or memory.
    pub(crate) fn new(index: u32, server: Server, application: Arc<dyn Application>) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
        let pending = Pending::new().map_err(failed("eventfd"))?;
        let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, TASKS);
        epoll.add(&pending, event).map_err(failed("epoll_ctl"))?;
        let clock = LoopClock::new();
        // The tree, since it fires in order.
        let deadlines = Deadlines::new(Structure::Tree, WakeBy::Epoll, &epoll, TASKS, clock.now().ms)?;
        let measure = server.settings().measure;
        Ok(Self {
            epoll,
            pending,
            links: ConnectionTable::new(),
            clock,
            buffer: vec![0; READ_BUFFER],
            deadlines,
            schedule: Schedule::default(),
            application,
            server,
            state: Arc::new(WorkerState::new()),
            index,
            measure,
            woken: None,
            finishing: false,
        })
    }

    /// A way for other threads to this loop.
    pub(crate) fn remote(&self) -> Remote<Self> {
        self.pending.remote()
    }

    /// What other threads see of it.
    pub(crate) fn state(&self) -> Arc<WorkerState> {
        Arc::clone(&self.state)
    }

    /// The event loop: wait, then call back for what is ready.
    ///
    /// # Errors
    /// What epoll_wait(2) says.
    pub(crate) fn serve(mut self) -> io::Result<()> {
        self.application.on_init_thread(&self.server);
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        while !self.finishing || !self.links.is_empty() {
            let timeout = self.deadlines.timeout(self.clock.now().ms)?;
            let count = match self.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(failed("epoll_wait")(error)),
            };
            self.clock.read();
            self.woken = self.measure.then(Instant::now);
            add(&self.state.counters.wake_ups, 1);
            add(&self.state.counters.events, count as u64);
            for event in &events[..count] {
                match event.data() {
                    TASKS => self.run_pending(),
                    token => self.handle_event(token, event.events()),
                }
            }
            self.check_deadlines();
            if count == 0 {
                self.application.on_idle(&self.server);
            }
            self.application.on_tick(&self.server);
        }
        // What is queued for connections that are gone has a fallback.
        self.run_pending();
        // Release: whoever sees it sees what these tasks did.
        self.state.ended.store(true, Release);
        self.run_pending();
        Ok(())
    }

    /// Calls back for an event of a connection that is still there.
    fn handle_event(&mut self, token: Token, ready: EpollFlags) {
        let Some(link) = self.links.get_mut(token) else { return };
        if link.phase == Phase::Lingering {
            return self.linger(token);
        }
        let hung_up = ready.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
        if ready.contains(EpollFlags::EPOLLOUT) {
            link.flush(self.clock.now().ms);
            if !link.has_output() && link.phase == Phase::Open && link.ending.is_none() {
                link.owes_ready = false;
                self.visit(token, |protocol, connection| protocol.on_ready(connection));
            }
        }
        let Some(link) = self.links.get_mut(token) else { return };
        if !link.reads() && hung_up {
            // Nothing can be sent any more, and epoll would report it again and again.
            link.fail(&Errno::ECONNRESET.into());
        } else if link.reads() && (hung_up || ready.contains(EpollFlags::EPOLLIN)) {
            link.touch(self.clock.now().ms);
            self.visit(token, |protocol, connection| protocol.on_data(connection));
            self.drain_hook(token);
            if let Some(woken) = self.woken {
                self.state.counters.record(woken.elapsed());
            }
        }
        self.settle(token);
    }

    // ANCHOR: visit
    /// Calls a connection back: the only place where that is done, so that there is one call at a time.
    fn visit(&mut self, token: Token, call: impl FnOnce(&mut dyn Protocol, &mut Connection<'_>)) {
        let Some(link) = self.links.get_mut(token) else { return };
        // It is lent to the callback, which may put another one in its place.
        let Some(mut protocol) = link.protocol.take() else { return };
        self.state.busy.store(token, Relaxed);
        let id = ConnectionId { worker: self.index, token };
        let (buffer, clock, server) = (&mut self.buffer, &mut self.clock, &self.server);
        call(&mut *protocol, &mut Connection { link, buffer, clock, server, id });
        self.state.busy.store(NOBODY, Relaxed);
        link.protocol.get_or_insert(protocol);
    }
    // ANCHOR_END: visit

    /// The socket is not reported for what a reading hook holds.
    fn drain_hook(&mut self, token: Token) {
        let mut left = MAX_READS;
        while let Some(link) = self.links.get_mut(token)
            && link.reads()
            && link.hooks.as_ref().is_some_and(|hooks| hooks.has_input())
        {
            if left == 0 {
                // Others first.
                let remote = self.pending.remote();
                self.state.counters.tasks.fetch_add(1, Relaxed);
                return remote.queue_in_loop(move |event_loop| {
                    event_loop.drain_hook(token);
                    event_loop.settle(token);
                });
            }
            left -= 1;
            self.visit(token, |protocol, connection| protocol.on_data(connection));
        }
    }

    /// After a callback: sends what it has queued, closes what it has closed, and tells epoll and the timers
    /// what the connection waits for.
    fn settle(&mut self, token: Token) {
        for turn in 0.. {
            let Some(link) = self.links.get_mut(token) else { return };
            if link.has_output() {
                link.flush(self.clock.now().ms);
                link.owes_ready = !link.has_output();
            }
            let is_open = link.phase == Phase::Open && link.ending.is_none();
            if !is_open || !link.owes_ready || turn == MAX_READY {
                break;
            }
            link.owes_ready = false;
            self.visit(token, |protocol, connection| protocol.on_ready(connection));
        }
        // ANCHOR: settle
        let Some(link) = self.links.get_mut(token) else { return };
        if link.out.queued() > self.server.settings().max_queued {
            link.ending.get_or_insert(Reason::Dropped("it does not read"));
        }
        if link.is_over() {
            link.ending.get_or_insert(Reason::Ended);
        }
        if let Some(reason) = link.ending.take() {
            return self.remove(token, &reason);
        }
        if link.phase == Phase::Closing && !link.has_output() {
            return self.finish_closing(token);
        }
        self.update(token);
        // ANCHOR_END: settle
    }
}
