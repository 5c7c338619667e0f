//! Several listening sockets on one port (SO_REUSEPORT, socket(7)).

use kit::listener::{address_of, bind_with};
use nix::sys::socket::{SockFlag, setsockopt, sockopt};
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, OwnedFd};

// ANCHOR: group
/// `count` listening sockets on the port of `first`, which is one of them; `flags` may add `SOCK_NONBLOCK`.
///
/// The usual recipe sets `SO_REUSEPORT` before the first bind too. Then a second server of the same user,
/// started by mistake, would bind as well and take half of the connections, and no error would say that the
/// port was in use. So the first socket was bound without it, which fails if any process has the port, and
/// opens the port to the others only now: the kernel looks at the option of both sockets at the *second*
/// bind.
///
/// # Errors
/// What socket(2), setsockopt(2), bind(2) and listen(2) say.
pub fn bind_reuseport_group(
    first: OwnedFd,
    backlog: u16,
    flags: SockFlag,
    count: usize,
) -> nix::Result<Vec<OwnedFd>> {
    let address = SocketAddrV4::from(address_of(first.as_fd())?);
    setsockopt(&first, sockopt::ReusePort, &true)?;
    let mut all = vec![first];
    while all.len() < count {
        let share = |socket: &OwnedFd| setsockopt(socket, sockopt::ReusePort, &true);
        all.push(bind_with(address, backlog, flags, share)?);
    }
    Ok(all)
}
// ANCHOR_END: group

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

    /// Protects the shards: each gets a part. The kernel's hash may favour one of them, but not 64 times in a
    /// row.
    #[test]
    fn every_socket_of_the_group_gets_connections() {
        let all = bind_reuseport_group(any_port(), 64, SockFlag::SOCK_NONBLOCK, 2).expect("bound");
        let address = SocketAddrV4::from(address_of(all[1].as_fd()).expect("bound"));
        let clients: Vec<_> = (0..64).map(|_| TcpStream::connect(address).expect("accepted")).collect();
        let count = |listener: &OwnedFd| {
            std::iter::from_fn(|| accept(listener.as_fd(), SockFlag::SOCK_NONBLOCK).ok()).count()
        };
        let counts: Vec<usize> = all.iter().map(count).collect();
        assert_eq!(counts.iter().sum::<usize>(), clients.len());
        assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
    }

    /// Protects a user who starts the server twice: a port in use is refused, before and after it is shared.
    #[test]
    fn another_server_cannot_join_the_group() {
        let one = any_port();
        let address = SocketAddrV4::from(address_of(one.as_fd()).expect("bound"));
        let second = || bind_to(address, 64, SockFlag::SOCK_NONBLOCK).expect_err("the port is taken");
        assert_eq!(second(), Errno::EADDRINUSE);
        let _all = bind_reuseport_group(one, 64, SockFlag::SOCK_NONBLOCK, 2).expect("bound");
        assert_eq!(second(), Errno::EADDRINUSE);
    }
}
