//! The time of a loop, and whether its server stops: kit's clock knows of signals, and this one also of
//! [`crate::Server::stop`].

use kit::clock::{Clock, LoopContext};
use nix::time::{ClockId, clock_gettime};

/// Read once for each wake-up.
#[derive(Debug)]
pub(crate) struct LoopClock {
    clock: Clock,
    now: LoopContext,
    stopping: bool,
}

impl LoopClock {
    pub(crate) fn new() -> Self {
        let clock = Clock::new();
        Self { now: clock.last().clone(), clock, stopping: false }
    }

    /// Reads the time anew.
    pub(crate) fn read(&mut self) -> &LoopContext {
        self.now = self.clock.read().clone();
        self.now.draining |= self.stopping;
        &self.now
    }

    /// The last reading.
    pub(crate) fn now(&self) -> &LoopContext {
        &self.now
    }

    /// From now on the server drains.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        self.read();
    }

    /// Whether the loop was told to stop.
    pub(crate) fn has_stopped(&self) -> bool {
        self.stopping
    }
}

/// Milliseconds of the clock that [`LoopContext::ms`] shows a tick late, rounded up. A timer that is armed
/// from this reading never fires early.
pub(crate) fn precise_ms() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the clock can be read");
    now.tv_sec() as u64 * 1000 + (now.tv_nsec() as u64).div_ceil(1_000_000)
}
