//! The thundering herd and its cures, as options.

use clap::{Parser, ValueEnum};
use kit::options::workers;

/// Stage 09: a fixed number of processes, each with a loop of its own.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How a connection finds a process
    #[arg(long, value_enum, default_value = "notify")]
    pub accept: Accept,

    /// How the parent notifies its children, with `--accept notify`
    #[arg(long, value_enum, default_value = "acknowledged")]
    pub notify: Notify,

    /// How many processes serve [default: one for each CPU]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}

/// How a connection finds a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Accept {
    /// The parent watches the listener and notifies one child, in turn
    Notify,
    /// All children watch it: all wake up for each connection
    Shared,
    /// All watch it with EPOLLEXCLUSIVE: the kernel wakes one, or a few
    Exclusive,
    /// A listener for each child (SO_REUSEPORT): the kernel deals
    Reuseport,
}

/// How the parent notifies its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Notify {
    /// Once, and then not again until the child answers or a millisecond is over
    Acknowledged,
    /// Again and again until a child has accepted, as source 002 does
    Flood,
}
