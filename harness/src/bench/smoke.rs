//! One request before the measuring: a server that answers wrong is not measured.

use anyhow::{Context, Result, bail, ensure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A right reply's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// Head and body.
    pub(super) bytes: u64,
    /// The body alone.
    pub(super) body_bytes: u64,
}

/// How long the server may think.
const LIMIT: Duration = Duration::from_secs(1);
/// A reply with a larger body is measured all the same; it is not read to its end here.
const LARGEST: u64 = 64 << 20;

/// Asks once. The reply must be a 200 with a body as long as it says, and `/` must greet.
pub(super) fn smoke(addr: SocketAddr, path: &str) -> Result<Reply> {
    let mut stream = TcpStream::connect_timeout(&addr, LIMIT).context("it does not accept a connection")?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n")?;
    let mut reply = Vec::new();
    stream.take(LARGEST).read_to_end(&mut reply).context("it did not answer and close within a second")?;
    check(&reply, path)
}

fn check(reply: &[u8], path: &str) -> Result<Reply> {
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n").context("the reply has no head")?;
    let (head, body) = (String::from_utf8_lossy(&reply[..end]), &reply[end + 4..]);
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        bail!("GET {path} must answer 200, not '{status}'");
    }
    let announced = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let announced = announced.context("the reply has no Content-Length")?;
    ensure!(body.len() == announced, "the body has {} bytes, announced were {announced}", body.len());
    if path == "/" {
        ensure!(announced == 13, "GET / must answer 13 bytes, not {announced}");
    }
    Ok(Reply { bytes: reply.len() as u64, body_bytes: announced as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_reply_passes_with_its_size() {
        let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHello, World!";
        assert_eq!(check(reply, "/").expect("right"), Reply { bytes: reply.len() as u64, body_bytes: 13 });
    }

    #[test]
    fn a_wrong_reply_is_refused() {
        let replies: &[&[u8]] = &[
            b"",
            b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n",
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n\r\nHello, World!",
            b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello",
            b"HTTP/1.1 200 OK\r\n\r\nHello, World!",
        ];
        for reply in replies {
            assert!(check(reply, "/").is_err(), "{}", String::from_utf8_lossy(reply));
        }
    }
}
