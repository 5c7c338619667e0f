//! What the reactor and its workers share, and how a worker serves a connection.
//!
//! ```text
//!   reactor: epoll_wait -> queue -> worker: try_acquire, step, work, step, rearm: EPOLL_CTL_MOD -> reactor
//!                 armed | disarmed by the kernel (EPOLLONESHOT)                                  | armed
//! ```

use crate::shared_connection::SharedConnection;
use edge_vs_level::trigger::{Drain, Trigger};
use kit::clock::Clock;
use kit::protocol::work::{Answer, Work};
use kit::stderr::log_stderr;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nonblocking_epoll::connection::{Connection, Turn};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What the reactor and its workers share.
pub struct ReactorShared {
    /// The reactor waits on it, and the workers re-arm descriptors in it.
    pub epoll: Epoll,
    oneshot: bool,
    /// Relaxed: a count for limits, which orders no other memory. So is the next one.
    open: AtomicUsize,
    overlaps: AtomicUsize,
}

impl ReactorShared {
    /// The state shared around `epoll`. Without `oneshot` two workers may get the same connection.
    pub fn new(epoll: Epoll, oneshot: bool) -> Self {
        Self { epoll, oneshot, open: AtomicUsize::new(0), overlaps: AtomicUsize::new(0) }
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// Registers a new connection with epoll.
    pub fn register(&self, shared: &SharedConnection) {
        self.open.fetch_add(1, Relaxed);
        let armed = shared.rearm(|connection| {
            self.epoll.add(connection, EpollEvent::new(self.interest(connection), shared.token()))
        });
        if armed.is_err() {
            self.close(shared);
        }
    }

    /// Serves a connection for one turn, in a worker.
    pub fn serve(&self, shared: &SharedConnection, clock: &mut Clock, buffer: &mut [u8]) {
        self.serve_with(shared, Work::run, clock, buffer);
    }

    /// [`ReactorShared::serve`] for a server that does something else with work than to run it.
    pub fn serve_with(
        &self,
        shared: &SharedConnection,
        answer: fn(Work) -> Answer,
        clock: &mut Clock,
        buffer: &mut [u8],
    ) {
        if !shared.try_acquire() {
            if self.oneshot {
                // Once its deadline has passed, the reactor queues a connection without an event. The worker
                // that holds it re-arms it.
                return;
            }
            self.overlaps.fetch_add(1, Relaxed);
        }
        let mut turn = Turn::Served;
        for reads in 0.. {
            turn = shared.step(|connection| connection.handle_event(buffer, clock.read()));
            while let Turn::Work(work) = turn {
                let answer = answer(*work);
                turn = shared.step(|connection| connection.finish_work(answer, buffer, clock.read()));
            }
            if !self.drain().continues(&turn, reads) {
                break;
            }
        }
        self.update_interest(shared, turn);
    }

    // ANCHOR: arm
    /// After a turn: re-arms the connection, or closes it.
    pub fn update_interest(&self, shared: &SharedConnection, turn: Turn) {
        let again = self.oneshot || self.drain().stopped_early(&turn);
        let arm = |connection: &Connection| match again {
            true => {
                let mut event = EpollEvent::new(self.interest(connection), shared.token());
                self.epoll.modify(connection, &mut event)
            }
            false => Ok(()),
        };
        if matches!(turn, Turn::Close) || shared.rearm(arm).is_err() {
            self.close(shared);
        }
    }
    // ANCHOR_END: arm

    fn close(&self, shared: &SharedConnection) {
        if shared.close() {
            self.open.fetch_sub(1, Relaxed);
        }
    }

    // ANCHOR: interest
    /// The events to register. Without ONESHOT they must be edge-triggered: level-triggered, epoll would
    /// report the same connection again and again until a worker has read.
    fn interest(&self, connection: &Connection) -> EpollFlags {
        match self.oneshot {
            true => Trigger::Level.interest(connection.interest()) | EpollFlags::EPOLLONESHOT,
            false => Trigger::Edge.interest(connection.interest()),
        }
    }
    // ANCHOR_END: interest

    /// With ONESHOT one read is enough: re-arming reports what is left.
    fn drain(&self) -> Drain {
        if self.oneshot { Drain::Once } else { Drain::UntilWouldBlock }
    }
}

impl Drop for ReactorShared {
    fn drop(&mut self) {
        match *self.overlaps.get_mut() {
            0 => {}
            count => log_stderr(format_args!("two workers had the same connection at once: {count} times")),
        }
    }
}
