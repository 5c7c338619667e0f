//! One reply from a blocking socket.

use super::reply::{Collector, Reply};
use anyhow::{Context, Result, bail};
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A larger body is not kept, in bytes.
const MAX_BODY: u64 = 64 << 20;
/// A signal, and the end of the time for a read, after which the deadline decides.
const RETRIED: [ErrorKind; 3] = [ErrorKind::Interrupted, ErrorKind::WouldBlock, ErrorKind::TimedOut];

/// Reads one reply. It must be whole within `limit`; what follows it on the connection is dropped.
///
/// # Errors
/// In words, and never an errno's: the peer is silent, closes too early, or sends what is no reply.
pub fn read_reply(stream: &mut TcpStream, limit: Duration) -> Result<Reply> {
    let deadline = Instant::now() + limit;
    let mut collector = Collector::default();
    collector.set_body_limit(MAX_BODY);
    let mut piece = vec![0; 64 * 1024];
    loop {
        let came = collector.received();
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
                return collector.end().with_context(cut);
            }
            Ok(count) => {
                if let (_, Some(reply)) = collector.feed(&piece[..count])? {
                    return Ok(reply);
                }
            }
            Err(error) if RETRIED.contains(&error.kind()) => {}
            Err(error) => return Err(error).context(format!("receiving failed after {came} bytes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    const LIMIT: Duration = Duration::from_secs(20);

    /// What is read from a server that sends these bytes, and then closes or does not.
    fn reply_to(bytes: &[u8], closes: bool, limit: Duration) -> Result<Reply> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
        let (mut server, _) = listener.accept().expect("a client");
        server.write_all(bytes).expect("there is room");
        let _open = (!closes).then_some(server);
        read_reply(&mut client, limit)
    }

    #[test]
    fn a_reply_ends_by_its_length_or_with_the_connection() {
        let reply = reply_to(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", false, LIMIT).expect("whole");
        assert_eq!((reply.status, reply.body.as_slice()), (200, b"ab".as_slice()));
        let reply = reply_to(b"HTTP/1.0 200 OK\r\n\r\nab", true, LIMIT).expect("whole");
        assert_eq!((reply.status, reply.body.as_slice()), (200, b"ab".as_slice()));
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
