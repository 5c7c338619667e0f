//! A look at all deadlines once a second, as seed 000's server does.
//!
//! It costs a load per connection per second, and a peer may live up to a second longer than it should. Stage 08
//! replaces it by timers.

use crate::clock::Now;
use nix::sys::epoll::EpollTimeout;

const PERIOD_MS: u64 = 1_000;
/// While accepting is paused or the server drains, a loop looks around this often.
const SOON_MS: u16 = 20;

/// When to look next.
#[derive(Debug, Default)]
pub struct Sweep {
    next_ms: u64,
}

impl Sweep {
    /// True once a second.
    pub fn is_due(&mut self, now: &Now) -> bool {
        let due = now.ms >= self.next_ms;
        if due {
            self.next_ms = now.ms + PERIOD_MS;
        }
        due
    }

    /// How long a loop may sleep: for ever with nothing to sweep, so that an idle server uses no CPU.
    pub fn timeout(open: usize, impatient: bool) -> EpollTimeout {
        match (open, impatient) {
            (_, true) => SOON_MS.into(),
            (0, false) => EpollTimeout::NONE,
            (_, false) => (PERIOD_MS as u16).into(),
        }
    }
}
