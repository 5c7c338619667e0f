//! A client of a stage: it asks, and it waits for a reply for a limited time.

use anyhow::{Context, Result, ensure};
use lab_core::wire::{Collector, Connection, Reply, get};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long a reply may take that is sure to come.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// The longest body of a reply, in bytes: more than any experiment asks for.
const LONGEST: u64 = 80 << 20;

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Client {
    /// The socket.
    pub(crate) stream: TcpStream,
    /// What came behind a reply: the next one, or its beginning.
    unread: Vec<u8>,
    /// Where the next reply is put together.
    replies: Collector,
}

impl Client {
    /// Connects.
    pub(crate) fn connect(addr: SocketAddr) -> Result<Self> {
        let stream =
            TcpStream::connect_timeout(&addr, LONG).with_context(|| format!("cannot connect to {addr}"))?;
        // What is sent in two pieces must arrive in two.
        stream.set_nodelay(true)?;
        let mut replies = Collector::default();
        replies.set_body_limit(LONGEST);
        Ok(Self { stream, unread: Vec::new(), replies })
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

    /// A whole reply that comes within `limit`. What came behind it is kept for the next one.
    pub(crate) fn reply_within(&mut self, limit: Duration) -> Result<Reply> {
        let deadline = Instant::now() + limit;
        let mut piece = vec![0; 64 * 1024];
        loop {
            let (taken, reply) = self.replies.feed(&self.unread)?;
            self.unread.drain(..taken);
            if let Some(reply) = reply {
                return Ok(reply);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "no whole reply within {limit:?}");
            // A timeout of zero would mean none.
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match self.stream.read(&mut piece) {
                Ok(0) => return self.replies.end().context("it closed the connection before a whole reply"),
                Ok(count) => self.unread.extend_from_slice(&piece[..count]),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Err(error).context("receiving failed"),
                },
            }
        }
    }

    /// Whether a byte comes within `limit`. It is not taken.
    pub(crate) fn has_answer_within(&self, limit: Duration) -> Result<bool> {
        if !self.unread.is_empty() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Protects the experiments that ask twice: on a busy machine both replies come in one read.
    #[test]
    fn two_replies_in_one_segment_are_two() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut client = Client::connect(listener.local_addr().expect("an address")).expect("it listens");
        let (mut server, _) = listener.accept().expect("a client");
        let reply = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        server.write_all([reply("a"), reply("bc")].concat().as_bytes()).expect("it reads");
        assert_eq!(client.reply().expect("the first").body, b"a");
        assert_eq!(client.reply().expect("the second").body, b"bc");
    }
}
