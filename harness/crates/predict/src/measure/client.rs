//! A client: it asks, and waits for a reply for a limited time.

use anyhow::{Context, Result, ensure};
use lab_core::wire::{Connection, Replies, Reply, get};
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long a reply may take that is sure to come.
pub(super) const LONG: Duration = Duration::from_secs(10);

/// A connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    replies: Replies,
}

impl Client {
    pub(super) fn connect(addr: SocketAddr) -> Result<Self> {
        let stream =
            TcpStream::connect_timeout(&addr, LONG).with_context(|| format!("cannot connect to {addr}"))?;
        Self::of(stream)
    }

    pub(super) fn of(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, replies: Replies::default() })
    }

    /// So many that say nothing, or have had one reply each and say nothing any more.
    pub(super) fn silent(addr: SocketAddr, number: usize, are_greeted: bool) -> Result<Vec<Self>> {
        let one = |_| {
            let mut client = Self::connect(addr)?;
            if are_greeted {
                client.get("/")?;
            }
            Ok(client)
        };
        (0..number).map(one).collect()
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("the server takes no bytes")
    }

    /// Asks for a path and keeps the connection.
    pub(super) fn ask(&mut self, path: &str) -> Result<()> {
        self.send(&request(path))
    }

    /// The next reply.
    pub(super) fn reply(&mut self, limit: Duration) -> Result<Reply> {
        self.replies.next(&mut self.stream, limit)
    }

    /// Asks, and waits for a good reply. Returns how long that took.
    pub(super) fn get(&mut self, path: &str) -> Result<Duration> {
        let start = Instant::now();
        self.ask(path)?;
        let reply = self.reply(LONG)?;
        ensure!(reply.status == 200, "{path} was answered {}", reply.status);
        Ok(start.elapsed())
    }

    /// How many replies come until none comes for so long.
    pub(super) fn replies_until_silence(&mut self, silence: Duration) -> usize {
        let mut count = 0;
        while self.reply(silence).is_ok() {
            count += 1;
        }
        count
    }

    /// Whether a byte or the end comes within so long; neither is taken.
    pub(super) fn has_news_within(&self, limit: Duration) -> Result<bool> {
        self.stream.set_read_timeout(Some(limit.max(Duration::from_millis(1))))?;
        match self.stream.peek(&mut [0]) {
            Ok(_) => Ok(true),
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => Ok(false),
            // A reset is the end too.
            Err(_) => Ok(true),
        }
    }
}

/// A request for a path on a connection that is kept.
pub(super) fn request(path: &str) -> Vec<u8> {
    get(path, "localhost", Connection::Kept)
}
