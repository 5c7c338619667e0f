//! Connections that are made otherwise than a usual client makes them: narrow ones, and those that only
//! begin.
//!
//! On loopback the kernel lets a server write 2.6 to 4 MiB before its socket is full: segments are of 64 KiB,
//! and the send buffer has room for ten of them from the first byte on. Few replies are that long, so what a
//! server does with a short write, or with `EAGAIN`, would never be seen. A narrow client asks for small
//! segments, which keeps the server's send buffer small, and has a small receive buffer, which keeps the
//! bytes there.
//!
//! Its own address is one that the server's kernel has not met. For each address the kernel remembers how far
//! segments have overtaken each other (`reordering` of tcp-metrics(8)), and gives the next connection a
//! buffer with room for as many: 2 MiB after a busy hour on loopback.

use super::client::{Client, LIMIT};
use super::subject::Subject;
use super::transcript::Recorder;
use super::verdict::{Fault, Verdict};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SetSockOpt, SockFlag, SockType, SockaddrStorage, bind, connect, socket, sockopt,
};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The largest segment that a narrow client takes.
const SEGMENT: u32 = 1_460;

/// The receive buffer of a narrow client. The kernel doubles it, and promises the peer about half of that.
const RECEIVE_BUFFER: usize = 4 * 1024;

/// More than the kernels of both sides hold for a narrow client which does not read. Seen: 50 to 100 KiB,
/// where the server does not ask for a larger send buffer.
pub(super) const MORE_THAN_HELD: usize = 512 * 1024;

/// Long enough for a server to have filled a narrow connection, and to be waiting for room. No outcome
/// depends on it: a slower one is seen in an easier case.
pub(super) const STALL: Duration = Duration::from_millis(60);

fn failed(error: Errno) -> Fault {
    Fault::wrong(format!("cannot connect: {error}"))
}

fn new_socket(addr: SocketAddr, flags: SockFlag) -> Result<OwnedFd, Fault> {
    let family = if addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC | flags, None).map_err(failed)
}

/// A client to which the server can write little before its write is short, or fails with `EAGAIN`.
pub(super) fn connect_narrow(subject: &Subject<'_>) -> Result<Client, Fault> {
    connect_narrow_to(subject.addr)
}

/// [`connect_narrow`] to a server that the probe has started itself.
pub(super) fn connect_narrow_to(addr: SocketAddr) -> Result<Client, Fault> {
    let socket = new_socket(addr, SockFlag::empty())?;
    // Before connecting: both are agreed upon in the handshake.
    sockopt::TcpMaxSeg.set(&socket, &SEGMENT).map_err(failed)?;
    sockopt::RcvBuf.set(&socket, &RECEIVE_BUFFER).map_err(failed)?;
    if let Some(own) = own_address(addr) {
        bind(socket.as_raw_fd(), &SockaddrStorage::from(own)).map_err(failed)?;
    }
    // The limit of connect(2) is that of send(2).
    sockopt::SendTimeout.set(&socket, &timeval(LIMIT)).map_err(failed)?;
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(addr)) {
        Err(Errno::EINPROGRESS | Errno::EAGAIN) => {
            Err(Fault::hang(format!("no connection within {LIMIT:?}")))
        }
        result => result.map_err(failed),
    }?;
    Client::over_narrow(TcpStream::from(socket), &Recorder::current())
}

/// An address of this machine from which no connection has come yet, as far as that can be had: all of
/// 127.0.0.0/8 is loopback.
fn own_address(server: SocketAddr) -> Option<SocketAddr> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    if !server.is_ipv4() || !server.ip().is_loopback() {
        return None;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u32);
    // Relaxed: only the count matters, it publishes nothing. A large odd factor spreads neighbours.
    let number = now.wrapping_add(NEXT.fetch_add(1, Relaxed)).wrapping_mul(2_654_435_761) >> 8;
    let [_, a, b, c] = number.to_be_bytes();
    Some(SocketAddr::from((Ipv4Addr::new(127, a.clamp(1, 254), b, c.clamp(1, 254)), 0)))
}

fn timeval(duration: Duration) -> nix::sys::time::TimeVal {
    nix::sys::time::TimeVal::new(duration.as_secs() as i64, i64::from(duration.subsec_micros()))
}

/// Connections that have begun and were not waited for: a server that is stopped cannot keep their client
/// from making more.
pub(super) struct Beginning(Vec<OwnedFd>);

/// Begins so many connections.
pub(super) fn begin_connecting(subject: &Subject<'_>, count: usize) -> Result<Beginning, Fault> {
    let begin = |_| {
        let socket = new_socket(subject.addr, SockFlag::SOCK_NONBLOCK)?;
        match connect(socket.as_raw_fd(), &SockaddrStorage::from(subject.addr)) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(socket),
            Err(error) => Err(failed(error)),
        }
    };
    (0..count).map(begin).collect::<Result<_, _>>().map(Beginning)
}

impl Beginning {
    /// The clients whose connection the server's kernel has accepted within `limit`. With a short backlog
    /// others try again later; they are given up.
    pub(super) fn connected_within(self, limit: Duration) -> Result<Vec<Client>, Fault> {
        let deadline = Instant::now() + limit;
        let mut clients = Vec::new();
        for socket in self.0 {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut it = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
            if poll(&mut it, timeout) == Ok(1) {
                let stream = TcpStream::from(socket);
                if let Some(error) = stream.take_error()? {
                    return Err(Fault::wrong(format!("cannot connect: {error}")));
                }
                stream.set_nonblocking(false)?;
                clients.push(Client::over(stream, &Recorder::current())?);
            }
        }
        Ok(clients)
    }
}

/// Reads in small steps with a pause between them, and keeps what came for [`Client::reply`].
pub(super) fn read_slowly(client: &mut Client, span: Duration) -> Verdict {
    let start = Instant::now();
    while start.elapsed() < span {
        std::thread::sleep(Duration::from_millis(4));
        if client.receive(Instant::now() + LIMIT, LIMIT, "the next bytes")? == 0 {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Write};
    use std::net::TcpListener;

    /// Protects every probe of short writes: on this machine too, and now, a narrow client that does not read
    /// lets its server write no more than this. A usual client on loopback lets it write several MiB.
    #[test]
    fn a_narrow_client_that_does_not_read_soon_makes_a_write_fail() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("bound");
        for _ in 0..20 {
            let _client = connect_narrow_to(addr).expect("the listener is open");
            let (mut server, _) = listener.accept().expect("it waits");
            server.set_nonblocking(true).expect("an open socket");
            let (mut written, block) = (0, [b'x'; 64 * 1024]);
            let error = loop {
                match server.write(&block) {
                    Ok(count) => written += count,
                    Err(error) => break error,
                }
                assert!(written < MORE_THAN_HELD, "{written} bytes, and still none refused");
            };
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
    }
}
