//! The time, read once per wake-up and handed to everything that needs it.
//!
//! A request does not read the clock: a loop reads it after each `epoll_wait` and all the requests of
//! that batch share the reading. The text of the `Date` header changes once a second, so it is formatted
//! once a second (about 150 ns that a request does not pay).

use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, UNIX_EPOCH};

/// One reading of the clock.
#[derive(Clone, Debug)]
pub struct LoopContext {
    /// Milliseconds of `CLOCK_MONOTONIC_COARSE`: for deadlines. One tick of the kernel (1–10 ms) coarse.
    pub ms: u64,
    /// The server has been told to stop: replies say `Connection: close`.
    pub draining: bool,
    /// Seconds since 1970 (`CLOCK_REALTIME_COARSE`).
    pub second: i64,
    /// The same as an HTTP date (RFC 9110 §5.6.7), for the `Date` header.
    pub date: [u8; 29],
}

/// Reads the time; keeps the formatted date until the second changes.
#[derive(Debug)]
pub struct Clock {
    now: LoopContext,
}

impl Clock {
    /// A clock that has been read once.
    pub fn new() -> Self {
        let mut clock = Self { now: LoopContext { ms: 0, draining: false, second: -1, date: [b' '; 29] } };
        clock.read();
        clock
    }

    /// Reads the time, and whether the server is draining, anew.
    pub fn read(&mut self) -> &LoopContext {
        // The coarse clocks are read in user space without asking the hardware: about 5 ns each.
        let monotonic = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).expect("the clock can be read");
        let wall = clock_gettime(ClockId::CLOCK_REALTIME_COARSE).expect("the clock can be read");
        self.now.ms = monotonic.tv_sec() as u64 * 1000 + monotonic.tv_nsec() as u64 / 1_000_000;
        self.now.draining = crate::shutdown::requested();
        if wall.tv_sec() != self.now.second {
            self.now.second = wall.tv_sec();
            let time = UNIX_EPOCH + Duration::from_secs(self.now.second.max(0) as u64);
            self.now.date.copy_from_slice(httpdate::fmt_http_date(time).as_bytes());
        }
        &self.now
    }

    /// The last reading.
    pub fn last(&self) -> &LoopContext {
        &self.now
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
