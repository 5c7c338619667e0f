//! What the reactor and its workers share, and how a worker serves a connection.
//!
//! ```text
//!   reactor: epoll_wait -> queue -> worker: hold, step, work, step, release: EPOLL_CTL_MOD -> reactor
//!                 armed | disarmed by the kernel (EPOLLONESHOT)                             | armed
//! ```

use crate::shared::Shared;
use edge_vs_level::trigger::{Drain, Trigger};
use kit::clock::Clock;
use kit::words::say;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nonblocking_epoll::connection::{Connection, Turn};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What the reactor and its workers share.
pub struct Crew {
    /// Where the reactor waits, and the workers arm.
    pub epoll: Epoll,
    oneshot: bool,
    /// Relaxed: a count for limits, which orders no other memory. So is the next one.
    open: AtomicUsize,
    overlaps: AtomicUsize,
}

impl Crew {
    /// A crew around `epoll`. Without `oneshot` two workers may get the same connection.
    pub fn new(epoll: Epoll, oneshot: bool) -> Self {
        Self { epoll, oneshot, open: AtomicUsize::new(0), overlaps: AtomicUsize::new(0) }
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// Arms a new connection.
    pub fn adopt(&self, shared: &Shared) {
        self.open.fetch_add(1, Relaxed);
        let armed = shared.release(|connection| {
            self.epoll.add(connection, EpollEvent::new(self.mask(connection), shared.token()))
        });
        if armed.is_err() {
            self.close(shared);
        }
    }

    /// Gives a connection its turn, in a worker.
    pub fn serve(&self, shared: &Shared, clock: &mut Clock, buffer: &mut [u8]) {
        if !shared.hold() {
            if self.oneshot {
                // While draining, or when its time was over, the reactor hands it out unasked; who has it arms it again.
                return;
            }
            self.overlaps.fetch_add(1, Relaxed);
        }
        let mut turn = Turn::Served;
        for reads in 0.. {
            turn = shared.step(|connection| connection.ready(buffer, clock.read()));
            while let Turn::Work(work) = turn {
                let answer = work.run();
                turn = shared.step(|connection| connection.finish(answer, clock.read()));
            }
            if !self.drain().goes_on(&turn, reads) {
                break;
            }
        }
        self.settle(shared, turn);
    }

    // ANCHOR: arm
    /// After a turn: arms the connection again.
    pub fn settle(&self, shared: &Shared, turn: Turn) {
        let again = self.oneshot || self.drain().stopped_early(&turn);
        let arm = |connection: &Connection| match again {
            true => {
                let mut event = EpollEvent::new(self.mask(connection), shared.token());
                self.epoll.modify(connection, &mut event)
            }
            false => Ok(()),
        };
        if matches!(turn, Turn::Close) || shared.release(arm).is_err() {
            self.close(shared);
        }
    }
    // ANCHOR_END: arm

    fn close(&self, shared: &Shared) {
        if shared.close() {
            self.open.fetch_sub(1, Relaxed);
        }
    }

    // ANCHOR: mask
    /// What to tell epoll. Without ONESHOT it must be edge-triggered: level-triggered, the reactor would queue the
    /// same connection over and over until a worker has read.
    fn mask(&self, connection: &Connection) -> EpollFlags {
        match self.oneshot {
            true => Trigger::Level.mask(connection.interest()) | EpollFlags::EPOLLONESHOT,
            false => Trigger::Edge.mask(connection.interest()),
        }
    }
    // ANCHOR_END: mask

    /// With ONESHOT one read is enough: arming reports what is left.
    fn drain(&self) -> Drain {
        if self.oneshot { Drain::Once } else { Drain::UntilWouldBlock }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        match *self.overlaps.get_mut() {
            0 => {}
            count => say(format_args!("two workers had the same connection at once: {count} times")),
        }
    }
}
