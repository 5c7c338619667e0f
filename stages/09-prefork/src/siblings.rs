//! Several listening sockets on one port.

use kit::listener::{address_of, bind_with};
use nix::sys::socket::{SockFlag, setsockopt, sockopt};
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, OwnedFd};

// ANCHOR: siblings
/// `count` listening sockets on the port of `first`, which is one of them; `flags` may add `SOCK_NONBLOCK`.
///
/// The usual recipe sets `SO_REUSEPORT` before the first bind too. Then a second server of the same user, started by
/// mistake, would bind as well and take half of the connections, and nobody would be told that the port was in use. So
/// the first socket was bound without it, which fails if anybody has the port, and opens the port to its siblings only
/// now: the kernel looks at the option of both sockets at the *second* bind.
///
/// # Errors
/// What socket(2), setsockopt(2), bind(2) and listen(2) say.
pub fn siblings(first: OwnedFd, backlog: u16, flags: SockFlag, count: usize) -> nix::Result<Vec<OwnedFd>> {
    let address = SocketAddrV4::from(address_of(first.as_fd())?);
    setsockopt(&first, sockopt::ReusePort, &true)?;
    let mut all = vec![first];
    while all.len() < count {
        let share = |socket: &OwnedFd| setsockopt(socket, sockopt::ReusePort, &true);
        all.push(bind_with(address, backlog, flags, share)?);
    }
    Ok(all)
}
// ANCHOR_END: siblings

#[cfg(test)]
mod tests {
    use super::*;
    use kit::listener::{accept, bind_to};
    use nix::errno::Errno;
    use std::net::TcpStream;

    fn any_port() -> OwnedFd {
        bind_to(SocketAddrV4::new([127, 0, 0, 1].into(), 0), 64, SockFlag::SOCK_NONBLOCK)
            .expect("a free port")
    }

    /// The kernel's hash may favour one of them, but not 64 times in a row.
    #[test]
    fn every_sibling_gets_connections() {
        let all = siblings(any_port(), 64, SockFlag::SOCK_NONBLOCK, 2).expect("bound");
        let address = SocketAddrV4::from(address_of(all[1].as_fd()).expect("bound"));
        let clients: Vec<_> = (0..64).map(|_| TcpStream::connect(address).expect("accepted")).collect();
        let count = |listener: &OwnedFd| {
            std::iter::from_fn(|| accept(listener.as_fd(), SockFlag::SOCK_NONBLOCK).ok()).count()
        };
        let counts: Vec<usize> = all.iter().map(count).collect();
        assert_eq!(counts.iter().sum::<usize>(), clients.len());
        assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
    }

    /// A port that somebody has is not shared with him, whichever of the two is one of ours.
    #[test]
    fn a_stranger_cannot_join_unasked() {
        let one = any_port();
        let address = SocketAddrV4::from(address_of(one.as_fd()).expect("bound"));
        let second = || bind_to(address, 64, SockFlag::SOCK_NONBLOCK).expect_err("the port is taken");
        assert_eq!(second(), Errno::EADDRINUSE);
        let _all = siblings(one, 64, SockFlag::SOCK_NONBLOCK, 2).expect("bound");
        assert_eq!(second(), Errno::EADDRINUSE);
    }
}
