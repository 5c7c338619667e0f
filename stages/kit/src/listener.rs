//! The listening socket, and accepting from it without spinning when there is no room.

use crate::clock::LoopContext;
use crate::connection_table::LISTENER;
use nix::errno::Errno;
use nix::libc;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
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
/// them no call; a reply leaves in one write, and Nagle's algorithm would only hold back the end of a long
/// one.
///
/// # Errors
/// What socket(2), bind(2) and listen(2) say; `EADDRINUSE` when another server has the port.
pub fn bind_to(address: SocketAddrV4, backlog: u16, flags: SockFlag) -> nix::Result<OwnedFd> {
    bind_with(address, backlog, flags, |_| Ok(()))
}

// ANCHOR: bind
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
// ANCHOR_END: bind

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
    // SAFETY: accept4 has just made this descriptor and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Waits for the next connection on a blocking listener; `None` when the server must stop and no connection
/// is left that the kernel had accepted before. Needs [`crate::shutdown::wake_accept_on_shutdown`].
///
/// # Errors
/// What accept4(2) says, but the errors of a single connection and of a lack of descriptors.
pub fn accept_blocking(listener: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    loop {
        let stopping = crate::shutdown::requested();
        if stopping {
            refuse_new(listener);
        }
        match accept(listener, SockFlag::empty()) {
            Ok(socket) => return Ok(Some(socket)),
            // The signal handler has made the listener non-blocking.
            Err(Errno::EAGAIN) if stopping => return Ok(None),
            // Without a free descriptor accept fails at once, even when no connection waits: do not spin. The
            // peer waits in the backlog meanwhile.
            Err(error) if is_exhausted(error) => sleep(BACK_OFF),
            // EAGAIN: the signal came after the check above. Check again.
            Err(error) if error == Errno::EAGAIN || is_transient(error) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

// ANCHOR: refuse-new
/// Lets no new connection begin. Closing a listening socket resets the connections that the kernel has
/// accepted and the server has not: their clients may have sent requests. So a server that stops first drops
/// what would make new ones (a socket filter that returns 0 bytes of each packet, socket(7):
/// SO_ATTACH_FILTER), then accepts until `EAGAIN`, then closes. A client whose SYN was dropped tries again
/// after a second and is refused. One case remains: a client whose handshake was under way believes that it
/// is connected, and is reset.
pub fn refuse_new(listener: BorrowedFd<'_>) {
    let mut drop_all = libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &mut drop_all };
    let length = size_of::<libc::sock_fprog>() as libc::socklen_t;
    // SAFETY: the kernel reads a program of one instruction, which lives until the call returns. It fails
    // only where filters are forbidden: then connections that come between here and the close are reset.
    unsafe {
        let program = (&raw const program).cast();
        libc::setsockopt(listener.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program, length);
    }
}
// ANCHOR_END: refuse-new

/// The listening socket of an event loop: its registration with epoll as [`LISTENER`], and when to pause.
#[derive(Debug)]
pub struct Acceptor {
    listener: Option<OwnedFd>,
    max: usize,
    /// While paused: when to try again (ms).
    paused_until: Option<u64>,
    /// The server must stop: accept without regard to `max`, and close the socket once no connection waits.
    draining: bool,
}

/// What came of one try to accept.
#[derive(Debug)]
pub enum Accepted {
    /// A connection, non-blocking.
    Socket(OwnedFd),
    /// No connection waits.
    None,
    /// There is no room. A level-triggered loop must take the listener out of its interest, or it spins:
    /// the peer that cannot be accepted keeps the listener readable.
    NoRoom,
}

impl Acceptor {
    /// Accepts from a non-blocking listener while fewer than `max` connections are open.
    pub fn new(listener: OwnedFd, max: usize) -> Self {
        Self { listener: Some(listener), max, paused_until: None, draining: false }
    }

    /// Lets `epoll` report, level-triggered, that connections wait.
    ///
    /// # Errors
    /// What epoll_ctl(2) says.
    pub fn watch(&self, epoll: &Epoll) -> nix::Result<()> {
        match &self.listener {
            Some(listener) => epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER)),
            None => Ok(()),
        }
    }

    /// The next connection; `None` when none waits or there is no room. In the second case epoll stops
    /// reporting the listener until [`Acceptor::resume`]. `open` is the number of connections now.
    ///
    /// # Errors
    /// As [`Acceptor::try_accept`], and what epoll_ctl(2) says.
    pub fn accept(&mut self, epoll: &Epoll, open: usize, now: &LoopContext) -> io::Result<Option<OwnedFd>> {
        match self.try_accept(open, now)? {
            Accepted::Socket(socket) => Ok(Some(socket)),
            Accepted::None => Ok(None),
            Accepted::NoRoom => {
                self.set_interest(epoll, EpollFlags::empty())?;
                Ok(None)
            }
        }
    }

    /// To be called once per wake-up. Returns true when the loop should accept now: once when a pause is
    /// over, and then epoll reports the listener again, and while the server drains.
    ///
    /// # Errors
    /// What epoll_ctl(2) says.
    pub fn resume(&mut self, epoll: &Epoll, open: usize, now: &LoopContext) -> io::Result<bool> {
        let over = self.ends_pause(open, now);
        if over {
            self.set_interest(epoll, EpollFlags::EPOLLIN)?;
        }
        Ok(over)
    }

    /// One connection, if one waits and there is room, for a loop that registers the listener itself.
    ///
    /// # Errors
    /// What accept4(2) says, but the errors of a single connection and of a lack of descriptors.
    pub fn try_accept(&mut self, open: usize, now: &LoopContext) -> io::Result<Accepted> {
        let Some(listener) = &self.listener else { return Ok(Accepted::None) };
        loop {
            if self.has_no_room(open) {
                // Until one of them is closed.
                self.paused_until = Some(now.ms);
                return Ok(Accepted::NoRoom);
            }
            return match accept(listener.as_fd(), SockFlag::SOCK_NONBLOCK) {
                Ok(socket) => Ok(Accepted::Socket(socket)),
                Err(Errno::EAGAIN) => {
                    if self.draining {
                        self.listener = None;
                    }
                    Ok(Accepted::None)
                }
                Err(error) if is_exhausted(error) => {
                    self.paused_until = Some(now.ms + BACK_OFF.as_millis() as u64);
                    Ok(Accepted::NoRoom)
                }
                Err(error) if is_transient(error) => continue,
                Err(error) => Err(error.into()),
            };
        }
    }

    /// [`Acceptor::resume`] for a loop that registers the listener itself.
    pub fn ends_pause(&mut self, open: usize, now: &LoopContext) -> bool {
        match self.paused_until {
            // The socket is closed at the first look that finds no connection, and epoll does not report that
            // there is none.
            None => self.draining && self.listener.is_some(),
            Some(until) if now.ms >= until && !self.has_no_room(open) => {
                self.paused_until = None;
                true
            }
            Some(_) => false,
        }
    }

    /// While the server drains, no new connection begins, and those that wait are promised an answer: a
    /// connection that is open must not keep them out.
    fn has_no_room(&self, open: usize) -> bool {
        open >= self.max && !self.draining
    }

    /// Whether accepting is paused: the loop must then look again within 100 ms.
    pub fn is_paused(&self) -> bool {
        self.paused_until.is_some()
    }

    /// The server must stop: no new connection begins ([`refuse_new`]), and the socket is closed once those
    /// are accepted that the kernel had accepted before.
    pub fn drain(&mut self) {
        if let Some(listener) = &self.listener {
            refuse_new(listener.as_fd());
        }
        self.drain_shared();
    }

    /// [`Acceptor::drain`] for a socket that other processes accept from too: they may go on, so connections
    /// may still begin.
    pub fn drain_shared(&mut self) {
        self.draining = true;
    }

    /// Closes the socket at once, for a process that stops while others go on accepting from it: what waits
    /// is theirs.
    pub fn close(&mut self) {
        (self.listener, self.paused_until) = (None, None);
    }

    /// Whether connections may still come.
    pub fn is_open(&self) -> bool {
        self.listener.is_some()
    }

    /// The listening socket, for a loop that registers it itself.
    pub fn listener(&self) -> Option<BorrowedFd<'_>> {
        self.listener.as_ref().map(AsFd::as_fd)
    }

    fn set_interest(&self, epoll: &Epoll, interest: EpollFlags) -> io::Result<()> {
        match &self.listener {
            Some(listener) => Ok(epoll.modify(listener, &mut EpollEvent::new(interest, LISTENER))?),
            None => Ok(()),
        }
    }
}

/// Descriptors or memory ran out: it passes when others close (accept(2)).
fn is_exhausted(error: Errno) -> bool {
    matches!(error, Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM)
}

/// Concerns one connection only: it was reset, or its network failed, before we took it (accept(2)).
fn is_transient(error: Errno) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};

    /// Protects a client that waits at the limit when the server is told to stop: the connections in its way
    /// may need all the time that is left.
    #[test]
    fn a_limit_that_is_reached_keeps_none_waiting_once_the_server_drains() {
        let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        let listener = bind_to(any, 16, SockFlag::SOCK_NONBLOCK).expect("a free port");
        let port = address_of(listener.as_fd()).expect("bound").port();
        let _waiting = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the listener is open");
        let (clock, mut acceptor) = (Clock::new(), Acceptor::new(listener, 1));
        let now = clock.last();
        assert!(matches!(acceptor.try_accept(1, now), Ok(Accepted::NoRoom)));
        assert!(acceptor.is_paused() && !acceptor.ends_pause(1, now));
        acceptor.drain();
        assert!(acceptor.ends_pause(1, now));
        assert!(matches!(acceptor.try_accept(1, now), Ok(Accepted::Socket(_))));
        assert!(matches!(acceptor.try_accept(2, now), Ok(Accepted::None)));
        assert!(!acceptor.is_open(), "the last one was accepted");
    }
}
