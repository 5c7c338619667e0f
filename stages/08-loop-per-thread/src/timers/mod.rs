//! When which peer's time is over: three structures for the same four operations.
//!
//! | | arm | cancel | the earliest | who uses it |
//! |---|---|---|---|---|
//! | [`heap`] | O(log n) | marked, and swept later | O(1) | libevent, Go |
//! | [`tree`] | O(log n) | O(log n) | O(log n), along the left edge | nginx, muduo, seed 003 |
//! | [`wheel`] | O(1) | O(1) | a glance at 16 words; at most 64 ms late | the kernel, Netty |
//!
//! The best structure is the one that is not touched. A deadline moves with every request, 60 s into the future; to move
//! its timer each time would be the most frequent operation of all. A loop moves none: a timer that fires is a *hint to look at
//! the connection*, whose session knows its real deadline, and most are simply armed anew. So a connection costs one timer
//! operation a minute and not one a request. Only a deadline that comes *nearer* must be armed at once: the head of a
//! request has begun, and it has less time than silence has.
//!
//! A loop has its own timers, so none of this takes a lock.

pub mod heap;
pub mod tree;
pub mod wheel;

use clap::ValueEnum;
use kit::registry::Token;

/// What a loop needs of its timers. Times are in ms of [`kit::clock::Now`].
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
