//! A client that has not shown yet what it speaks: its first line says so.

use super::lines::Lines;
use super::{MAX_LINE, Room};
use crate::apps::front::Front;
use framework::{Connection, Protocol};
use kit::start::Sessions;
use std::sync::Arc;

/// Bytes that have come.
pub(super) struct Guest {
    room: Arc<Room>,
    sessions: Sessions,
    input: Vec<u8>,
}

impl Guest {
    /// One that has said nothing.
    pub(super) fn new(room: Arc<Room>, sessions: Sessions) -> Self {
        Self { room, sessions, input: Vec::new() }
    }
}

impl Protocol for Guest {
    fn service(&self) -> &'static str {
        "chat-guest"
    }

    fn on_data(&mut self, connection: &mut Connection<'_>) {
        let is_first = self.input.is_empty();
        let Ok(bytes) = connection.receive() else { return };
        self.input.extend_from_slice(bytes);
        if is_first && !self.input.is_empty() {
            let end = connection.now().ms + u64::from(self.sessions.timeouts().header_ms);
            connection.set_deadline(Some(end));
        }
        let Some(end) = self.input.iter().position(|&byte| byte == b'\n') else {
            if self.input.len() > MAX_LINE {
                connection.drop_because("its line is too long");
            }
            return;
        };
        let line = self.input[..end].trim_ascii_end();
        if is_request(line) {
            let front = Front::new(Arc::clone(&self.room), self.sessions.clone());
            front.begin(&self.input, connection);
        } else if line.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t') {
            // Most likely it is TLS.
            connection.drop_because("it speaks neither lines nor HTTP");
        } else {
            let mut lines = Lines::enter(&self.room, connection);
            lines.received(&self.input, connection);
            connection.set_protocol(Box::new(lines));
        }
    }
}

/// Whether a line is that of a request, whatever its method: a page of another site may let its reader's
/// browser send one, with lines behind it, and nobody must hear them.
fn is_request(line: &[u8]) -> bool {
    let mut words = line.rsplit(|&byte| byte == b' ');
    words.next().is_some_and(|version| version.starts_with(b"HTTP/")) && words.count() >= 2
}

#[cfg(test)]
mod tests {
    use super::is_request;

    /// Protects a reader of another site, whose page can make the browser send requests of any method.
    #[test]
    fn what_a_browser_sends_is_no_line_and_what_people_say_is() {
        for line in ["GET / HTTP/1.1", "POST / HTTP/1.1", "PRI * HTTP/2.0", "X-Y /a b HTTP/1.1"] {
            assert!(is_request(line.as_bytes()), "{line}");
        }
        for line in ["", "hello", "GET me a beer", "GET /", "old HTTP/1.1", "what is HTTP/1.1 for"] {
            assert!(!is_request(line.as_bytes()), "{line}");
        }
    }
}
