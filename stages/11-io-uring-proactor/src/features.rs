//! Which of io_uring's features are used. By default those that pay; each can be switched, to see what it is
//! worth.
//!
//! Two of them break promises that the stage otherwise keeps, and are there to be measured only: with
//! `--zero-copy` the next bytes wait until the peer has acknowledged the last ones, so many small replies are
//! slow and a peer that never reads is never turned away; with `--sqpoll` the server spins for a while when
//! descriptors run out.

use clap::Args;

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
}
