//! Which process listens: a stale one on the port would be measured in the server's place, unnoticed.

use procfs::process::{FDTarget, Process, all_processes};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};

/// Whether every socket that listens on `addr` belongs to a process of `group`. What cannot be seen is
/// taken for right: an address that is not IPv4, or a process that we may not look into.
pub(super) fn owns(group: i32, addr: SocketAddr) -> bool {
    let mut listeners = listeners(addr);
    // The process that was started holds the socket nearly always: then no other is looked at.
    let first = Process::new(group).into_iter();
    let others = all_processes().into_iter().flatten().flatten();
    let members = others.filter(|process| process.stat().is_ok_and(|stat| stat.pgrp == group));
    for process in first.chain(members) {
        if listeners.is_empty() {
            break;
        }
        let Some(sockets) = sockets_of(&process) else { return true };
        listeners.retain(|inode| !sockets.contains(inode));
    }
    listeners.is_empty()
}

/// The inodes of a process's sockets, if we may look into it.
pub(super) fn sockets_of(process: &Process) -> Option<BTreeSet<u64>> {
    let sockets = process.fd().ok()?.flatten().filter_map(|descriptor| match descriptor.target {
        FDTarget::Socket(inode) => Some(inode),
        _ => None,
    });
    Some(sockets.collect())
}

/// A socket that listens, as the kernel lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listening {
    pub(super) addr: SocketAddr,
    pub(super) inode: u64,
}

impl Listening {
    /// Whether a client that connects to `addr` comes to this socket: it listens there or on every address.
    pub(super) fn accepts(&self, addr: SocketAddr) -> bool {
        let ip = match self.addr.ip() {
            IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4),
            ip => ip,
        };
        self.addr.port() == addr.port() && (ip.is_unspecified() || ip == addr.ip())
    }
}

/// Every TCP socket of this machine that listens.
pub(super) fn listening() -> Vec<Listening> {
    let lines = |path: &str| {
        let table = File::open(path).into_iter();
        // The kernel lists the listening sockets first. Behind them may stand tens of thousands in TIME_WAIT.
        table.flat_map(|table| {
            let lines = BufReader::new(table).lines().map_while(Result::ok).skip(1);
            lines.map_while(|line| listener(&line)).collect::<Vec<_>>()
        })
    };
    let all = lines("/proc/net/tcp").chain(lines("/proc/net/tcp6"));
    all.filter_map(|(text, inode)| Some(Listening { addr: parse(&text)?, inode })).collect()
}

/// An address as the kernel prints it: words of 32 bits as they lie in memory, each read as one number.
fn parse(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    let port = u16::from_str_radix(port, 16).ok()?;
    if ip.len() == 8 {
        return Some((word(0)?, port).into());
    }
    let bytes = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
    Some((<[u8; 16]>::try_from(bytes).ok()?, port).into())
}

/// The inodes of the sockets that listen on exactly this address: several with SO_REUSEPORT.
fn listeners(addr: SocketAddr) -> BTreeSet<u64> {
    // The kernel lists the listening sockets first. Behind them may stand tens of thousands in TIME_WAIT.
    let Ok(table) = File::open("/proc/net/tcp") else { return BTreeSet::new() };
    let lines = BufReader::new(table).lines().map_while(Result::ok).skip(1);
    let listening = lines.map_while(|line| listener(&line));
    listening.filter(|(at, _)| Some(at) == local_address(addr).as_ref()).map(|(_, inode)| inode).collect()
}

/// Address and inode of a line of `/proc/net/tcp`; nothing once the listening sockets are over.
fn listener(line: &str) -> Option<(String, u64)> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, _, state, .., _] = fields[..] else { return None };
    (state == LISTEN).then(|| Some((local.to_owned(), fields.get(9)?.parse().ok()?)))?
}

/// As the kernel prints it: the bytes of the address as they lie in memory, read as one number.
fn local_address(addr: SocketAddr) -> Option<String> {
    let IpAddr::V4(ip) = addr.ip() else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), addr.port()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    /// Protects the search for a server that listens on every address, or on IPv6 as Node and Java do.
    #[test]
    fn a_listener_accepts_what_comes_to_its_address() {
        for (bound, is_ours) in
            [("127.0.0.1:0", true), ("0.0.0.0:0", true), ("[::]:0", true), ("[::1]:0", false)]
        {
            let Ok(listener) = TcpListener::bind(bound) else { continue };
            let addr = listener.local_addr().expect("a bound socket");
            let found =
                listening().into_iter().find(|listening| listening.addr == addr).expect("it is listed");
            assert_eq!(found.accepts(([127, 0, 0, 1], addr.port()).into()), is_ours, "{bound}");
            assert!(!found.accepts(([127, 0, 0, 1], addr.port() ^ 1).into()), "{bound}");
        }
    }

    /// Protects against measuring a stale process: this test's own listener is not the child's.
    #[test]
    fn a_listener_belongs_to_its_group_only() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("a bound socket");
        let own_group = nix::unistd::getpgrp().as_raw();
        assert_eq!(listeners(addr).len(), 1);
        assert!(owns(own_group, addr));
        let mut other = std::process::Command::new("sleep");
        std::os::unix::process::CommandExt::process_group(&mut other, 0);
        let mut other = other.arg("60").spawn().expect("sleep is there");
        let owned_by_other = owns(other.id() as i32, addr);
        other.kill().expect("our own child");
        other.wait().expect("our own child");
        assert!(!owned_by_other, "the child does not listen");
        drop(listener);
        // A process that another test forks at this moment holds a copy of the socket until it executes a
        // program (FD_CLOEXEC), and so the port listens on for that long.
        let deadline = Instant::now() + Duration::from_secs(20);
        while !listeners(addr).is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(owns(own_group, addr), "nothing listens");
    }
}
