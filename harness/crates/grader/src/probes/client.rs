//! A TCP client that is simple enough to be trusted: blocking, and every wait has a limit.

use super::verdict::{Fault, Verdict, shortage};
use lab_core::wire::{self, Collector, Connection, Framing};
use nix::sys::socket::{SetSockOpt, sockopt};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long anything that should happen at once may take. Generous: it only bounds a failure.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The reply to `GET /`.
    pub(crate) fn must_be_hello(&self) -> Verdict {
        self.must_be(b"Hello, World!")
    }

    /// A 200 with this body.
    pub(crate) fn must_be(&self, body: &[u8]) -> Verdict {
        self.must_be_ok()?;
        if self.body == body {
            return Ok(());
        }
        let differs = self.body.iter().zip(body).position(|(a, b)| a != b);
        let at = differs.unwrap_or(self.body.len().min(body.len()));
        Err(Fault::wrong(format!(
            "a body of {} bytes, not the {} expected; they differ at byte {at}",
            self.body.len(),
            body.len()
        )))
    }

    /// The reply to `GET /bytes/LENGTH`. The filler is the server's own choice, but it repeats every 64
    /// bytes, so that a byte that is lost or sent twice shows.
    pub(crate) fn must_be_filler(&self, length: usize) -> Verdict {
        self.must_be_ok()?;
        if self.body.len() != length {
            return Err(Fault::wrong(format!("{} bytes instead of {length}", self.body.len())));
        }
        match self.body.iter().zip(self.body.iter().skip(64)).position(|(a, b)| a != b) {
            Some(at) => Err(Fault::wrong(format!("byte {} of the body is not the filler's", at + 64))),
            None => Ok(()),
        }
    }

    pub(crate) fn must_be_ok(&self) -> Verdict {
        self.must_have_status(200)
    }

    pub(crate) fn must_have_status(&self, expected: u16) -> Verdict {
        match self.status == expected {
            true => Ok(()),
            false => Err(Fault::wrong(format!("status {} instead of {expected}", self.status))),
        }
    }
}

/// The host that every probe asks for.
const HOST: &str = "probe";

/// A request that leaves the connection open.
pub(crate) fn get(path: &str) -> Vec<u8> {
    wire::get(path, HOST, Connection::Kept)
}

/// A request that asks the server to close after its reply.
pub(crate) fn get_and_close(path: &str) -> Vec<u8> {
    wire::get(path, HOST, Connection::Closed)
}

/// A request with a body, answered by the same body.
pub(crate) fn post_echo(body: &[u8]) -> Vec<u8> {
    let mut request =
        format!("POST /echo HTTP/1.1\r\nHost: probe\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    request.extend_from_slice(body);
    request
}

/// A reply as the probes see it. What HTTP allows and the contract of the lab does not is wrong for a stage.
fn judged(reply: wire::Reply, may_be_chunked: bool) -> Result<Reply, Fault> {
    match reply.framing {
        Framing::Chunked if !may_be_chunked => {
            Err(Fault::wrong("chunked, where the contract of the lab wants a Content-Length"))
        }
        _ => Ok(Reply { status: reply.status, body: reply.body }),
    }
}

/// The connection has ended after so many bytes of `what`.
fn closed(count: u64, what: &str) -> Fault {
    Fault::wrong(match count {
        0 => format!("closed instead of {what}"),
        _ => format!("closed in the middle: {count} bytes came of {what}"),
    })
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    /// Received, and not yet part of a reply.
    unread: Vec<u8>,
    /// Where the next reply is put together.
    replies: Collector,
    /// The server is one of another make, which may send a body in chunks.
    may_be_chunked: bool,
}

impl Client {
    pub(crate) fn connect(addr: SocketAddr) -> Result<Self, Fault> {
        Self::connect_within(addr, LIMIT)
    }

    /// Connects in less than the usual time: the kernel does so at once, unless the backlog is full.
    pub(crate) fn connect_within(addr: SocketAddr, limit: Duration) -> Result<Self, Fault> {
        let stream = TcpStream::connect_timeout(&addr, limit).map_err(|error| match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                Fault::hang(format!("no connection within {limit:?}"))
            }
            _ => shortage(&error).unwrap_or_else(|| Fault::wrong(format!("cannot connect: {error}"))),
        })?;
        Self::over(stream)
    }

    fn over(stream: TcpStream) -> Result<Self, Fault> {
        // A request cut in two must leave as two segments.
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Self { stream, unread: Vec::new(), replies: Collector::default(), may_be_chunked: false })
    }

    /// The same connection, with a server that may send a body in chunks.
    pub(crate) fn allowing_chunks(self, may_be_chunked: bool) -> Self {
        Self { may_be_chunked, ..self }
    }

    /// Whether bytes of a reply, or its end, are there to be read.
    pub(crate) fn has_answer(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let mut it = [PollFd::new(std::os::fd::AsFd::as_fd(&self.stream), PollFlags::POLLIN)];
        !self.unread.is_empty() || self.replies.received() > 0 || poll(&mut it, PollTimeout::ZERO) == Ok(1)
    }

    /// Connects with a small receive buffer, so that the server's writes soon wait for this client.
    pub(crate) fn connect_with_small_window(addr: SocketAddr) -> Result<Self, Fault> {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, socket};
        let failed = |error| Fault::wrong(format!("cannot connect: {error}"));
        let family = if addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).map_err(failed)?;
        // Before connecting: the window is agreed upon in the handshake.
        sockopt::RcvBuf.set(&socket, &(16 * 1024)).map_err(failed)?;
        connect(std::os::fd::AsRawFd::as_raw_fd(&socket), &SockaddrStorage::from(addr)).map_err(failed)?;
        Self::over(TcpStream::from(socket))
    }

    /// A second handle of the same connection, for reading and writing at once.
    pub(crate) fn stream(&self) -> Result<TcpStream, Fault> {
        Ok(self.stream.try_clone()?)
    }

    /// Sends a request and reads the reply to it.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Reply, Fault> {
        self.send(request)?;
        self.reply()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Verdict {
        self.stream.write_all(bytes).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                Fault::hang(format!("the server took nothing for {LIMIT:?}"))
            }
            _ => Fault::wrong(format!("sending failed: {error}")),
        })
    }

    pub(crate) fn finish_sending(&mut self) {
        // An error means that the connection is gone, which the next read reports better.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Closes with a reset instead of an orderly end.
    pub(crate) fn reset(self) {
        let no_linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        let _ = sockopt::Linger.set(&self.stream, &no_linger);
    }

    /// The next reply.
    pub(crate) fn reply(&mut self) -> Result<Reply, Fault> {
        self.reply_within(LIMIT)
    }

    /// The next reply. After a hang it may be asked for again: what came is kept.
    pub(crate) fn reply_within(&mut self, limit: Duration) -> Result<Reply, Fault> {
        let deadline = Instant::now() + limit;
        loop {
            let (taken, reply) = self.replies.feed(&self.unread).map_err(Fault::wrong)?;
            self.unread.drain(..taken);
            if let Some(reply) = reply {
                return judged(reply, self.may_be_chunked);
            }
            let what = if self.replies.is_in_body() { "the whole body" } else { "a reply" };
            if self.receive(deadline, limit, what)? == 0 {
                // A body of unknown length ends with the connection.
                let reply = self.replies.end().ok_or_else(|| closed(self.replies.received(), what))?;
                return judged(reply, self.may_be_chunked);
            }
        }
    }

    /// Exactly `length` bytes of a stream that has no frames.
    pub(crate) fn bytes(&mut self, length: usize, limit: Duration) -> Result<Vec<u8>, Fault> {
        let (deadline, what) = (Instant::now() + limit, "all bytes");
        while self.unread.len() < length {
            if self.receive(deadline, limit, what)? == 0 {
                return Err(closed(self.unread.len() as u64, what));
            }
        }
        Ok(self.unread.drain(..length).collect())
    }

    /// The orderly end of the connection, with nothing before it.
    pub(crate) fn end_within(&mut self, limit: Duration) -> Verdict {
        let deadline = Instant::now() + limit;
        if self.replies.received() > 0 {
            return Err(Fault::wrong("the connection should end, but a reply had begun"));
        }
        if self.unread.is_empty() && self.receive(deadline, limit, "the end")? == 0 {
            return Ok(());
        }
        let shown = String::from_utf8_lossy(&self.unread[..self.unread.len().min(40)]);
        Err(Fault::wrong(format!("the connection should end, but {shown:?} came")))
    }

    /// Reads and keeps at most 64 KiB; returns how many bytes came, 0 at the end.
    pub(crate) fn receive(&mut self, deadline: Instant, limit: Duration, what: &str) -> Result<usize, Fault> {
        let mut buffer = [0; 64 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Fault::hang(format!("no sign of {what} within {limit:?}")));
            }
            // A timeout of zero would mean none.
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match self.stream.read(&mut buffer) {
                Ok(length) => {
                    self.unread.extend_from_slice(&buffer[..length]);
                    return Ok(length);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    ErrorKind::ConnectionReset => {
                        return Err(Fault::wrong(format!("a reset instead of {what}")));
                    }
                    _ => return Err(Fault::wrong(format!("receiving failed: {error}"))),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;
    use std::net::TcpListener;

    /// A client on one end and the raw other end.
    fn pair() -> (Client, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn outcome<T: std::fmt::Debug>(result: Result<T, Fault>) -> Outcome {
        result.expect_err("a fault").outcome
    }

    /// Protects every probe that reads several replies: two in one segment stay two, and a reply that
    /// comes in pieces with a timeout between them is still read whole.
    #[test]
    fn replies_are_cut_by_their_length() {
        let (mut client, mut server) = pair();
        server
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 404 No\r\ncontent-len")
            .unwrap();
        assert_eq!(client.reply().unwrap(), Reply { status: 200, body: b"ab".to_vec() });
        assert_eq!(outcome(client.reply_within(Duration::from_millis(20))), Outcome::Hang);
        server.write_all(b"gth: 1\r\n\r\nc").unwrap();
        assert_eq!(client.reply().unwrap(), Reply { status: 404, body: b"c".to_vec() });
        drop(server);
        client.end_within(LIMIT).unwrap();
    }

    /// Protects the agreement with the load generator: both read replies in the same way.
    #[test]
    fn interim_replies_bare_line_feeds_and_open_ends_are_read() {
        let (mut client, mut server) = pair();
        server.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\nContent-Le").unwrap();
        assert_eq!(outcome(client.reply_within(Duration::from_millis(20))), Outcome::Hang);
        assert!(client.has_answer(), "a reply has begun");
        server.write_all(b"ngth: 2\n\nabHTTP/1.1 200 OK\r\n\r\nto the end").unwrap();
        assert_eq!(client.reply().unwrap(), Reply { status: 200, body: b"ab".to_vec() });
        drop(server);
        assert_eq!(client.reply().unwrap(), Reply { status: 200, body: b"to the end".to_vec() });

        let (mut client, mut server) = pair();
        server.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").unwrap();
        let fault = client.reply().expect_err("the contract wants a length");
        assert!(fault.outcome == Outcome::Wrong && fault.detail.contains("chunked"), "{fault:?}");
    }

    /// Protects the verdicts: a short reply and a reset are wrong, silence is a hang.
    #[test]
    fn a_short_reply_a_reset_and_silence_are_told_apart() {
        let (mut client, mut server) = pair();
        server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab").unwrap();
        drop(server);
        assert_eq!(outcome(client.reply()), Outcome::Wrong);

        let (mut client, server) = pair();
        Client::over(server).unwrap().reset();
        assert_eq!(client.end_within(LIMIT), Err(Fault::wrong("a reset instead of the end")));

        let (mut client, _server) = pair();
        assert_eq!(outcome(client.end_within(Duration::from_millis(20))), Outcome::Hang);
    }

    /// Protects descriptor-churn and slow-reader: a body shifted by one byte is not the filler.
    #[test]
    fn a_lost_byte_shows_in_the_filler() {
        let mut body: Vec<u8> = (0..500).map(|i| b'0' + (i % 64) as u8).collect();
        let reply = |body: &Vec<u8>| Reply { status: 200, body: body.clone() };
        assert!(reply(&body).must_be_filler(500).is_ok());
        body.remove(200);
        assert!(reply(&body).must_be_filler(499).is_err());
    }
}
