//! Replies from a blocking socket.

use super::reply::{Collector, Reply};
use anyhow::{Context, Result, bail};
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A signal, and the end of the time for a read, after which the deadline decides.
const RETRIED: [ErrorKind; 3] = [ErrorKind::Interrupted, ErrorKind::WouldBlock, ErrorKind::TimedOut];

/// The replies on one connection, one after another. On a busy machine several come in one read: what comes
/// behind a reply is kept for the next one.
#[derive(Debug, Default)]
pub struct Replies {
    collector: Collector,
    /// What came behind the last reply.
    unread: Vec<u8>,
}

impl Replies {
    /// Reads the next reply. It must be whole within `limit`.
    ///
    /// # Errors
    /// In words, and never an errno's: the peer is silent, closes too early, or sends what is no reply.
    pub fn next(&mut self, stream: &mut TcpStream, limit: Duration) -> Result<Reply> {
        let deadline = Instant::now() + limit;
        let mut piece = vec![0; 64 * 1024];
        loop {
            let (taken, reply) = self.collector.feed(&self.unread)?;
            self.unread.drain(..taken);
            if let Some(reply) = reply {
                return Ok(reply);
            }
            let came = self.collector.received();
            let left = deadline.saturating_duration_since(Instant::now());
            match (left.is_zero(), came) {
                (false, _) => {}
                (true, 0) => bail!("it did not answer within {limit:?}"),
                (true, _) => bail!("no whole reply within {limit:?}: {came} bytes came"),
            }
            // A timeout of zero would mean none.
            stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match stream.read(&mut piece) {
                Ok(0) => {
                    let cut = || format!("it closed the connection after {came} bytes of a reply");
                    return self.collector.end().with_context(cut);
                }
                Ok(count) => self.unread.extend_from_slice(&piece[..count]),
                Err(error) if RETRIED.contains(&error.kind()) => {}
                Err(error) => return Err(error).context(format!("receiving failed after {came} bytes")),
            }
        }
    }

    /// Whether bytes have come behind the last reply.
    pub fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    const LIMIT: Duration = Duration::from_secs(20);

    /// A client, and the server's end of its connection.
    fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
        (client, listener.accept().expect("a client").0)
    }

    /// What is read from a server that sends these bytes, and then closes or does not.
    fn reply_to(bytes: &[u8], closes: bool, limit: Duration) -> Result<Reply> {
        let (mut client, mut server) = connected();
        server.write_all(bytes).expect("there is room");
        let _open = (!closes).then_some(server);
        Replies::default().next(&mut client, limit)
    }

    #[test]
    fn a_reply_ends_by_its_length_or_with_the_connection() {
        let reply = reply_to(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", false, LIMIT).expect("whole");
        assert_eq!((reply.status, reply.body.as_slice()), (200, b"ab".as_slice()));
        let reply = reply_to(b"HTTP/1.0 200 OK\r\n\r\nab", true, LIMIT).expect("whole");
        assert_eq!((reply.status, reply.body.as_slice()), (200, b"ab".as_slice()));
    }

    /// Protects whoever asks twice on a connection: on a busy machine both replies come in one read.
    #[test]
    fn two_replies_in_one_segment_are_two() {
        let (mut client, mut server) = connected();
        let reply = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        server.write_all([reply("a"), reply("bc")].concat().as_bytes()).expect("it reads");
        let mut replies = Replies::default();
        assert_eq!(replies.next(&mut client, LIMIT).expect("the first").body, b"a");
        assert!(replies.has_unread());
        assert_eq!(replies.next(&mut client, LIMIT).expect("the second").body, b"bc");
        assert!(!replies.has_unread());
    }

    /// A user cannot act on "Resource temporarily unavailable (os error 11)".
    #[test]
    fn what_went_wrong_is_said_in_words() {
        let said = |bytes: &[u8], closes, limit| {
            format!("{:#}", reply_to(bytes, closes, limit).expect_err("no reply"))
        };
        let soon = Duration::from_millis(50);
        assert_eq!(said(b"", false, soon), "it did not answer within 50ms");
        assert_eq!(said(b"HTTP/1.1 2", false, soon), "no whole reply within 50ms: 10 bytes came");
        assert_eq!(said(b"HTTP/1.1 2", true, LIMIT), "it closed the connection after 10 bytes of a reply");
        assert!(said(b"SSH-2.0-x\r\n", false, LIMIT).contains("no HTTP/1 reply"));
    }
}
