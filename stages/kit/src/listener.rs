//! The listening socket, and accepting from it without spinning when there is no room.

use crate::clock::Now;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, accept4, bind, getsockname, listen, setsockopt,
    socket, sockopt,
};
use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::thread::sleep;
use std::time::Duration;

/// How long to wait before another try when descriptors or memory ran out.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Makes the listening socket. Every stage uses this one: std's backlog of 128 would skew comparisons.
///
/// `flags` may add `SOCK_NONBLOCK`. Accepted connections inherit `TCP_NODELAY` from it (tcp(7)), so it costs
/// them no call; a reply leaves in one write, and Nagle's algorithm would only hold back the end of a long one.
///
/// # Errors
/// What socket(2), bind(2) and listen(2) say; `EADDRINUSE` when another server has the port.
pub fn bind_to(address: SocketAddrV4, backlog: u16, flags: SockFlag) -> nix::Result<OwnedFd> {
    bind_with(address, backlog, flags, |_| Ok(()))
}

/// [`bind_to`] with options that must be set before bind(2).
///
/// # Errors
/// As [`bind_to`], and what `prepare` says.
pub fn bind_with(
    address: SocketAddrV4,
    backlog: u16,
    flags: SockFlag,
    prepare: impl FnOnce(&OwnedFd) -> nix::Result<()>,
) -> nix::Result<OwnedFd> {
    let fd = socket(AddressFamily::Inet, SockType::Stream, flags | SockFlag::SOCK_CLOEXEC, None)?;
    // A connection of the last run in TIME_WAIT must not keep the port (socket(7)).
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    setsockopt(&fd, sockopt::TcpNoDelay, &true)?;
    prepare(&fd)?;
    bind(fd.as_raw_fd(), &SockaddrIn::from(address))?;
    listen(&fd, Backlog::new(i32::from(backlog))?)?;
    Ok(fd)
}

/// The address that the socket is bound to: the kernel chose the port if it was 0.
///
/// # Errors
/// What getsockname(2) says.
pub fn address_of(listener: BorrowedFd<'_>) -> nix::Result<SockaddrIn> {
    getsockname(listener.as_raw_fd())
}

/// accept4(2) with an owned descriptor.
///
/// # Errors
/// What accept4(2) says.
pub fn accept(listener: BorrowedFd<'_>, flags: SockFlag) -> nix::Result<OwnedFd> {
    let fd = accept4(listener.as_raw_fd(), flags | SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: accept4 has just made this descriptor and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Waits for the next connection on a blocking listener; `None` when the server must stop.
///
/// # Errors
/// What accept4(2) says, but the errors of a single connection and of a lack of descriptors.
pub fn wait_for_connection(listener: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    loop {
        match accept(listener, SockFlag::empty()) {
            Ok(socket) => return Ok(Some(socket)),
            // The handler has shut the listening socket.
            Err(Errno::EINVAL) if crate::shutdown::requested() => return Ok(None),
            // Without a free descriptor accept fails at once, even when nobody waits: do not spin. The
            // peer waits in the backlog meanwhile.
            Err(error) if is_shortage(error) => sleep(BACK_OFF),
            Err(error) if is_passing(error) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The listening socket of an event loop, which also knows when to pause.
#[derive(Debug)]
pub struct Acceptor {
    listener: Option<OwnedFd>,
    most: usize,
    /// While paused: when to try again (ms).
    paused_until: Option<u64>,
}

/// What an event loop got when it asked for a connection.
#[derive(Debug)]
pub enum Accepted {
    /// A connection, non-blocking.
    Socket(OwnedFd),
    /// Nobody waits.
    None,
    /// There is no room. A level-triggered loop must take the listener out of its interest, or it spins:
    /// the peer that cannot be accepted keeps the listener readable.
    NoRoom,
}

impl Acceptor {
    /// Accepts from a non-blocking listener while fewer than `most` connections are open.
    pub fn new(listener: OwnedFd, most: usize) -> Self {
        Self { listener: Some(listener), most, paused_until: None }
    }

    /// The listening socket, until [`Acceptor::close`].
    pub fn listener(&self) -> Option<BorrowedFd<'_>> {
        self.listener.as_ref().map(AsFd::as_fd)
    }

    /// One connection, if there is one and there is room. `open` is the number of connections now.
    ///
    /// # Errors
    /// What accept4(2) says, but the errors of a single connection and of a lack of descriptors.
    pub fn accept(&mut self, open: usize, now: &Now) -> io::Result<Accepted> {
        let Some(listener) = &self.listener else { return Ok(Accepted::None) };
        loop {
            if open >= self.most {
                // Until one of them is closed.
                self.paused_until = Some(now.ms);
                return Ok(Accepted::NoRoom);
            }
            return match accept(listener.as_fd(), SockFlag::SOCK_NONBLOCK) {
                Ok(socket) => Ok(Accepted::Socket(socket)),
                Err(Errno::EAGAIN) => Ok(Accepted::None),
                Err(error) if is_shortage(error) => {
                    self.paused_until = Some(now.ms + BACK_OFF.as_millis() as u64);
                    Ok(Accepted::NoRoom)
                }
                Err(error) if is_passing(error) => continue,
                Err(error) => Err(error.into()),
            };
        }
    }

    /// True once when a pause is over: watch the listener again.
    pub fn resumes(&mut self, open: usize, now: &Now) -> bool {
        let over = self.paused_until.is_some_and(|until| now.ms >= until) && open < self.most;
        if over {
            self.paused_until = None;
        }
        over
    }

    /// Whether accepting is paused: the loop must then look again within 100 ms.
    pub fn is_paused(&self) -> bool {
        self.paused_until.is_some()
    }

    /// Closes the listening socket. Peers that were not accepted yet are reset.
    pub fn close(&mut self) {
        self.listener = None;
        self.paused_until = None;
    }
}

/// Descriptors or memory ran out: it passes when others close (accept(2)).
fn is_shortage(error: Errno) -> bool {
    matches!(error, Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM)
}

/// Concerns one connection only: it was reset, or its network failed, before we took it (accept(2)).
fn is_passing(error: Errno) -> bool {
    matches!(
        error,
        Errno::EINTR
            | Errno::ECONNABORTED
            | Errno::EPROTO
            | Errno::ENETDOWN
            | Errno::ENOPROTOOPT
            | Errno::EHOSTDOWN
            | Errno::ENONET
            | Errno::EHOSTUNREACH
            | Errno::EOPNOTSUPP
            | Errno::ENETUNREACH
            | Errno::EPERM
    )
}
