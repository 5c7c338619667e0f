//! A client of a thread, with its socket while it has one.

use super::connection::Connection;
use mio::Interest;
use mio::net::TcpStream;
use std::time::Instant;

/// What became of a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum After {
    /// Replies are awaited.
    Busy,
    /// It can send.
    Free,
    /// Its connection was lost; it can send, on a new one. Not at once, or a server that closes every
    /// connection would never let the loop go.
    Lost,
    /// It could not connect and should wait until the next tick.
    Refused,
}

/// A client.
pub(super) struct Slot {
    pub(super) socket: Option<Socket>,
    pub(super) connection: Connection,
    /// The index of the spec of its last request.
    pub(super) spec: usize,
    /// It had something to send: in an open loop there may be more clients than are needed.
    pub(super) was_tried: bool,
    /// One of its connections was established.
    pub(super) was_connected: bool,
}

pub(super) struct Socket {
    pub(super) stream: TcpStream,
    /// What is registered with epoll; nothing before the first request was sent.
    pub(super) interest: Option<Interest>,
    /// A write has succeeded. Errors before it are errors of connecting.
    pub(super) established: bool,
}

impl Slot {
    /// Without a connection.
    pub(super) fn new(now: Instant) -> Self {
        let connection = Connection::new(now);
        Self { socket: None, connection, spec: 0, was_tried: false, was_connected: false }
    }
}
