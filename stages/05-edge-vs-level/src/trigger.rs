//! The two flags: how the kernel reports readiness, and how far a turn reads.
//!
//! 2 KiB have arrived, and a turn reads 1 KiB (sources 001 and 004):
//!
//! | | `--drain once` | `--drain until-would-block` |
//! |---|---|---|
//! | `--trigger level` | reported again: served in the next turn | served in this turn |
//! | `--trigger edge` | **not reported again: it waits for more, perhaps for ever** | served in this turn |

use clap::ValueEnum;
use nix::sys::epoll::EpollFlags;
use nonblocking_epoll::connection::Turn;

/// How epoll reports that a socket is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Trigger {
    /// For as long as it is ready
    Level,
    /// Once, when it becomes ready
    Edge,
}

// ANCHOR: values
/// How far a turn reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Drain {
    /// One read
    Once,
    /// Until the kernel says that nothing is left (EAGAIN)
    UntilWouldBlock,
}
// ANCHOR_END: values

/// A turn reads at most this often, or one peer that never stops sending would have the loop to itself.
const MAX_READS: usize = 16;

impl Trigger {
    // ANCHOR: interest
    /// The events to register for a connection that waits for `interest`.
    pub fn interest(self, interest: EpollFlags) -> EpollFlags {
        match self {
            // Only what it waits for: a socket that has room would be reported writable all the time.
            Trigger::Level => interest,
            // Everything, once and for all: each change is reported once, wanted or not. So the registration
            // never has to follow what the connection waits for, and epoll_ctl(2) is called again only after
            // a turn that the loop ended early.
            Trigger::Edge => {
                EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET
            }
        }
    }
    // ANCHOR_END: interest
}

impl Drain {
    // ANCHOR: drain
    /// Whether to read again at once after a turn that ended like this; `reads` turns came before it.
    pub fn continues(self, turn: &Turn, reads: usize) -> bool {
        self == Drain::UntilWouldBlock && matches!(turn, Turn::Served) && reads < MAX_READS
    }
    // ANCHOR_END: drain

    /// Whether *we* ended the turn although the kernel may have more for us. An edge that has been reported
    /// is not reported again, so epoll must be asked to look anew (`EPOLL_CTL_MOD`).
    #[inline]
    pub fn stopped_early(self, turn: &Turn) -> bool {
        match turn {
            Turn::Paused => true,
            Turn::Served => self == Drain::UntilWouldBlock,
            _ => false,
        }
    }
}
