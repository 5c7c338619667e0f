//! What wakes a loop when a timer fires: the timeout of `epoll_wait`, or a timerfd among the descriptors.
//!
//! Both wait in the kernel, on the same high-resolution timer. The timeout is an argument of a call that is
//! made anyway. A timerfd counts in nanoseconds and is one more thing that "becomes readable", and setting it
//! is a call of its own; source 003 measured it as slower. Here it is set only when the earliest timer comes
//! nearer, which is rare: see [`crate`].

use clap::ValueEnum;
use kit::connection_table::Token;
use kit::error::failed;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time;
use std::io;
use std::time::Duration;

/// What wakes a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WakeBy {
    /// A timerfd, set to the earliest timer
    Timerfd,
    /// The timeout of epoll_wait
    Epoll,
}

/// Wakes a loop when its earliest timer fires.
#[derive(Debug)]
pub struct TimerSource {
    fd: Option<TimerFd>,
    /// What the timerfd is set to.
    set: Option<u64>,
    /// How far kit's clock may be behind. A loop that wakes in the very millisecond would read an earlier
    /// one, find that nothing has fired, and go to sleep for no time, over and over.
    tick_ms: u64,
}

impl TimerSource {
    /// A source for the loop of `epoll`, which reports a timerfd as `token`.
    ///
    /// # Errors
    /// What timerfd_create(2), epoll_ctl(2) and clock_getres(2) say, with the name of the call.
    pub fn new(wake_by: WakeBy, epoll: &Epoll, token: Token) -> io::Result<Self> {
        let fd = match wake_by {
            WakeBy::Epoll => None,
            WakeBy::Timerfd => {
                let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
                let fd = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).map_err(failed("timerfd_create"))?;
                // Edge-triggered: it fires once, and how often it did is never read.
                let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, token);
                epoll.add(&fd, event).map_err(failed("epoll_ctl"))?;
                Some(fd)
            }
        };
        let tick =
            time::clock_getres(time::ClockId::CLOCK_MONOTONIC_COARSE).map_err(failed("clock_getres"))?;
        Ok(Self { fd, set: None, tick_ms: Duration::from(tick).as_millis() as u64 + 1 })
    }

    // ANCHOR: timeout
    /// How long the loop may sleep until its earliest timer fires.
    ///
    /// # Errors
    /// What timerfd_settime(2) says.
    pub fn timeout(&mut self, next: Option<u64>, now: u64) -> nix::Result<EpollTimeout> {
        let Some(at) = next.map(|at| at + self.tick_ms) else { return Ok(EpollTimeout::NONE) };
        let Some(fd) = &self.fd else {
            let wait = at.saturating_sub(now).min(i32::MAX as u64);
            return Ok(EpollTimeout::try_from(wait).unwrap_or(EpollTimeout::MAX));
        };
        // Set too early, it wakes the loop once for nothing; to set it anew each time would cost more.
        if self.set.is_none_or(|set| at < set) {
            let time = TimeSpec::from_duration(Duration::from_millis(at));
            fd.set(Expiration::OneShot(time), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            self.set = Some(at);
        }
        Ok(EpollTimeout::NONE)
    }
    // ANCHOR_END: timeout

    /// The timerfd has fired.
    pub fn fired(&mut self) {
        self.set = None;
    }
}
