//! The two flags: how the kernel reports readiness, and how far a turn reads.
//!
//! 2 KiB have arrived, and a turn reads 1 KiB (seeds 001 and 004):
//!
//! | | `--drain once` | `--drain until-would-block` |
//! |---|---|---|
//! | `--trigger level` | reported again: served in the next turn | served in this turn |
//! | `--trigger edge` | **not reported again: it waits until more arrives, perhaps for ever** | served in this turn |

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

/// How far a turn reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Drain {
    /// One read
    Once,
    /// Until the kernel says that nothing is left (EAGAIN)
    UntilWouldBlock,
}

/// A turn reads at most this often, or one peer that never stops sending would have the loop to itself.
const READS: usize = 16;

impl Trigger {
    // ANCHOR: mask
    /// What to tell epoll about a connection that waits for `interest`.
    pub fn mask(self, interest: EpollFlags) -> EpollFlags {
        match self {
            // Only what it waits for: a socket that has room would be reported writable all the time.
            Trigger::Level => interest,
            // Everything, once and for all: a change is reported once, wanted or not, so the mask never has
            // to follow what the connection waits for, and epoll_ctl is not called again.
            Trigger::Edge => {
                EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET
            }
        }
    }
    // ANCHOR_END: mask
}

impl Drain {
    // ANCHOR: drain
    /// Whether a turn that ended like this goes on, after `reads` reads.
    pub fn goes_on(self, turn: &Turn, reads: usize) -> bool {
        self == Drain::UntilWouldBlock && matches!(turn, Turn::Served) && reads < READS
    }
    // ANCHOR_END: drain

    /// Whether *we* ended the turn, though the kernel may have more for us. It does not know that, and an edge that
    /// has been reported is not reported again: epoll must be asked to look anew.
    pub fn stopped_early(self, turn: &Turn) -> bool {
        match turn {
            Turn::Paused => true,
            Turn::Served => self == Drain::UntilWouldBlock,
            _ => false,
        }
    }
}
