//! One request before the measuring: a server that answers wrong is not measured.

use anyhow::{Context, Result, ensure};
use lab_core::wire::{Authority, Connection, Framing, Replies, Reply as Whole, get};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A right reply's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Head and body.
    pub(crate) bytes: u64,
    /// What another client of the same server may get more or less than that: interim replies, which HTTP/1.0
    /// does not have, and what frames chunks.
    pub(crate) variable_bytes: u64,
    /// The body alone.
    pub(crate) body_bytes: u64,
}

/// How long the server may take to answer. Generous: it bounds a failure only, and the machine may be busy.
const LIMIT: Duration = Duration::from_secs(5);

/// Asks once. The reply must be a 200 with a body as long as it says, and `/` must greet. The end of the
/// connection is not waited for: a server may keep it.
pub(crate) fn smoke(addr: SocketAddr, path: &str) -> Result<Reply> {
    check(&ask(addr, &Authority::from(addr).header(), path)?, path)
}

/// The same for a server that is not of this lab: `/` may answer what it likes, of whatever length. `host` is
/// for the Host header.
pub(crate) fn look(addr: SocketAddr, host: &str, path: &str) -> Result<Reply> {
    sizes(&ask(addr, host, path)?, path)
}

/// A server that sheds load by the age of its queue refuses a lone request too, where a busy machine keeps
/// its worker from the CPU: such a one is asked again.
fn ask(addr: SocketAddr, host: &str, path: &str) -> Result<Whole> {
    let end = Instant::now() + LIMIT;
    loop {
        let reply = ask_once(addr, host, path)?;
        if reply.status != 503 || Instant::now() >= end {
            return Ok(reply);
        }
        sleep(Duration::from_millis(50));
    }
}

fn ask_once(addr: SocketAddr, host: &str, path: &str) -> Result<Whole> {
    let mut stream = TcpStream::connect_timeout(&addr, LIMIT).context("it does not accept a connection")?;
    stream.set_write_timeout(Some(LIMIT))?;
    // One write: the floor takes every read for a request.
    stream.write_all(&get(path, host, Connection::Closed)).context("it does not read the request")?;
    Replies::default().next(&mut stream, LIMIT)
}

/// The sizes of a right reply of this lab's servers.
pub(crate) fn check(reply: &Whole, path: &str) -> Result<Reply> {
    let sizes = sizes(reply, path)?;
    ensure!(matches!(reply.framing, Framing::Length(_)), "the reply has no Content-Length");
    if path == "/" {
        ensure!(sizes.body_bytes == 13, "GET / must answer 13 bytes, not {}", sizes.body_bytes);
    }
    Ok(sizes)
}

/// The sizes of a right reply of any server.
fn sizes(reply: &Whole, path: &str) -> Result<Reply> {
    ensure!(reply.status == 200, "GET {path} must answer 200, not {}", reply.status);
    let body_bytes = reply.body.len() as u64;
    let framed = match reply.framing {
        Framing::Chunked => reply.bytes.saturating_sub(body_bytes),
        Framing::Length(_) | Framing::Close => 0,
    };
    Ok(Reply { bytes: reply.bytes, variable_bytes: reply.interim_bytes + framed, body_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_core::wire::Collector;
    use test_support::server::{RIGHT, Server, Then};

    fn reply(bytes: &str) -> Whole {
        let mut collector = Collector::default();
        let (_, reply) = collector.feed(bytes.as_bytes()).expect("a reply");
        reply.or_else(|| collector.end()).expect("a whole reply")
    }

    #[test]
    fn a_right_reply_has_its_sizes() {
        let right = "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHello, World!";
        let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
        let size = Reply { bytes: right.len() as u64, variable_bytes: 0, body_bytes: 13 };
        assert_eq!(check(&reply(right), "/").expect("right"), size);
        let hinted = Reply { variable_bytes: interim.len() as u64, ..size };
        assert_eq!(check(&reply(&[interim, right].concat()), "/").expect("right"), hinted);
    }

    /// Protects the policy that refuses what has waited too long: on a busy machine it may refuse the first
    /// request, and is measured all the same.
    #[test]
    fn a_server_that_sheds_a_request_is_asked_again() {
        const SHED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        let server = Server::start(|number| (if number < 2 { SHED } else { RIGHT }, Then::AsAsked));
        assert_eq!(smoke(server.addr, "/").expect("it serves the third").bytes, RIGHT.len() as u64);
        assert_eq!(server.answered(), 3);
    }

    #[test]
    fn a_wrong_reply_is_refused() {
        let replies = [
            "HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n\r\nHello, World!",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello",
            "HTTP/1.1 200 OK\r\n\r\nHello, World!",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nHello, World!\r\n0\r\n\r\n",
        ];
        for bytes in replies {
            assert!(check(&reply(bytes), "/").is_err(), "{bytes}");
        }
        // Another server need not greet, nor know its length; but it must answer 200.
        for bytes in &replies[1..] {
            assert!(sizes(&reply(bytes), "/").is_ok(), "{bytes}");
        }
        assert!(sizes(&reply(replies[0]), "/").is_err());
    }
}
