//! Ports for servers that are told by a command where to listen.
//!
//! Between the choice of a port and the server's `bind` somebody else may take it. Graders keep out of each
//! other's way by a name for each port, which only one process can have. From anything else that listens
//! below the range of outgoing connections only another port helps.

use super::runner::running;
use super::subject::Target;
use anyhow::{Context, Result};
use lab_core::server_process::{EndedEarly, Launch, Server};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram};
use std::sync::atomic::{AtomicU16, Ordering};

/// How many ports are tried for one server. A second one lost by chance is rare, and a third one no chance.
const TRIES: usize = 3;

/// A port on which nothing listens, kept from other graders as long as this lives.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) addr: SocketAddr,
    /// Holds the name of the port: an abstract one (unix(7)), which ends with its socket and is known in one
    /// network namespace only, as the port is. `None` where there are no such sockets.
    _name: Option<UnixDatagram>,
}

impl Port {
    /// It is below the range from which the kernel takes ports for outgoing connections, so none of the
    /// probes' clients can take it before the server does.
    pub(crate) fn free() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        loop {
            // Relaxed: only the count matters, it publishes nothing.
            let count = NEXT.fetch_add(1, Ordering::Relaxed);
            let port = 12_000 + (std::process::id() as u16).wrapping_mul(97).wrapping_add(count) % 18_000;
            let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let name = UnixAddr::from_abstract_name(format!("c10k-lab-port-{port}"));
            let name = match name.and_then(|name| UnixDatagram::bind_addr(&name)) {
                Err(error) if error.kind() == ErrorKind::AddrInUse => continue,
                name => name.ok(),
            };
            if TcpListener::bind(addr).is_ok() {
                return Self { addr, _name: name };
            }
        }
    }
}

/// Starts a server of the target with these options, for the probe that runs on this thread. One that is told
/// where to listen has the port besides; a stage chooses its own, unless a port is `wanted`.
pub(super) fn start(
    target: &Target,
    options: &[&str],
    wanted: bool,
    adapt: impl Fn(&mut Launch),
) -> Result<(Server, Option<Port>)> {
    let needs_port = wanted || matches!(target, Target::Command(..));
    let mut tries_left = TRIES;
    loop {
        tries_left -= 1;
        let port = needs_port.then(Port::free);
        let mut launch =
            target.launch(options, port.as_ref().map(|port| port.addr)).context("nothing can be started")?;
        adapt(&mut launch);
        let started = launch.start();
        if tries_left > 0 && port.as_ref().is_some_and(|port| is_lost(port.addr, &started)) {
            continue;
        }
        let server = started?;
        running(&server);
        return Ok((server, port));
    }
}

/// Whether somebody else may have taken the port before the server did: it ended since it could not have it,
/// or what listens there is none of its processes. The second is also so where a command hands its port to a
/// service that is none of its children, be it on whatever port; this is seen at the last try.
fn is_lost(addr: SocketAddr, started: &Result<Server>) -> bool {
    match started {
        Ok(server) => server.is_hidden(),
        Err(error) if error.is::<EndedEarly>() => {
            let is_taken = TcpListener::bind(addr).is_err_and(|error| error.kind() == ErrorKind::AddrInUse);
            // Whoever had it may be gone again. The message has the last line that the server printed.
            is_taken || says_in_use(&format!("{error:#}"))
        }
        Err(_) => false,
    }
}

/// What strerror(3) says of `EADDRINUSE`, and every language with it, or the name of the error.
fn says_in_use(message: &str) -> bool {
    let message = message.to_lowercase();
    message.contains("already in use") || message.contains("eaddrinuse")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probes::START_LIMIT;
    use std::collections::BTreeSet;
    use std::io::Read;
    use std::net::TcpStream;
    use std::process::Command;
    use std::thread;
    use std::time::{Duration, Instant};
    use test_support::{LONG, Place};

    /// Protects two graders that run at once from choosing the same port: in between nothing listens there.
    #[test]
    fn a_port_is_given_once() {
        let ports: Vec<Port> = (0..50).map(|_| Port::free()).collect();
        let addrs: BTreeSet<SocketAddr> = ports.iter().map(|port| port.addr).collect();
        assert_eq!(addrs.len(), ports.len());
        // Another process counts from elsewhere and comes to the same names.
        let name = UnixAddr::from_abstract_name(format!("c10k-lab-port-{}", ports[0].addr.port())).unwrap();
        assert_eq!(UnixDatagram::bind_addr(&name).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(ports);
        // A process that another test forks at this moment holds a copy of the socket until it executes a
        // program (FD_CLOEXEC).
        let start = Instant::now();
        while let Err(error) = UnixDatagram::bind_addr(&name) {
            assert!(start.elapsed() < LONG, "it is not free again: {error}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts a server that waits before its first `bind` until somebody else listens on its port, and does
    /// `then` after that. Returns the one that listens there as well.
    fn start_with_a_thief(place: &Place, then: &str) -> (Result<(Server, Option<Port>)>, TcpListener) {
        let (port, taken) = (place.path("port"), place.path("taken"));
        let command = format!(
            "[ -e {taken} ] || echo $PORT >{port}; while [ ! -e {taken} ]; do sleep 0.01; done; {then}",
            taken = taken.display(),
            port = port.display()
        );
        thread::scope(|scope| {
            let thief = scope.spawn(|| {
                let start = Instant::now();
                let number = loop {
                    let text = std::fs::read_to_string(&port).unwrap_or_default();
                    if let Some(number) = text.strip_suffix('\n') {
                        break number.parse::<u16>().unwrap();
                    }
                    assert!(start.elapsed() < LONG, "the server was not started");
                    thread::sleep(Duration::from_millis(1));
                };
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).unwrap();
                std::fs::write(&taken, "").unwrap();
                listener
            });
            let started = start(&Target::Command(command, START_LIMIT), &[], false, |_| {});
            (started, thief.join().unwrap())
        })
    }

    /// A server in Python, which says `ours` to each client.
    const LISTENS: &str = "exec python3 -c 'import socket, os
s = socket.socket(); s.bind((\"127.0.0.1\", int(os.environ[\"PORT\"]))); s.listen()
while True:
    c, _ = s.accept(); c.sendall(b\"ours\"); c.close()'";

    fn has_python() -> bool {
        let is_here = Command::new("python3").arg("--version").output().is_ok_and(|it| it.status.success());
        if !is_here {
            eprintln!("skipped: there is no python3");
        }
        is_here
    }

    fn must_be_ours(started: Result<(Server, Option<Port>)>, case: &str) -> SocketAddr {
        let (server, port) = started.unwrap_or_else(|error| panic!("{case}: {error:#}"));
        assert_eq!(Some(server.addr), port.map(|port| port.addr), "{case}");
        assert!(!server.is_hidden(), "{case}");
        let mut said = String::new();
        TcpStream::connect(server.addr).unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "ours", "{case}");
        server.addr
    }

    /// Protects servers from being judged by what another process does on their port, or for having lost it:
    /// the first port is taken between its choice and the server's bind.
    #[test]
    fn a_server_that_lost_its_port_gets_another() {
        if !has_python() {
            return;
        }
        let place = Place::new();
        let once = format!("[ -e {0} ] || {{ : >{0}; exit 1; }};", place.path("once").display());
        // One that has not come to its bind when somebody else is seen to listen, and one that ends at once
        // and says nothing.
        for first in ["sleep 0.3;", &once] {
            let (started, thief) = start_with_a_thief(&Place::new(), &format!("{first} {LISTENS}"));
            assert_ne!(must_be_ours(started, first), thief.local_addr().unwrap(), "{first}");
        }
        // One that says why it ended, when the other process is gone again.
        let said = place.path("said").display().to_string();
        let first =
            format!("[ -e {said} ] || {{ : >{said}; echo 'bind: Address already in use' >&2; exit 1; }};");
        let target = Target::Command(format!("{first} {LISTENS}"), START_LIMIT);
        must_be_ours(start(&target, &[], false, |_| {}), &first);
    }

    /// Protects the report of a server that cannot start: it is not tried for ever, and what it says is kept.
    #[test]
    fn a_server_that_ends_for_another_reason_is_started_once() {
        let place = Place::new();
        let log = place.path("log");
        let command = format!("echo start >>{}; echo no licence >&2; exit 3", log.display());
        let error = start(&Target::Command(command, START_LIMIT), &[], false, |_| {}).unwrap_err();
        assert!(format!("{error:#}").contains("no licence"), "{error:#}");
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "start\n");
    }
}
