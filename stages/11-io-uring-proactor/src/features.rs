//! Which of io_uring's features are used. By default those that pay; each can be switched, to see what it is
//! worth.
//!
//! Three of them break promises that the stage otherwise keeps, and are there to be measured only:
//!
//! * `--zero-copy`: the next bytes wait until the peer has acknowledged the last ones, so many small replies
//!   are slow. And a peer with a small receive buffer hardly gets any further: the loopback copies what the
//!   sender has not copied, into whole pages, which fill that buffer, so the window closes after each segment
//!   until it is probed again (TCPToZeroWindowAdv and RcvPruned in /proc/net/netstat count that). The probe
//!   `memory-while-idle` hangs, and with `--registered-buffers` seven more with such peers.
//! * `--incremental`: pieces end anywhere in a buffer, and the allocator happens to keep the memory of large
//!   uploads for longer: `memory-while-idle` fails, unless MALLOC_MMAP_THRESHOLD_ is fixed (mallopt(3)).
//! * `--direct`: a connection beyond the ring's table is lost instead of waiting.
//!
//! Not here, since this server has no use for them: *send bundles* gather several buffers of a group into one
//! send, and each connection would need a group of its own; the session has gathered its replies into one
//! piece of memory before a send is submitted. *Registered buffers* for a receive would bind a buffer to each
//! connection (`--own-buffers` does that); for a file they save a look-up that only direct I/O makes.

use clap::Args;
use io_uring::{IoUring, Probe, opcode};
use kit::error::failed;
use nix::errno::Errno;
use std::io;

/// Which of io_uring's features are used.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Features {
    /// Accept one connection for each submission, not all with one (multishot)
    #[arg(long)]
    pub accept_once: bool,

    /// Receive once for each submission, not whatever arrives with one (multishot)
    #[arg(long)]
    pub receive_once: bool,

    /// Receive into a buffer of each connection, not into one that is provided for all; receives once
    #[arg(long)]
    pub own_buffers: bool,

    /// Let completions interrupt the thread, not wait until it asks for them (DEFER_TASKRUN)
    #[arg(long)]
    pub interrupt: bool,

    /// A thread of the kernel takes the submissions (SQPOLL); it sleeps after so many idle milliseconds
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub sqpoll: Option<u32>,

    /// Send output of so many bytes or more without copying it (zero-copy)
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..))]
    pub zero_copy: Option<u32>,

    /// Wait so long for several completions before one is enough (min_wait, Linux 6.12)
    #[arg(long, value_name = "US", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub min_wait: Option<u32>,

    /// Take as many buffers with one completion as the bytes that have arrived need (bundles, Linux 6.10)
    #[arg(long, conflicts_with_all = ["own_buffers", "incremental"])]
    pub bundles: bool,

    /// Fill a provided buffer to its end, piece by piece, not one for each piece (incremental, Linux 6.12)
    #[arg(long, conflicts_with = "own_buffers")]
    pub incremental: bool,

    /// Accept into a table of the ring: connections have no descriptor of the process (direct, Linux 6.8)
    #[arg(long)]
    pub direct: bool,

    /// Send the filler of /bytes/N from memory whose pages the kernel has pinned once (registered buffers)
    #[arg(long, requires = "zero_copy")]
    pub registered_buffers: bool,
}

impl Features {
    /// Whether this kernel knows what is asked of these queues. What is found by trying is found where it is
    /// used: see [`needs`].
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`], with the option and the kernel that it needs.
    pub fn check(self, uring: &IoUring) -> io::Result<()> {
        if self.bundles && !uring.params().is_feature_recvsend_bundle() {
            return Err(needs("--bundles", "6.10"));
        }
        if self.direct {
            let mut probe = Probe::new();
            let probed = uring.submitter().register_probe(&mut probe);
            probed.map_err(|error| failed("io_uring_register")(errno(&error)))?;
            if !probe.is_supported(opcode::FixedFdInstall::CODE) {
                return Err(needs("--direct", "6.8"));
            }
        }
        Ok(())
    }
}

/// What is said where this kernel lacks what an option needs.
pub fn needs(option: &str, version: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("{option} needs Linux {version} or newer"))
}

/// The number of an error of a system call.
pub fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
