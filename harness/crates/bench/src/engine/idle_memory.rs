//! What connections cost that say nothing: the memory of a fresh server before them, with them, and after
//! each was served once.
//!
//! No generator is involved. The kernel's memory for a socket, some kilobytes, is in no process and not
//! counted; what it needs for a process or a thread is told apart.

use crate::smoke::{Reply, check, smoke};
use anyhow::{Context, Result, ensure};
use lab_core::process::{Usage, memory_of_tree};
use lab_core::server_process::Launch;
use lab_core::wire::{Authority, Connection, Replies, get};
use load::raise_descriptor_limit;
use records::{Beside, Idle};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Connections that are begun at once: fewer than any accept queue has room for.
const CHUNK: usize = 100;
/// How long a server may take to come to rest.
const SETTLE: Duration = Duration::from_secs(5);
/// How long a server may put off accepting a connection that says nothing.
const DEFERRED: Duration = Duration::from_secs(10);
/// How far apart the looks are that must see the same.
const LOOK: Duration = Duration::from_millis(50);
/// How long a connection or a reply may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Measures the memory of so many connections to a server that is started for it.
pub(super) fn measure(
    launch: &Launch,
    path: &str,
    count: usize,
    stop: &dyn Fn() -> bool,
) -> Result<(Idle, Reply)> {
    let server = launch.start()?;
    server.must_own_its_port()?;
    let reply = smoke(server.addr, path)?;

    let pid = server.pid() as u32;
    let Silent { mut connections, before, with, tasks, .. } = Silent::open(pid, server.addr, count, stop)?;
    for (at, chunk) in connections.chunks_mut(CHUNK).enumerate() {
        ask(chunk, server.addr, path)
            .with_context(|| format!("{count} silent connections, asked from number {}", at * CHUNK))?;
        ensure!(!stop(), "interrupted");
    }
    let served = at_rest(pid, stop)?;
    drop(connections);
    server.stop()?;

    let each = |memory: u64| (memory as f64 - before as f64) / count as f64;
    let idle = Idle {
        connections: count,
        silent_bytes: each(with),
        served_bytes: each(served),
        task_bytes: tasks.map(|added| added as f64 / count as f64),
    };
    Ok((idle, reply))
}

/// What the reason begins with why many silent connections are not opened to a server that forks for each.
pub(super) const PROCESSES: &str = "it has a process for each connection";

/// Silent connections to a server, open as long as this is.
pub(super) struct Silent {
    connections: Vec<TcpStream>,
    /// Memory of the server before them and with them, bytes.
    before: u64,
    with: u64,
    /// Kernel stacks and page tables that all of them added, bytes.
    tasks: Option<u64>,
    /// What all of them added.
    pub(super) memory: Beside,
}

impl Silent {
    /// Opens so many connections, and waits until the server has accepted them and has come to rest.
    pub(super) fn open(pid: u32, addr: SocketAddr, count: usize, stop: &dyn Fn() -> bool) -> Result<Self> {
        /// A server with a process for each connection is not tried with more.
        const MOST: usize = 2_000;
        raise_descriptor_limit(u32::try_from(count)?, 1)?;
        let (before, kernel_before, tasks_before) = (at_rest(pid, stop)?, kernel_memory(), task_memory());
        let mut connections = Vec::with_capacity(count);
        while connections.len() < count {
            for _ in 0..CHUNK.min(count - connections.len()) {
                connections.push(connect(addr).with_context(|| {
                    format!("{} silent connections are open, and the next was refused", connections.len())
                })?);
            }
            accepted(addr, stop)?;
            let is_many = connections.len() == 5 * CHUNK && count > MOST;
            ensure!(
                !is_many || Usage::of_tree(pid).processes < 5 * CHUNK,
                "{PROCESSES}: {count} of them are not tried"
            );
        }
        established(addr, count, stop)?;
        let (with, kernel, tasks) = (at_rest(pid, stop)?, kernel_memory(), task_memory());
        let tasks = tasks.zip(tasks_before).map(|(with, before)| with.saturating_sub(before));
        let kernel = kernel.zip(kernel_before);
        let memory = Beside {
            connections: count,
            user_bytes: with.saturating_sub(before),
            kernel_bytes: kernel.map(|((with, _), (before, _))| with.saturating_sub(before)),
            kernel_source: kernel.map(|((_, source), _)| source.to_owned()),
        };
        Ok(Self { connections, before, with, tasks, memory })
    }
}

/// What the kernel uses for TCP sockets, bytes, and where that was read. A socket has several objects; how
/// many sockets there are is known exactly, but of an object's cache only how many it has room for, and how
/// large each is. Where only root may read that, everything is taken that the kernel keeps in slabs, which
/// changes by other programs too.
fn kernel_memory() -> Option<(u64, &'static str)> {
    let read = |path| fs::read_to_string(path).ok();
    let sockets = read("/proc/net/sockstat")?;
    let tcp = sockets.lines().find_map(|line| line.strip_prefix("TCP: "))?;
    let value = |name: &str| -> Option<u64> {
        let mut words = tcp.split_whitespace().skip_while(|word| *word != name);
        words.nth(1)?.parse().ok()
    };
    let buffers = value("mem")? * procfs::page_size();
    if let Some(slabs) = read("/proc/slabinfo") {
        let of_socket: u64 = slabs.lines().filter_map(object_of_socket).sum();
        return Some((buffers + value("alloc")? * of_socket, "/proc/slabinfo"));
    }
    Some((buffers + of_meminfo("Slab:")?, "Slab in /proc/meminfo"))
}

/// What the kernel uses for the stacks and the page tables of all processes and threads, bytes.
fn task_memory() -> Option<u64> {
    Some(of_meminfo("KernelStack:")? + of_meminfo("PageTables:")?)
}

/// A line of `/proc/meminfo`, which is in kilobytes, in bytes.
fn of_meminfo(name: &str) -> Option<u64> {
    let memory = fs::read_to_string("/proc/meminfo").ok()?;
    let words = memory.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = words.split_whitespace().next()?.parse().ok()?;
    Some(1024 * kilobytes)
}

/// The size of the object of a line of `/proc/slabinfo`, if every TCP socket has one: `TCP 12 20 2368 13 8 :
/// …`.
fn object_of_socket(line: &str) -> Option<u64> {
    const OF_SOCKET: [&str; 4] = ["TCP", "sock_inode_cache", "filp", "dentry"];
    let mut words = line.split_whitespace();
    words.next().filter(|name| OF_SOCKET.contains(name))?;
    words.nth(2)?.parse().ok()
}

fn connect(addr: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, LIMIT)?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Waits until no connection is left in an accept queue of this port. A probe of one more connection would
/// tell only of its own queue, and a server may have several.
fn accepted(addr: SocketAddr, stop: &dyn Fn() -> bool) -> Result<()> {
    let start = Instant::now();
    loop {
        ensure!(!stop(), "interrupted");
        let waiting = queued(addr.port())?;
        if waiting == 0 {
            return Ok(());
        }
        ensure!(
            start.elapsed() < SETTLE,
            "{waiting} connections were not accepted within {} s",
            SETTLE.as_secs()
        );
        sleep(Duration::from_millis(2));
    }
}

/// Waits until the server's ends of all connections are established. With `TCP_DEFER_ACCEPT` the kernel shows
/// the server a connection only once it has said something, or some seconds later: until then it is in no
/// accept queue either, and costs the server nothing.
fn established(addr: SocketAddr, connections: usize, stop: &dyn Fn() -> bool) -> Result<()> {
    let start = Instant::now();
    loop {
        ensure!(!stop(), "interrupted");
        let (known, waiting) = (established_on(addr.port())?, queued(addr.port())?);
        if known >= connections && waiting == 0 {
            return Ok(());
        }
        ensure!(
            start.elapsed() < DEFERRED,
            "{known} of {connections} silent connections were accepted within {} s: what they cost cannot be told",
            DEFERRED.as_secs()
        );
        sleep(LOOK);
    }
}

/// How many established connections have this port at their near end.
fn established_on(port: u16) -> Result<usize> {
    let table = BufReader::new(File::open("/proc/net/tcp").context("cannot read /proc/net/tcp")?);
    let mut count = 0;
    for line in table.lines().skip(1) {
        let line = line?;
        let mut words = line.split_whitespace().skip(1);
        let (Some(local), Some("01")) = (words.next(), words.nth(1)) else { continue };
        let (_, local) = local.split_once(':').context("/proc/net/tcp has no ports")?;
        count += usize::from(u16::from_str_radix(local, 16)? == port);
    }
    Ok(count)
}

/// How many connections wait to be accepted on a port. For a listening socket the kernel writes that into the
/// column of the receive queue. It lists the listening sockets first, and the reading ends with them: after a
/// load with a connection per request tens of thousands of closed ones follow, and the kernel makes each line
/// only when it is read.
fn queued(port: u16) -> Result<u64> {
    let table = BufReader::new(File::open("/proc/net/tcp").context("cannot read /proc/net/tcp")?);
    let mut waiting = 0;
    for line in table.lines().skip(1) {
        let line = line?;
        let Some((local, queue)) = listening(&line) else { break };
        waiting += if local == port { queue } else { 0 };
    }
    Ok(waiting)
}

/// The port and the queue of a line, if it is of a listening socket: `0: 0100007F:1F90 00000000:0000 0A
/// 00000000:00000003`.
fn listening(line: &str) -> Option<(u16, u64)> {
    let mut words = line.split_whitespace().skip(1);
    let (_, port) = words.next()?.split_once(':')?;
    let (state, queues) = (words.nth(1)?, words.next()?);
    let (_, receive) = queues.split_once(':')?;
    (state == "0A").then_some(())?;
    Some((u16::from_str_radix(port, 16).ok()?, u64::from_str_radix(receive, 16).ok()?))
}

/// The Pss of the server's process tree once two looks have seen the same processes and the same memory. A
/// server that does not come to rest is taken as it is then.
fn at_rest(pid: u32, stop: &dyn Fn() -> bool) -> Result<u64> {
    let look = || (Usage::of_tree(pid).processes, memory_of_tree(pid));
    let start = Instant::now();
    let mut last = look();
    loop {
        ensure!(!stop(), "interrupted");
        sleep(LOOK);
        let now = look();
        if now == last || start.elapsed() > SETTLE {
            return now
                .1
                .context("the server's memory cannot be read: it has died, or the kernel does not let us");
        }
        last = now;
    }
}

/// Asks once on each connection and reads the replies.
fn ask(connections: &mut [TcpStream], addr: SocketAddr, path: &str) -> Result<()> {
    // One write: the floor takes every read for a request.
    let request = get(path, &Authority::from(addr).header(), Connection::Kept);
    for stream in connections.iter_mut() {
        stream.write_all(&request).context("a connection was closed while it was silent")?;
    }
    for stream in connections {
        check(&Replies::default().next(stream, LIMIT)?, path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_objects_of_a_socket_are_known_by_their_names() {
        assert_eq!(object_of_socket("TCP  10  20  2368  13 8 : tunables 0 0 0 : slabdata 1 1 0"), Some(2368));
        for line in ["eventpoll_epi 1 2 128 192 21 1", "tw_sock_TCP 9 9 256 16 1", "TCP x", ""] {
            assert_eq!(object_of_socket(line), None, "{line}");
        }
    }

    /// Protects the kernel's part of a connection that has a process or a thread: Linux counts what every
    /// task has.
    #[test]
    fn the_kernel_counts_stacks_and_page_tables() {
        assert!(task_memory().is_some_and(|bytes| bytes > 16 << 10), "this process has both");
        assert_eq!(of_meminfo("NoSuchLine:"), None);
    }

    /// What `accepted` relies on: a connection counts from the handshake to its accept, and no longer.
    #[test]
    fn a_connection_is_queued_until_it_is_accepted() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        assert_eq!(queued(addr.port()).expect("Linux tells"), 0);
        let clients = [connect(addr).expect("there is room"), connect(addr).expect("there is room")];
        assert_eq!(queued(addr.port()).expect("Linux tells"), 2);
        let _first = listener.accept().expect("it waits");
        assert_eq!(queued(addr.port()).expect("Linux tells"), 1);
        assert!(accepted(addr, &|| true).is_err(), "an interrupt ends the waiting");
        let _second = listener.accept().expect("it waits");
        assert_eq!(established_on(addr.port()).expect("Linux tells"), 2);
        assert!(established(addr, 3, &|| true).is_err(), "there are two");
        accepted(addr, &|| false).expect("none is left");
        drop(clients);
    }
}
