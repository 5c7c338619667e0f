//! A scan of all deadlines once a second, as in source 000's server.
//!
//! It costs a load per connection per second, and a peer may live up to a second longer than it should. Stage
//! 08 replaces it by timers. A server that is draining scans more often, since a connection that is idle is
//! late then ([`crate::session::Session::is_late`]).

use crate::clock::LoopContext;
use nix::sys::epoll::EpollTimeout;

const PERIOD_MS: u16 = 1_000;
/// While accepting is paused or the server drains.
const SHORT_PERIOD_MS: u16 = 20;

/// When the next scan is due.
#[derive(Debug, Default)]
pub struct TimeoutScan {
    last_ms: u64,
}

impl TimeoutScan {
    /// True once a period.
    pub fn is_due(&mut self, now: &LoopContext) -> bool {
        let period = if now.draining { SHORT_PERIOD_MS } else { PERIOD_MS };
        let due = now.ms >= self.last_ms + u64::from(period);
        if due {
            self.last_ms = now.ms;
        }
        due
    }

    /// How long a loop may sleep: for ever with no connection open, so that an idle server uses no CPU.
    /// `check_soon` says that it must look again within some milliseconds: accepting is paused, or the server
    /// drains.
    pub fn timeout(open: usize, check_soon: bool) -> EpollTimeout {
        match (open, check_soon) {
            (_, true) => SHORT_PERIOD_MS.into(),
            (0, false) => EpollTimeout::NONE,
            (_, false) => PERIOD_MS.into(),
        }
    }
}
