//! One request before the measuring: a server that answers wrong is not measured.

use anyhow::{Context, Result, bail, ensure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A right reply's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Head and body.
    pub(crate) bytes: u64,
    /// The body alone.
    pub(crate) body_bytes: u64,
}

/// How long the server may think.
const LIMIT: Duration = Duration::from_secs(1);
/// A larger reply is no load for these tools.
const LARGEST: usize = 64 << 20;

/// Asks once. The reply must be a 200 with a body as long as it says, and `/` must greet. The end of the
/// connection is not waited for: a server may keep it.
pub(crate) fn smoke(addr: SocketAddr, path: &str) -> Result<Reply> {
    ask(addr, path, check)
}

/// The same for a server that is not of this lab: `/` may answer what it likes.
pub(crate) fn look(addr: SocketAddr, path: &str) -> Result<Reply> {
    ask(addr, path, whole)
}

/// Tells whether what has arrived is a whole reply, or only the beginning of one.
type Judge = fn(&[u8], &str) -> Result<Option<Reply>>;

fn ask(addr: SocketAddr, path: &str, judge: Judge) -> Result<Reply> {
    let mut stream = TcpStream::connect_timeout(&addr, LIMIT).context("it does not accept a connection")?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    // One write: the floor takes every read for a request.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut received = Vec::new();
    let mut piece = [0; 64 * 1024];
    loop {
        if let Some(reply) = judge(&received, path)? {
            return Ok(reply);
        }
        let count = stream.read(&mut piece).context("no whole reply within a second")?;
        ensure!(count > 0, "it closed the connection after {} bytes of a reply", received.len());
        received.extend_from_slice(&piece[..count]);
        ensure!(received.len() <= LARGEST, "GET {path} answers more than {LARGEST} bytes");
    }
}

/// Looks at what has arrived: `None` while it is the beginning of a right reply.
pub(crate) fn check(received: &[u8], path: &str) -> Result<Option<Reply>> {
    let reply = whole(received, path)?;
    if let Some(Reply { body_bytes, .. }) = reply
        && path == "/"
    {
        ensure!(body_bytes == 13, "GET / must answer 13 bytes, not {body_bytes}");
    }
    Ok(reply)
}

fn whole(received: &[u8], path: &str) -> Result<Option<Reply>> {
    let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let (head, body) = (String::from_utf8_lossy(&received[..end]), &received[end + 4..]);
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        bail!("GET {path} must answer 200, not '{status}'");
    }
    let announced = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let announced = announced.context("the reply has no Content-Length")?;
    ensure!(body.len() <= announced, "the body has {} bytes, announced were {announced}", body.len());
    let whole = Reply { bytes: received.len() as u64, body_bytes: announced as u64 };
    Ok((body.len() == announced).then_some(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHello, World!";

    #[test]
    fn only_a_whole_reply_passes() {
        let size = Reply { bytes: RIGHT.len() as u64, body_bytes: 13 };
        for cut in 0..RIGHT.len() {
            assert_eq!(check(&RIGHT[..cut], "/").expect("not wrong so far"), None, "cut at {cut}");
        }
        assert_eq!(check(RIGHT, "/").expect("right"), Some(size));
    }

    #[test]
    fn a_wrong_reply_is_refused() {
        let replies: &[&[u8]] = &[
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n\r\nHello, World!",
            b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!!",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello",
            b"HTTP/1.1 200 OK\r\n\r\nHello, World!",
        ];
        for reply in replies {
            assert!(check(reply, "/").is_err(), "{}", String::from_utf8_lossy(reply));
        }
    }
}
