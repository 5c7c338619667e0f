//! What a server has not accepted, or not read, as the kernel knows it.

use nix::libc::{AF_INET, IPPROTO_TCP, NLM_F_REQUEST};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::os::fd::AsRawFd;

/// `SOCK_DIAG_BY_FAMILY` of linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
/// `TCP_ESTABLISHED` and `TCP_CLOSE_WAIT` of linux/tcp_states.h: the states in which a server reads.
const READING: [u8; 2] = [1, 8];
/// The lengths of `nlmsghdr` and of `inet_diag_req_v2`.
const HEADER: usize = 16;
const REQUEST: usize = HEADER + 56;
/// Where a reply has the state of the socket, the length of its receive queue, and its inode: behind the
/// header, in `inet_diag_msg` of linux/inet_diag.h.
const STATE: usize = HEADER + 1;
const RECEIVE_QUEUE: usize = HEADER + 56;
const INODE: usize = HEADER + 68;

/// A socket of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    /// How many bytes wait in its receive queue.
    pub(super) waiting: u32,
    /// It has been accepted: before that it is in the listener's queue, and has no inode.
    pub(super) is_accepted: bool,
}

/// The state of the socket at `local` whose peer is `remote`. `None` where there is no such socket in our
/// network namespace, where it is one of IPv6 alone, and where the kernel does not tell (sock_diag(7)).
///
/// One socket is asked for. `/proc/net/tcp` has the number as well, behind those of all connections in
/// TIME_WAIT: on a busy machine it takes seconds to read.
pub(super) fn state(local: SocketAddr, remote: SocketAddr) -> Option<State> {
    let request = request(v4(local)?, v4(remote)?);
    let (family, diag) = (AddressFamily::Netlink, SockProtocol::NetlinkSockDiag);
    let netlink = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, diag).ok()?;
    // Without an address it goes to the kernel, which has answered when the call returns.
    send(netlink.as_raw_fd(), &request, MsgFlags::empty()).ok()?;
    let mut reply = [0; 1024];
    let length = recv(netlink.as_raw_fd(), &mut reply, MsgFlags::MSG_DONTWAIT).ok()?;
    let reply = &reply[..length];
    // Anything else is an error, or the listener, whose queue is of connections.
    if field(reply, 4)? != BY_FAMILY.to_ne_bytes() || !READING.contains(reply.get(STATE)?) {
        return None;
    }
    let number = |at| field(reply, at).map(u32::from_ne_bytes);
    Some(State { waiting: number(RECEIVE_QUEUE)?, is_accepted: number(INODE)? != 0 })
}

fn field<const LENGTH: usize>(message: &[u8], at: usize) -> Option<[u8; LENGTH]> {
    message.get(at..at + LENGTH)?.try_into().ok()
}

/// A server that listens on IPv6 has a client of IPv4 as `::ffff:127.0.0.1`; the kernel finds it by either.
fn v4(addr: SocketAddr) -> Option<SocketAddrV4> {
    match addr.ip().to_canonical() {
        IpAddr::V4(ip) => Some(SocketAddrV4::new(ip, addr.port())),
        IpAddr::V6(_) => None,
    }
}

fn request(local: SocketAddrV4, remote: SocketAddrV4) -> Vec<u8> {
    let mut message = Vec::with_capacity(REQUEST);
    message.extend((REQUEST as u32).to_ne_bytes());
    message.extend(BY_FAMILY.to_ne_bytes());
    message.extend((NLM_F_REQUEST as u16).to_ne_bytes());
    // No number of the message, and none of the sender.
    message.extend([0; 8]);
    // No extensions, and a byte of padding.
    message.extend([AF_INET as u8, IPPROTO_TCP as u8, 0, 0]);
    // Every state.
    message.extend(u32::MAX.to_ne_bytes());
    message.extend(local.port().to_be_bytes());
    message.extend(remote.port().to_be_bytes());
    for ip in [local.ip(), remote.ip()] {
        message.extend(ip.octets());
        message.extend([0; 12]);
    }
    // Any interface, and `INET_DIAG_NOCOOKIE`.
    message.extend(0_u32.to_ne_bytes());
    message.extend([0xFF; 8]);
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    /// Protects the probes of SIGTERM on a busy machine: a request that the server has not read yet is not in
    /// flight. And those of queues: a client that was not accepted has no task yet. One that listens on IPv6
    /// as well has its client by another name.
    #[test]
    fn what_a_server_has_not_read_is_seen() {
        for all in ["127.0.0.1:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(all) else { continue };
            let port = listener.local_addr().unwrap().port();
            let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (ours, servers) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
            if state(servers, ours).is_none() {
                eprintln!("skipped: this kernel does not tell");
                return;
            }
            let until = |waiting: u32, is_accepted: bool| {
                let start = Instant::now();
                // The kernel hands a segment over a moment later.
                while state(servers, ours) != Some(State { waiting, is_accepted }) {
                    assert!(start.elapsed().as_secs() < 20, "{all}: {:?}", state(servers, ours));
                }
            };
            client.write_all(b"request").unwrap();
            until(7, false);
            let mut server = listener.accept().unwrap().0;
            until(7, true);
            server.read_exact(&mut [0; 3]).unwrap();
            until(4, true);
            server.read_exact(&mut [0; 4]).unwrap();
            until(0, true);
            drop(server);
            drop(client);
            assert_eq!(state(servers, ours), None, "{all}: the listener is not meant");
        }
    }
}
