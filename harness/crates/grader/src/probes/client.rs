//! A TCP client that is simple enough to be trusted: blocking, and every wait has a limit.

mod reply;
mod stream;
mod unread;

pub(crate) use reply::Reply;
pub(crate) use stream::Stream;

use super::echo::{self, Feeder};
use super::profile;
use super::transcript::{Log, Recorder};
use super::verdict::{Fault, Kind, Verdict, shortage};
use lab_core::wire::{Collector, Connection};
use nix::sys::socket::{SetSockOpt, sockopt};
use reply::{closed, due, judged, no_reply};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use stream::Longest;

/// How long anything that should happen at once may take. Generous: it only bounds a failure.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// What [`Client::end_within`] waits for.
const THE_END: &str = "the end";

/// A request that leaves the connection open.
pub(crate) fn get(path: &str) -> Vec<u8> {
    profile::current().get(path, Connection::Kept)
}

/// A request that asks the server to close after its reply.
pub(crate) fn get_and_close(path: &str) -> Vec<u8> {
    profile::current().get(path, Connection::Closed)
}

/// A request with a body, answered by the same body.
pub(crate) fn post_echo(body: &[u8]) -> Vec<u8> {
    profile::current().post_echo(body)
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    /// Received, and not yet part of a reply.
    unread: Vec<u8>,
    /// Where the next reply is put together.
    replies: Collector,
    /// Where the transcript is written.
    log: Log,
    /// When the first of `unread` came.
    unread_since: Instant,
    /// How many of `unread` stand in the transcript already.
    logged: usize,
    /// The longest body that a reply to what was sent may have, in bytes.
    longest: Longest,
    closes_with_reset: bool,
    /// The server is one of another make, which may send a body in chunks.
    may_be_chunked: bool,
    /// What writes the requests of a server that sends them back, once one was long.
    feeder: Option<Feeder>,
    /// How many of `unread` hold no end of such a reply.
    searched: usize,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.log_unread(self.unread.len());
        self.log.closed(self.closes_with_reset);
        // It has a handle of the connection, which ends with the last of them.
        self.feeder = None;
    }
}

impl Client {
    /// Connects, for the probe that this thread runs.
    pub(crate) fn connect(addr: SocketAddr) -> Result<Self, Fault> {
        Self::connect_for(addr, &Recorder::current())
    }

    /// Connects in less than the usual time: the kernel does so at once, unless the backlog is full.
    pub(crate) fn connect_within(addr: SocketAddr, limit: Duration) -> Result<Self, Fault> {
        Self::connect_with(addr, limit, &Recorder::current())
    }

    /// Connects, for the probe with this recorder, on whatever thread.
    pub(crate) fn connect_for(addr: SocketAddr, recorder: &Recorder) -> Result<Self, Fault> {
        Self::connect_with(addr, LIMIT, recorder)
    }

    fn connect_with(addr: SocketAddr, limit: Duration, recorder: &Recorder) -> Result<Self, Fault> {
        let stream = TcpStream::connect_timeout(&addr, limit).map_err(|error| {
            let fault = match error.kind() {
                ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                    Fault::hang(format!("no connection within {limit:?}"))
                }
                _ => shortage(&error).unwrap_or_else(|| Fault::wrong(format!("cannot connect: {error}"))),
            };
            recorder.not_connected(&fault.detail);
            fault.of(Kind::Connect).shows("a connection", "none")
        })?;
        Self::over(stream, recorder)
    }

    pub(super) fn over(stream: TcpStream, recorder: &Recorder) -> Result<Self, Fault> {
        Self::logged(stream, recorder.connected())
    }

    /// Over a connection that was made so that it takes little at a time.
    pub(super) fn over_narrow(stream: TcpStream, recorder: &Recorder) -> Result<Self, Fault> {
        Self::logged(stream, recorder.connected_narrow())
    }

    fn logged(stream: TcpStream, log: Log) -> Result<Self, Fault> {
        // A request cut in two must leave as two segments.
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Self {
            stream,
            unread: Vec::new(),
            replies: Collector::default(),
            log,
            unread_since: Instant::now(),
            logged: 0,
            longest: Longest::default(),
            closes_with_reset: false,
            may_be_chunked: false,
            feeder: None,
            searched: 0,
        })
    }

    /// The same connection, with a server that may send a body in chunks.
    pub(crate) fn allowing_chunks(mut self, may_be_chunked: bool) -> Self {
        self.may_be_chunked = may_be_chunked;
        self
    }

    /// Whether bytes of a reply, or its end, are there to be read.
    pub(crate) fn has_answer(&self) -> bool {
        self.has_answer_within(Duration::ZERO)
    }

    /// The same, or they come within `limit`.
    pub(crate) fn has_answer_within(&self, limit: Duration) -> bool {
        use nix::errno::Errno;
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        if !self.unread.is_empty() || self.replies.received() > 0 {
            return true;
        }
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut it = [PollFd::new(std::os::fd::AsFd::as_fd(&self.stream), PollFlags::POLLIN)];
            match poll(&mut it, timeout) {
                Err(Errno::EINTR) => {}
                ready => return ready == Ok(1),
            }
        }
    }

    /// Whether the server has read all that was sent to it; `None` where that cannot be seen.
    pub(crate) fn is_read_by_server(&self) -> Option<bool> {
        Some(self.servers_socket()?.waiting == 0)
    }

    /// Whether the server has accepted the connection; `None` where that cannot be seen.
    pub(crate) fn is_accepted(&self) -> Option<bool> {
        Some(self.servers_socket()?.is_accepted)
    }

    fn servers_socket(&self) -> Option<unread::State> {
        unread::state(self.stream.peer_addr().ok()?, self.stream.local_addr().ok()?)
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
        Self::over(TcpStream::from(socket), &Recorder::current())
    }

    /// A second handle of the same connection, for reading and writing at once.
    pub(crate) fn stream(&self) -> Result<Stream, Fault> {
        let (log, longest) = (self.log.clone(), self.longest.clone());
        Ok(Stream { stream: self.stream.try_clone()?, log, longest })
    }

    /// Writes the first bytes of what is unread into the transcript.
    fn log_unread(&mut self, count: usize) {
        if count > self.logged {
            self.log.received(&self.unread[self.logged..count], self.unread_since);
            self.logged = count;
        }
    }

    /// Takes the first bytes off what is unread.
    fn take_unread(&mut self, count: usize) -> Vec<u8> {
        self.log_unread(count);
        self.logged -= count;
        self.searched = self.searched.saturating_sub(count);
        // As a block: a large reply is taken in one piece.
        let rest = self.unread.split_off(count);
        std::mem::replace(&mut self.unread, rest)
    }

    /// Sends a request and reads the reply to it.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Reply, Fault> {
        self.send(request)?;
        self.reply()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Verdict {
        self.longest.asked(bytes);
        self.log.sent(bytes);
        if profile::current().is_echo() && (self.feeder.is_some() || bytes.len() > echo::FITS) {
            self.feeder()?.send(bytes);
            return Ok(());
        }
        self.stream.write_all(bytes).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                self.log.waited(LIMIT);
                let fault = Fault::hang(format!("the server took nothing for {LIMIT:?}"));
                fault.of(Kind::Silent).shows("everything is taken", "the sending does not end")
            }
            _ => {
                self.log.was_reset();
                let fault = Fault::wrong(format!("sending failed: {error}")).of(Kind::Reset);
                fault.shows("everything is taken", "the connection is gone")
            }
        })
    }

    fn feeder(&mut self) -> Result<&Feeder, Fault> {
        if self.feeder.is_none() {
            self.feeder = Some(Feeder::new(self.stream.try_clone()?));
        }
        self.feeder.as_ref().ok_or_else(|| Fault::wrong("no thread writes"))
    }

    pub(crate) fn finish_sending(&mut self) {
        match &self.feeder {
            Some(feeder) => feeder.finish(),
            // An error means that the connection is gone, which the next read reports better.
            None => drop(self.stream.shutdown(Shutdown::Write)),
        }
        self.log.finished();
    }

    /// Lets a server end the connection that was asked to close after its reply. One that speaks no HTTP is
    /// asked by the end of what is sent.
    pub(crate) fn let_it_close(&mut self) {
        if profile::current().is_echo() {
            self.finish_sending();
        }
    }

    /// Closes with a reset instead of an orderly end.
    pub(crate) fn reset(mut self) {
        self.closes_with_reset = true;
        let no_linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        let _ = sockopt::Linger.set(&self.stream, &no_linger);
    }

    /// The next reply.
    pub(crate) fn reply(&mut self) -> Result<Reply, Fault> {
        self.reply_within(LIMIT)
    }

    /// The next reply. After a hang it may be asked for again: what came is kept. A body that is longer than
    /// anything that was asked for on the connection is wrong, and is not kept.
    pub(crate) fn reply_within(&mut self, limit: Duration) -> Result<Reply, Fault> {
        let longest = self.longest.clone();
        self.reply_bounded(move || longest.bytes(), limit)
    }

    /// The next reply, whose body may have so many bytes.
    pub(crate) fn reply_of_at_most(&mut self, longest: u64, limit: Duration) -> Result<Reply, Fault> {
        self.reply_bounded(|| longest, limit)
    }

    /// The next reply. Its bound is asked for at each look: another thread may still be sending the request.
    fn reply_bounded(&mut self, longest: impl Fn() -> u64, limit: Duration) -> Result<Reply, Fault> {
        let deadline = Instant::now() + limit;
        if profile::current().is_echo() {
            return self.echoed(longest, deadline, limit);
        }
        loop {
            self.replies.set_body_limit(longest());
            let fed = self.replies.feed(&self.unread);
            let (taken, reply) = fed.map_err(|error| {
                self.log_unread(self.unread.len());
                no_reply(error)
            })?;
            self.take_unread(taken);
            if let Some(reply) = reply {
                self.log.whole();
                return judged(reply, self.may_be_chunked);
            }
            let what = if self.replies.is_in_body() { "the whole body" } else { "a reply" };
            if self.receive(deadline, limit, what)? == 0 {
                // A body of unknown length ends with the connection.
                let received = self.replies.received();
                let reply = self.replies.end().ok_or_else(|| closed(received, what))?;
                self.log.whole();
                return judged(reply, self.may_be_chunked);
            }
        }
    }

    /// The next reply of a server that sends back what it receives.
    fn echoed(
        &mut self,
        longest: impl Fn() -> u64,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Reply, Fault> {
        loop {
            let from = self.searched.saturating_sub(echo::END.len() - 1);
            let fresh = &self.unread[from..];
            // As a block first: a large reply has its only CR at the end.
            let found = match fresh.contains(&echo::END[0]) {
                true => fresh.windows(echo::END.len()).position(|bytes| bytes == echo::END),
                false => None,
            };
            if let Some(at) = found {
                let mut body = self.take_unread(from + at + echo::END.len());
                body.truncate(from + at);
                self.searched = 0;
                self.log.whole();
                return Ok(Reply { status: 200, body });
            }
            self.searched = self.unread.len();
            if self.unread.len() as u64 > longest() {
                let detail = format!("still sending after {} bytes", self.unread.len());
                let fault = Fault::wrong(&detail).of(Kind::Endless);
                return Err(fault.shows("as many bytes as were sent", detail));
            }
            let what = if self.unread.is_empty() { "a reply" } else { "the whole reply" };
            if self.receive(deadline, limit, what)? == 0 {
                return Err(closed(self.unread.len() as u64, what));
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
        Ok(self.take_unread(length))
    }

    /// The orderly end of the connection, with nothing before it.
    pub(crate) fn end_within(&mut self, limit: Duration) -> Verdict {
        let deadline = Instant::now() + limit;
        if self.replies.received() > 0 {
            let fault = Fault::wrong("the connection should end, but a reply had begun");
            return Err(fault
                .of(Kind::Unexpected)
                .shows("the end of the connection", "the begin of a reply"));
        }
        if self.unread.is_empty() && self.receive(deadline, limit, THE_END)? == 0 {
            return Ok(());
        }
        self.log_unread(self.unread.len());
        let shown = String::from_utf8_lossy(&self.unread[..self.unread.len().min(40)]);
        let fault = Fault::wrong(format!("the connection should end, but {shown:?} came"));
        Err(fault.of(Kind::Unexpected).shows("the end of the connection", format!("{shown:?} before it")))
    }

    /// Reads and keeps at most 64 KiB; returns how many bytes came, 0 at the end.
    pub(crate) fn receive(&mut self, deadline: Instant, limit: Duration, what: &str) -> Result<usize, Fault> {
        let mut buffer = [0; 64 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.log_unread(self.unread.len());
                self.log.waited(limit);
                let fault = Fault::hang(format!("no sign of {what} within {limit:?}"));
                return Err(match what {
                    THE_END => fault.of(Kind::StillOpen).shows(
                        "the server ends the connection, and nc ends with it",
                        "the connection stays open: nc ends by its own limit",
                    ),
                    _ => fault.of(Kind::Silent).shows(due(what), format!("nothing more for {limit:?}")),
                });
            }
            // A timeout of zero would mean none.
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match self.stream.read(&mut buffer) {
                Ok(length) => {
                    if self.unread.len() == self.logged {
                        self.unread_since = Instant::now();
                    }
                    self.unread.extend_from_slice(&buffer[..length]);
                    if length == 0 {
                        self.log_unread(self.unread.len());
                        self.log.ended();
                    }
                    return Ok(length);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    ErrorKind::ConnectionReset => {
                        self.log_unread(self.unread.len());
                        self.log.was_reset();
                        let fault = Fault::wrong(format!("a reset instead of {what}")).of(Kind::Reset);
                        return Err(fault.shows(due(what), "a reset: nc ends without it"));
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
        Client::over(server, &Recorder::default()).unwrap().reset();
        let fault = client.end_within(LIMIT).expect_err("a reset is no orderly end");
        assert_eq!((fault.outcome, fault.detail.as_str()), (Outcome::Wrong, "a reset instead of the end"));

        let (mut client, _server) = pair();
        assert_eq!(outcome(client.end_within(Duration::from_millis(20))), Outcome::Hang);
    }
}
