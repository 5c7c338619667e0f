//! What a server is built from.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// The settings of a [`crate::Server`]. What is not named has its default:
/// `Settings { workers: 2, ..Settings::default() }`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 lets the kernel choose.
    pub addr: SocketAddrV4,
    /// How many connections may wait to be accepted.
    pub backlog: u16,
    /// How many loops a process has, each in a thread of its own.
    pub workers: usize,
    /// How many processes serve. With one, nothing is forked.
    pub processes: usize,
    /// After how long without an event a connection is [pinged](crate::Protocol::ping). Zero: never.
    pub idle_timeout: Duration,
    /// How many connections a process may have. None: its [capacity](crate::capacity::capacity).
    pub max_connections: Option<usize>,
    /// What a client over the capacity is told before it is disconnected. None: accepting pauses, and such
    /// clients wait.
    pub busy_message: Option<Vec<u8>>,
    /// A connection for which more bytes than this wait is dropped: its peer does not read.
    pub max_queued: usize,
    /// The kernel's send buffer of a connection, in bytes, which it doubles (socket(7), SO_SNDBUF). None: it
    /// grows by itself, to megabytes for a peer that does not read.
    pub send_buffer: Option<usize>,
    /// SIGTERM and SIGINT stop the server ([`kit::shutdown`]). Without this only [`crate::Server::stop`]
    /// does.
    pub signals: bool,
    /// Write `listening on ADDRESS` to stdout once the server serves.
    pub announce: bool,
    /// Keep the times of callbacks for [`crate::Server::counters`], which costs a clock reading for each.
    pub measure: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            addr: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0),
            backlog: 4096,
            workers: 1,
            processes: 1,
            idle_timeout: Duration::from_secs(60),
            max_connections: None,
            busy_message: None,
            max_queued: 1024 * 1024,
            send_buffer: None,
            signals: false,
            announce: false,
            measure: false,
        }
    }
}
