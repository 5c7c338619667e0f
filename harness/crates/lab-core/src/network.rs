//! The kernel's counters for the accept queues of this network namespace, from `/proc/net/netstat`.

use std::fs;

/// How often connections did not get into an accept queue, since the machine was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptQueues {
    /// The queue was full (`ListenOverflows`).
    pub overflows: u64,
    /// A connection was dropped on its way into it, for whatever reason (`ListenDrops`).
    pub drops: u64,
}

impl AcceptQueues {
    /// The counts now. `None` where the kernel does not have them.
    pub fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/net/netstat").ok()?)
    }

    /// What was counted between `earlier` and now.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            overflows: self.overflows.saturating_sub(earlier.overflows),
            drops: self.drops.saturating_sub(earlier.drops),
        }
    }

    /// The file has two lines for each group: the names, and below them the values.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt:"));
        let (names, values) = (lines.next()?.split_whitespace(), lines.next()?.split_whitespace());
        let value = |name: &str| {
            let mut pairs = names.clone().zip(values.clone());
            pairs.find(|(found, _)| *found == name)?.1.parse().ok()
        };
        Some(Self { overflows: value("ListenOverflows")?, drops: value("ListenDrops")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::time::Duration;

    const TEXT: &str = "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPTimeouts\nTcpExt: 7 41 42 9\n\
                        IpExt: InNoRoutes ListenDrops\nIpExt: 1 2\n";

    #[test]
    fn the_values_stand_below_their_names() {
        let queues = AcceptQueues::parse(TEXT).expect("both are there");
        assert_eq!(queues, AcceptQueues { overflows: 41, drops: 42 });
        for cut in [0, 20, 66, 74] {
            assert_eq!(AcceptQueues::parse(&TEXT[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn a_queue_that_overflows_is_counted() {
        use nix::sys::socket::{
            AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, socket,
        };
        let before = AcceptQueues::now().expect("Linux tells");
        let listener =
            socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).expect("a socket");
        bind(listener.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).expect("a free port");
        listen(&listener, Backlog::new(1).expect("one is allowed")).expect("it listens");
        let listener = TcpListener::from(listener);
        let addr = listener.local_addr().expect("it is bound");
        // Nothing accepts: the first few wait in the queue, the others are dropped.
        let clients: Vec<_> =
            (0..8).map(|_| TcpStream::connect_timeout(&addr, Duration::from_millis(50))).collect();
        let counted = AcceptQueues::now().expect("Linux tells").since(before);
        assert!(clients.iter().any(Result::is_err), "the queue is full");
        assert!(counted.overflows > 0 && counted.drops >= counted.overflows, "{counted:?}");
    }
}
