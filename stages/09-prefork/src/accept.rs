//! The herd and its cures, as the user chooses among them.

use clap::ValueEnum;

/// How a connection finds a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Accept {
    /// The parent watches the listener and tells one child, in turn
    Notify,
    /// All children watch it: all wake up for each connection
    Shared,
    /// All watch it with EPOLLEXCLUSIVE: the kernel wakes one, or a few
    Exclusive,
    /// A listener for each child (SO_REUSEPORT): the kernel deals
    Reuseport,
}

/// How the parent tells its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Notify {
    /// Once, and then not again until the child answers or a millisecond is over
    Acknowledged,
    /// Again and again until somebody has accepted, as seed 002 does
    Flood,
}
