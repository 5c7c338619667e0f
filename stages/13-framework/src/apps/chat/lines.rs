//! A client that speaks plain lines.

use super::{MAX_LINE, Room, note, say};
use framework::{Connection, ConnectionId, Protocol, Reason, Server};
use std::time::Duration;

pub(super) const SERVICE: &str = "chat-lines";

/// The beginning of a line whose end has not come.
pub(super) struct Lines {
    name: String,
    input: Vec<u8>,
}

impl Lines {
    /// A client that has come in.
    pub(super) fn enter(room: &Room, connection: &mut Connection<'_>) -> Self {
        let (name, greeting) = room.greet(connection.server());
        connection.write_move(format!("{greeting}\n").into_bytes());
        // Whoever listens may be silent.
        connection.set_timeout(Duration::ZERO);
        Self { name, input: Vec::new() }
    }

    /// Says each line that is complete.
    pub(super) fn received(&mut self, bytes: &[u8], connection: &mut Connection<'_>) {
        self.input.extend_from_slice(bytes);
        let mut begin = 0;
        while let Some(length) = self.input[begin..].iter().position(|&byte| byte == b'\n') {
            if length > MAX_LINE {
                return connection.drop_because("its line is too long");
            }
            let line = String::from_utf8_lossy(&self.input[begin..begin + length]);
            let line = line.trim_end_matches('\r');
            // An empty one says nothing: so a client comes in that only wants to hear.
            if !line.is_empty() {
                say(connection, &self.name, line);
            }
            begin += length + 1;
        }
        self.input.drain(..begin);
        if self.input.len() > MAX_LINE {
            connection.drop_because("its line is too long");
        }
    }
}

impl Protocol for Lines {
    fn service(&self) -> &'static str {
        SERVICE
    }

    fn on_data(&mut self, connection: &mut Connection<'_>) {
        let Ok(bytes) = connection.receive() else { return };
        let bytes = bytes.to_vec();
        self.received(&bytes, connection);
    }

    fn on_close(&mut self, _: &Server, _: ConnectionId, reason: &Reason) {
        note(reason);
    }
}
