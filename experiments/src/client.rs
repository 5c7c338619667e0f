//! A client of a stage: it asks, and it waits for a reply for a limited time.

use anyhow::{Context, Result};
use lab_core::wire::{Connection, Replies, Reply, get};
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long a reply may take that is sure to come.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Client {
    /// The socket.
    pub(crate) stream: TcpStream,
    /// The replies on it.
    replies: Replies,
}

impl Client {
    /// Connects.
    pub(crate) fn connect(addr: SocketAddr) -> Result<Self> {
        let stream =
            TcpStream::connect_timeout(&addr, LONG).with_context(|| format!("cannot connect to {addr}"))?;
        // What is sent in two pieces must arrive in two.
        stream.set_nodelay(true)?;
        Ok(Self { stream, replies: Replies::default() })
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("the server takes no bytes")
    }

    /// Asks for a path and keeps the connection.
    pub(crate) fn ask(&mut self, path: &str) -> Result<()> {
        self.send(&request(path))
    }

    /// A whole reply.
    pub(crate) fn reply(&mut self) -> Result<Reply> {
        self.reply_within(LONG)
    }

    /// A whole reply that comes within `limit`.
    pub(crate) fn reply_within(&mut self, limit: Duration) -> Result<Reply> {
        self.replies.next(&mut self.stream, limit)
    }

    /// Whether a byte comes within `limit`. It is not taken.
    pub(crate) fn has_answer_within(&self, limit: Duration) -> Result<bool> {
        if self.replies.has_unread() {
            return Ok(true);
        }
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // A timeout of zero would mean none.
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match self.stream.peek(&mut [0]) {
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                    return Ok(false);
                }
                Err(error) => return Err(error).context("the connection broke"),
            }
        }
    }
}

/// A request for a path on a connection that is kept.
pub(crate) fn request(path: &str) -> Vec<u8> {
    get(path, "localhost", Connection::Kept)
}
