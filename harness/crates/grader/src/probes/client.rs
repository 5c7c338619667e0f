//! A TCP client that is simple enough to be trusted: blocking, and every wait has a limit.

use super::verdict::Fault;
use lab_core::wire::{self, Collector, Connection, Framing};
use nix::sys::socket::{SetSockOpt, sockopt};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long anything that should happen at once may take. Generous: it only bounds a failure.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// Why a reply did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing, or not everything, within the limit. What came is kept.
    Timeout(String),
    /// The server closed or reset the connection, or sent what is no reply.
    Wrong(String),
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Timeout(detail) => Fault::hang(detail),
            Failure::Wrong(detail) => Fault::wrong(detail),
        }
    }
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The reply to `GET /`.
    pub(crate) fn must_be_hello(&self) -> Result<(), Fault> {
        self.must_be(b"Hello, World!")
    }

    /// A 200 with this body.
    pub(crate) fn must_be(&self, body: &[u8]) -> Result<(), Fault> {
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
    pub(crate) fn must_be_filler(&self, length: usize) -> Result<(), Fault> {
        self.must_be_ok()?;
        if self.body.len() != length {
            return Err(Fault::wrong(format!("{} bytes instead of {length}", self.body.len())));
        }
        match self.body.iter().zip(self.body.iter().skip(64)).position(|(a, b)| a != b) {
            Some(at) => Err(Fault::wrong(format!("byte {} of the body is not the filler's", at + 64))),
            None => Ok(()),
        }
    }

    /// Status 200.
    pub(crate) fn must_be_ok(&self) -> Result<(), Fault> {
        match self.status {
            200 => Ok(()),
            status => Err(Fault::wrong(format!("status {status} instead of 200"))),
        }
    }
}

/// The host that every probe asks for.
const HOST: &str = "probe";

/// A request that leaves the connection open.
pub(crate) fn get(path: &str) -> Vec<u8> {
    wire::get(path, HOST, Connection::Kept)
}

/// A request after whose reply the server closes.
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

/// A reply as the probes see it. What HTTP allows and the contract of the lab does not is wrong here.
fn judged(reply: wire::Reply) -> Result<Reply, Failure> {
    if reply.framing == Framing::Chunked {
        let detail = "chunked, where the contract of the lab wants a Content-Length";
        return Err(Failure::Wrong(detail.into()));
    }
    Ok(Reply { status: reply.status, body: reply.body })
}

fn cut(count: u64, what: &str) -> Failure {
    Failure::Wrong(format!("closed in the middle: {count} bytes came of {what}"))
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    /// Received, and not yet part of a reply.
    unread: Vec<u8>,
    /// Where the next reply is put together.
    replies: Collector,
}

impl Client {
    pub(crate) fn connect(addr: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect_timeout(&addr, LIMIT).map_err(|error| match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                Failure::Timeout(format!("no connection within {LIMIT:?}"))
            }
            _ => Failure::Wrong(format!("cannot connect: {error}")),
        })?;
        Self::over(stream)
    }

    fn over(stream: TcpStream) -> Result<Self, Failure> {
        // A request cut in two must leave as two segments.
        stream.set_nodelay(true).map_err(|error| Failure::Wrong(format!("TCP_NODELAY: {error}")))?;
        stream
            .set_write_timeout(Some(LIMIT))
            .map_err(|error| Failure::Wrong(format!("SO_SNDTIMEO: {error}")))?;
        Ok(Self { stream, unread: Vec::new(), replies: Collector::default() })
    }

    /// Whether bytes of a reply, or its end, are there to be read.
    pub(crate) fn has_answer(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let mut it = [PollFd::new(std::os::fd::AsFd::as_fd(&self.stream), PollFlags::POLLIN)];
        !self.unread.is_empty() || self.replies.received() > 0 || poll(&mut it, PollTimeout::ZERO) == Ok(1)
    }

    /// Connects with a small receive buffer, so that the server's writes soon wait for this client.
    pub(crate) fn connect_with_small_window(addr: SocketAddr) -> Result<Self, Failure> {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, socket};
        let small = |error| Failure::Wrong(format!("cannot connect: {error}"));
        let family = if addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).map_err(small)?;
        // Before connecting: the window is agreed upon in the handshake.
        sockopt::RcvBuf.set(&socket, &(16 * 1024)).map_err(small)?;
        connect(std::os::fd::AsRawFd::as_raw_fd(&socket), &SockaddrStorage::from(addr)).map_err(small)?;
        Self::over(TcpStream::from(socket))
    }

    /// A second handle of the same connection, for reading and writing at once.
    pub(crate) fn stream(&self) -> Result<TcpStream, Failure> {
        self.stream.try_clone().map_err(|error| Failure::Wrong(format!("dup: {error}")))
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                Failure::Timeout(format!("the server took nothing for {LIMIT:?}"))
            }
            _ => Failure::Wrong(format!("sending failed: {error}")),
        })
    }

    pub(crate) fn finish_sending(&mut self) {
        // An error says that the connection is gone, which the next read says better.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Closes with a reset instead of an orderly end.
    pub(crate) fn reset(self) {
        let no_linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        let _ = sockopt::Linger.set(&self.stream, &no_linger);
    }

    /// The next reply.
    pub(crate) fn reply(&mut self) -> Result<Reply, Failure> {
        self.reply_within(LIMIT)
    }

    /// The next reply. After a timeout it may be asked for again: what came is kept.
    pub(crate) fn reply_within(&mut self, limit: Duration) -> Result<Reply, Failure> {
        let deadline = Instant::now() + limit;
        loop {
            let unread = std::mem::take(&mut self.unread);
            let (taken, reply) =
                self.replies.feed(&unread).map_err(|error| Failure::Wrong(error.to_string()))?;
            self.unread = unread;
            self.unread.drain(..taken);
            if let Some(reply) = reply {
                return judged(reply);
            }
            let what = if self.replies.is_in_body() { "the whole body" } else { "a reply" };
            if self.receive(deadline, limit, what)? == 0 {
                // A body of unknown length ends with the connection.
                return match (self.replies.end(), self.replies.received()) {
                    (Some(reply), _) => judged(reply),
                    (None, 0) => Err(Failure::Wrong(format!("closed instead of {what}"))),
                    (None, count) => Err(cut(count, what)),
                };
            }
        }
    }

    /// Exactly `length` bytes of a stream that has no frames.
    pub(crate) fn bytes(&mut self, length: usize, limit: Duration) -> Result<Vec<u8>, Failure> {
        let deadline = Instant::now() + limit;
        while self.unread.len() < length {
            self.receive_more(deadline, limit, "all bytes")?;
        }
        Ok(self.unread.drain(..length).collect())
    }

    /// The orderly end of the connection, with nothing before it.
    pub(crate) fn end_within(&mut self, limit: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + limit;
        if self.replies.received() > 0 {
            return Err(Failure::Wrong("the connection should end, but a reply had begun".into()));
        }
        let received = if self.unread.is_empty() { self.receive(deadline, limit, "the end")? } else { 1 };
        if received == 0 {
            return Ok(());
        }
        let shown = String::from_utf8_lossy(&self.unread[..self.unread.len().min(40)]).into_owned();
        Err(Failure::Wrong(format!("the connection should end, but {shown:?} came")))
    }

    /// Reads and keeps at most 64 KiB; says how many bytes came, 0 at the end.
    pub(crate) fn receive(
        &mut self,
        deadline: Instant,
        limit: Duration,
        what: &str,
    ) -> Result<usize, Failure> {
        let mut buffer = [0; 64 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Failure::Timeout(format!("no sign of {what} within {limit:?}")));
            }
            // A timeout of zero would mean none.
            let left = left.max(Duration::from_millis(1));
            self.stream
                .set_read_timeout(Some(left))
                .map_err(|error| Failure::Wrong(format!("SO_RCVTIMEO: {error}")))?;
            match self.stream.read(&mut buffer) {
                Ok(length) => {
                    self.unread.extend_from_slice(&buffer[..length]);
                    return Ok(length);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    ErrorKind::ConnectionReset => {
                        return Err(Failure::Wrong(format!("a reset instead of {what}")));
                    }
                    _ => return Err(Failure::Wrong(format!("receiving failed: {error}"))),
                },
            }
        }
    }

    fn receive_more(&mut self, deadline: Instant, limit: Duration, what: &str) -> Result<(), Failure> {
        match self.receive(deadline, limit, what)? {
            0 if self.unread.is_empty() => Err(Failure::Wrong(format!("closed instead of {what}"))),
            0 => Err(cut(self.unread.len() as u64, what)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A client on one end and the raw other end.
    fn pair() -> (Client, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
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
        assert!(matches!(client.reply_within(Duration::from_millis(20)), Err(Failure::Timeout(_))));
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
        assert!(matches!(client.reply_within(Duration::from_millis(20)), Err(Failure::Timeout(_))));
        assert!(client.has_answer(), "a reply has begun");
        server.write_all(b"ngth: 2\n\nabHTTP/1.1 200 OK\r\n\r\nto the end").unwrap();
        assert_eq!(client.reply().unwrap(), Reply { status: 200, body: b"ab".to_vec() });
        drop(server);
        assert_eq!(client.reply().unwrap(), Reply { status: 200, body: b"to the end".to_vec() });

        let (mut client, mut server) = pair();
        server.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").unwrap();
        let Err(Failure::Wrong(detail)) = client.reply() else { panic!("the contract wants a length") };
        assert!(detail.contains("chunked"), "{detail}");
    }

    /// Protects the verdicts: a short reply and a reset are wrong, silence is a hang.
    #[test]
    fn a_short_reply_a_reset_and_silence_are_told_apart() {
        let (mut client, mut server) = pair();
        server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab").unwrap();
        drop(server);
        assert!(matches!(client.reply(), Err(Failure::Wrong(_))));

        let (mut client, server) = pair();
        Client::over(server).unwrap().reset();
        assert_eq!(client.end_within(LIMIT), Err(Failure::Wrong("a reset instead of the end".into())));

        let (mut client, _server) = pair();
        assert!(matches!(client.end_within(Duration::from_millis(20)), Err(Failure::Timeout(_))));
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
