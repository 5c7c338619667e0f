//! The server's end of one connection: the kernel names its inode when it is asked by both addresses
//! (sock_diag(7)). To read all sockets from `/proc/net/tcp` would take as long as thousands of requests, once
//! many have ended and wait in `TIME_WAIT`.

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

/// `SOCK_DIAG_BY_FAMILY` of `linux/sock_diag.h`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST` of netlink(7).
const REQUEST: u16 = 1;
/// `NLMSG_ERROR` of netlink(7).
const ERROR: u16 = 2;
/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Where the inode stands behind that: at the end of `struct inet_diag_msg`.
const INODE: usize = HEADER + 68;
/// Any socket: `INET_DIAG_NOCOOKIE`.
const NO_COOKIE: u32 = u32::MAX;

/// Asks for sockets of a server.
#[derive(Debug)]
pub(super) struct Sockets {
    netlink: OwnedFd,
    address: Ipv4Addr,
    port: u16,
}

impl Sockets {
    /// Of the server that listens at this address.
    pub(super) fn of(server: SocketAddr) -> Result<Self> {
        let SocketAddr::V4(server) = server else { anyhow::bail!("workers are looked at over IPv4 only") };
        let (family, kind) = (AddressFamily::Netlink, SockType::Datagram);
        let netlink = socket(family, kind, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)
            .context("the kernel cannot be asked for sockets (sock_diag): load the module inet_diag")?;
        setsockopt(&netlink, sockopt::ReceiveTimeout, &TimeVal::seconds(2))?;
        Ok(Self { netlink, address: *server.ip(), port: server.port() })
    }

    /// The inode of the server's end of the connection from this port of the same address; `None` while the
    /// server has not accepted it.
    pub(super) fn accepted(&self, client: u16) -> Result<Option<u64>> {
        let fd = self.netlink.as_raw_fd();
        send(fd, &self.question(client), MsgFlags::empty()).context("sock_diag")?;
        let mut answer = [0; 1024];
        let length = recv(fd, &mut answer, MsgFlags::empty()).context("sock_diag does not answer")?;
        inode(&answer[..length], client)
    }

    /// `struct nlmsghdr`, then `struct inet_diag_req_v2` with the addresses as the server sees them.
    fn question(&self, client: u16) -> Vec<u8> {
        let mut body = vec![nix::libc::AF_INET as u8, nix::libc::IPPROTO_TCP as u8, 0, 0];
        // In any state.
        body.extend(u32::MAX.to_ne_bytes());
        body.extend(self.port.to_be_bytes());
        body.extend(client.to_be_bytes());
        for _ in ["the server's", "the client's"] {
            body.extend(self.address.octets());
            body.extend([0; 12]);
        }
        // On any interface.
        body.extend(0u32.to_ne_bytes());
        body.extend([NO_COOKIE; 2].iter().flat_map(|half| half.to_ne_bytes()));
        let mut question = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
        question.extend(BY_FAMILY.to_ne_bytes());
        question.extend(REQUEST.to_ne_bytes());
        question.extend([0; 8]);
        question.extend(body);
        question
    }
}

/// The inode that an answer names, if it is of a connection from this port that has one.
fn inode(answer: &[u8], client: u16) -> Result<Option<u64>> {
    let u16_at = |at: usize| answer.get(at..at + 2).map(|bytes| [bytes[0], bytes[1]]);
    let u32_at = |at: usize| answer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    let kind = u16_at(4).map(u16::from_ne_bytes).context("sock_diag: a short answer")?;
    if kind == ERROR {
        let errno = u32_at(HEADER).map(i32::from_ne_bytes).context("sock_diag: a short answer")?;
        let errno = Errno::from_raw(-errno);
        // There is no such connection, or not yet.
        ensure!(errno == Errno::ENOENT, "sock_diag: {}", errno.desc());
        return Ok(None);
    }
    // While the handshake is under way the kernel finds the listening socket, which has no peer.
    let peer = u16_at(HEADER + 4 + 2).map(u16::from_be_bytes);
    let inode = u32_at(INODE).map(u32::from_ne_bytes).context("sock_diag: a short answer")?;
    Ok((peer == Some(client) && inode != 0).then_some(u64::from(inode)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    /// Protects the workers from connections that are not theirs: an end that nobody has accepted has no
    /// inode, and one that was accepted has that of its descriptor.
    #[test]
    fn a_connection_has_an_inode_once_it_was_accepted() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let sockets = Sockets::of(address).expect("the kernel can be asked");
        let client = TcpStream::connect(address).expect("the listener is open");
        let port = client.local_addr().expect("connected").port();
        assert_eq!(sockets.accepted(port).expect("an answer"), None);
        let (server, _) = listener.accept().expect("one waits");
        let link = std::fs::read_link(format!("/proc/self/fd/{}", server.as_fd().as_raw_fd()));
        let link = link.expect("it is open").display().to_string();
        let inode = sockets.accepted(port).expect("an answer").expect("it was accepted");
        assert_eq!(link, format!("socket:[{inode}]"));
        let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let unused = nobody.local_addr().expect("bound").port();
        assert_eq!(sockets.accepted(unused).expect("an answer"), None, "there is no such connection");
    }

    #[test]
    fn a_short_answer_is_an_error_and_no_panic() {
        let answer = [0; INODE + 4];
        for length in 0..answer.len() {
            assert!(inode(&answer[..length], 1).is_err(), "{length}");
        }
    }
}
