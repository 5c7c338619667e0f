//! How many connections a process can have: as its limits on descriptors and memory allow.
//!
//! The source reckons with 4 KiB of stack and 24 KiB of data for each connection, and says itself that
//! neither has a reason. Here a connection takes no stack, and what it takes of the heap was counted: its
//! entry in the loop's table, its protocol and, while bytes wait for it, its queue.

use kit::options::MAX_DESCRIPTORS;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

/// Descriptors that are no connections: the standard ones, the loops' own, the listener, open files.
const RESERVED: u64 = 32;

/// What an idle connection may take of our memory, in bytes, with a generous protocol. The kernel's share,
/// about 8 KB, is not limited by these limits.
const BYTES_EACH: u64 = 4 * 1024;

/// Raises the limit on descriptors as far as allowed, and returns how many connections this process can have:
/// at least 1.
///
/// # Errors
/// What getrlimit(2) and setrlimit(2) say.
pub fn capacity() -> nix::Result<usize> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let descriptors = hard.min(MAX_DESCRIPTORS);
    if soft != descriptors {
        setrlimit(Resource::RLIMIT_NOFILE, descriptors, hard)?;
    }
    let mut memory = RLIM_INFINITY;
    for limit in [Resource::RLIMIT_DATA, Resource::RLIMIT_AS] {
        memory = memory.min(getrlimit(limit)?.0);
    }
    Ok(of(descriptors, memory))
}

/// Half of the memory is left for everything else.
fn of(descriptors: u64, memory: u64) -> usize {
    let by_memory = if memory == RLIM_INFINITY { u64::MAX } else { memory / 2 / BYTES_EACH };
    descriptors.saturating_sub(RESERVED).min(by_memory).max(1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects a server under a limit, of either kind: it must not promise what it cannot hold.
    #[test]
    fn the_smaller_of_both_limits_counts() {
        assert_eq!(of(1024, RLIM_INFINITY), 992);
        assert_eq!(of(1 << 20, 64 << 20), 8192);
        assert_eq!(of(100, 64 << 20), 68);
        assert_eq!(of(10, 1), 1, "a server that can serve nobody would not start");
    }
}
