//! The deadlines of one loop's connections, and what wakes the loop for them.
//!
//! Three structures offer the same four operations:
//!
//! | | arm | cancel | the earliest | used by |
//! |---|---|---|---|---|
//! | [`heap`] | O(log n) | marked, and swept later | O(1) | libevent, Go |
//! | [`tree`] | O(log n) | O(log n) | O(log n), along the left edge | nginx, muduo, source 003 |
//! | [`wheel`] | O(1) | O(1) | a glance at 16 words; at most 64 ms late | the kernel, Netty |
//!
//! The best structure is the one that is not touched. A deadline moves with every request, 60 s into the
//! future; to move its timer each time would be the most frequent operation of all. [`Deadlines`] moves none:
//! a timer that fires is a *hint to look at the connection*, whose session knows its real deadline, and most
//! timers are simply armed anew. So a connection costs one timer operation a minute and not one a request.
//! Only a deadline that comes *nearer* must be armed at once: when the head of a request has begun, the peer
//! has less time for its rest than it has for silence.
//!
//! Each loop has its own timers, so none of this takes a lock.

pub mod heap;
pub mod source;
pub mod tree;
pub mod wheel;

use clap::ValueEnum;
use kit::connection_table::Token;
use nix::sys::epoll::{Epoll, EpollTimeout};
use source::{TimerSource, WakeBy};
use std::io;

/// What a loop needs of its timers. Times are in ms of [`kit::clock::LoopContext`].
pub trait Timers: Send {
    /// Fires once at `at`, for the connection `key`.
    fn arm(&mut self, at: u64, key: Token) -> Timer;

    /// Takes back a timer that has not fired. (One that has fired is gone: drop its handle.)
    fn cancel(&mut self, timer: Timer);

    /// When [`Timers::expire`] will have something to do. Perhaps too early, never too late.
    fn next(&mut self) -> Option<u64>;

    /// Appends the keys of the timers that fire until `now` to `expired`.
    fn expire(&mut self, now: u64, expired: &mut Vec<Token>);
}

/// A timer that is armed. It cannot be copied, so it is cancelled at most once.
#[derive(Debug)]
pub struct Timer {
    /// When it fires.
    at: u64,
    /// Which of those that fire then.
    id: u64,
}

impl Timer {
    /// When it fires.
    pub fn at(&self) -> u64 {
        self.at
    }
}

/// A structure for timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Structure {
    /// A binary heap
    Heap,
    /// A balanced tree in the order of the times
    Tree,
    /// A hashed wheel
    Wheel,
}

impl Structure {
    /// No timers yet.
    pub fn build(self, now: u64) -> Box<dyn Timers> {
        match self {
            Structure::Heap => Box::new(heap::Heap::default()),
            Structure::Tree => Box::new(tree::Tree::default()),
            Structure::Wheel => Box::new(wheel::Wheel::new(now)),
        }
    }
}

/// The timers of one loop, and what wakes it.
pub struct Deadlines {
    timers: Box<dyn Timers>,
    source: TimerSource,
}

impl Deadlines {
    /// No deadlines yet, at `now`. A timerfd is reported by `epoll` as `token`.
    ///
    /// # Errors
    /// When descriptors run out.
    pub fn new(
        structure: Structure,
        wake_by: WakeBy,
        epoll: &Epoll,
        token: Token,
        now: u64,
    ) -> io::Result<Self> {
        Ok(Self { timers: structure.build(now), source: TimerSource::new(wake_by, epoll, token)? })
    }

    /// How long the loop may sleep.
    ///
    /// # Errors
    /// What timerfd_settime(2) says.
    pub fn timeout(&mut self, now: u64) -> nix::Result<EpollTimeout> {
        self.source.timeout(self.timers.next(), now)
    }

    /// Epoll has reported the timerfd.
    pub fn fired(&mut self) {
        self.source.fired();
    }

    // ANCHOR: arm
    /// Arms a connection's timer, unless the one that it has fires early enough. One that fires too early is
    /// left as it is: when [`Deadlines::expired`] returns it, the loop arms the next. `deadline` is `None`
    /// while the connection has none.
    pub fn arm(&mut self, timer: &mut Option<Timer>, deadline: Option<u64>, key: Token) {
        let Some(deadline) = deadline else { return };
        if timer.as_ref().is_none_or(|timer| deadline < timer.at) {
            let next = self.timers.arm(deadline, key);
            self.cancel(timer.replace(next));
        }
    }
    // ANCHOR_END: arm

    /// Takes back the timer of a connection that ends.
    pub fn cancel(&mut self, timer: Option<Timer>) {
        if let Some(timer) = timer {
            self.timers.cancel(timer);
        }
    }

    /// The keys of the timers that fire until `now`. Their handles are worth nothing from now on.
    pub fn expired(&mut self, now: u64) -> Vec<Token> {
        // An empty vector owns no memory, and most wake-ups find no timer.
        let mut expired = Vec::new();
        self.timers.expire(now, &mut expired);
        expired
    }
}
