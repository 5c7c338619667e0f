//! What a loop writes into the log: a line for each request, and at `debug` the coming and going of connections.

use super::{Level, Log, begin};
use kit::session::Session;
use nix::sys::socket::{SockaddrIn, getpeername};
use nonblocking_epoll::connection::Connection;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

/// How much is given to the log at once, and one line more.
const PIECE: usize = 64 * 1024;

/// One loop's way to the log.
pub struct AccessLog {
    log: Arc<Log>,
    /// Scratch memory, kept for its capacity.
    lines: Vec<u8>,
}

/// Whose lines they are. Empty where nothing is written.
pub struct Peer(Option<Box<str>>);

impl AccessLog {
    /// Nothing to write yet.
    pub fn new(log: Arc<Log>) -> Self {
        Self { log, lines: Vec::new() }
    }

    /// Who is at the other end of a new connection. If requests are noted, its session keeps a journal from now on.
    pub fn peer(&self, socket: &impl AsFd, session: &mut Session) -> Peer {
        Peer(self.log.takes(Level::Info).then(|| {
            session.keep_journal();
            // It may be gone already.
            let peer = getpeername::<SockaddrIn>(socket.as_fd().as_raw_fd());
            peer.map_or_else(|_| "-".into(), |peer| peer.to_string().into())
        }))
    }

    /// After a turn: writes down what was asked in it, and what was answered.
    pub fn requests(&mut self, peer: &Peer, connection: &mut Connection, date: &[u8; 29]) {
        let (Some(journal), Some(peer)) = (connection.journal(), &peer.0) else { return };
        let (log, lines) = (&self.log, &mut self.lines);
        journal.drain(|exchange| {
            // A peer may ask thousands of times at once, and a log takes no more than fits into a buffer of its own.
            if lines.len() >= PIECE {
                log.append(lines);
                lines.clear();
            }
            begin(lines, Level::Info, date);
            for part in [peer.as_bytes(), b" ", exchange, b"\n"] {
                lines.extend_from_slice(part);
            }
        });
        if !lines.is_empty() {
            log.append(lines);
            lines.clear();
        }
    }

    /// What became of a connection.
    pub fn note(&self, peer: &Peer, what: &str, date: &[u8; 29]) {
        self.log.note(Level::Debug, date, format_args!("{} {what}", peer.0.as_deref().unwrap_or("-")));
    }
}
