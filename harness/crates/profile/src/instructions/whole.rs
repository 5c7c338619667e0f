//! Stages as they are, with sockets, under three loads.
//!
//! The load is the same at each run, request by request: all connections send, then all replies are read. How
//! many connections one wake-up of the server finds ready is the kernel's matter, so these counts move by
//! some per cent.

use super::counts::{Counts, OPTIONS};
use super::table::Count;
use crate::calls::{COUNT, Strace, table};
use anyhow::{Context, Result, ensure};
use lab_core::server_process::Launch;
use lab_core::stages::Stage;
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Under callgrind a server starts fifty times as slowly.
const START: Duration = Duration::from_secs(30);
/// How long one reply may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Requests before the first count.
const WARM_UP: usize = 256;

/// A load.
#[derive(Clone, Copy, Debug)]
struct Load {
    name: &'static str,
    connections: usize,
    depth: usize,
    /// A connection for each request.
    closes: bool,
    /// Requests in the larger count; the smaller one has a fifth.
    requests: usize,
}

const LOADS: [Load; 3] = [
    Load { name: "depth 1", connections: 16, depth: 1, closes: false, requests: 10_240 },
    Load { name: "depth 16", connections: 4, depth: 16, closes: false, requests: 10_240 },
    Load { name: "close", connections: 1, depth: 1, closes: true, requests: 2_560 },
];

/// Counts a stage under each load.
pub(super) fn count(valgrind: &Path, stage: &Stage) -> Result<BTreeMap<String, Count>> {
    let mut options: Vec<String> = ["--protocol", "http"].map(str::to_owned).into();
    if stage.number >= 8 {
        options.extend(["--workers", "1"].map(str::to_owned));
    }
    let launch = stage.launch(&options);
    let mut counts = BTreeMap::new();
    for mut load in LOADS {
        if stage.number == 1 {
            // It serves one client until that one leaves.
            load.connections = 1;
        }
        let mut count = Count::new(load.instructions(valgrind, &launch)?);
        count.calls = load.calls(&launch)?;
        count.kernel = load.kernel(&launch)?;
        counts.insert(load.name.to_owned(), count);
    }
    Ok(counts)
}

impl Load {
    /// Instructions for each request, by function.
    fn instructions(&self, valgrind: &Path, server: &Launch) -> Result<BTreeMap<String, f64>> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("counts");
        let mut launch = Launch { program: valgrind.to_owned(), start_limit: START, ..server.clone() };
        launch.args = OPTIONS.map(str::to_owned).into();
        launch.args.push(format!("--callgrind-out-file={}", file.display()));
        launch.args.push(server.program.display().to_string());
        launch.args.extend(server.args.iter().cloned());
        let server = launch.start()?;
        let count = |requests, number| {
            self.put_on(server.addr, requests)?;
            dump(server.pid())?;
            Counts::read(&directory.path().join(format!("counts.{number}")))
        };
        count(WARM_UP, 1)?;
        let fewer = self.requests / 5;
        let counts = (count(fewer, 2)?, count(self.requests, 3)?);
        // Killed when it is dropped: stage 11 does not end by SIGTERM under callgrind.
        drop(server);
        Ok(counts.1.since(&counts.0, (self.requests - fewer) as u64))
    }

    /// System calls for each request, by name.
    fn calls(&self, launch: &Launch) -> Result<BTreeMap<String, f64>> {
        let server = launch.start()?;
        let Ok(strace) = Strace::attach(&COUNT, server.pid())? else { return Ok(BTreeMap::new()) };
        self.put_on(server.addr, self.requests)?;
        let calls = table(&strace.end()?)?;
        server.stop()?;
        let each = |(name, [count, ..]): (String, [f64; 3])| {
            (name, (count * 1000.0 / self.requests as f64).round() / 1000.0)
        };
        // A timer of the loop is no part of a request.
        Ok(calls.into_iter().map(each).filter(|(_, count)| *count >= 0.01).collect())
    }

    /// The kernel's share of the server's CPU time. `None` if so little was used that the clock ticks of
    /// which the two are sums would be too few.
    fn kernel(&self, launch: &Launch) -> Result<Option<f64>> {
        const FEWEST_TICKS: u64 = 20;
        let server = launch.start()?;
        for _ in 0..5 {
            self.put_on(server.addr, self.requests * 2)?;
        }
        let stat = read_to_string(format!("/proc/{}/stat", server.pid()))?;
        server.stop()?;
        let [user, system] = ticks(&stat).context("/proc/PID/stat has another form here")?;
        let share = (system as f64 * 100.0 / (user + system) as f64).round() / 100.0;
        Ok((user + system >= FEWEST_TICKS).then_some(share))
    }

    /// Sends so many requests and reads the replies.
    fn put_on(&self, addr: SocketAddr, requests: usize) -> Result<()> {
        if self.closes {
            let request = request(addr, "Connection: close\r\n");
            for _ in 0..requests {
                let mut socket = connect(addr)?;
                socket.write_all(&request)?;
                let mut reply = Vec::new();
                socket.read_to_end(&mut reply).context("a reply does not come, or is cut")?;
                ensure!(reply.ends_with(b"Hello, World!"), "a reply is not the one that was expected");
            }
            return Ok(());
        }
        let request = request(addr, "");
        let connections: Result<Vec<TcpStream>> = (0..self.connections).map(|_| connect(addr)).collect();
        let mut connections = connections?;
        let batch = request.repeat(self.depth);
        let mut length = None;
        for _ in 0..requests / self.connections / self.depth {
            for socket in &mut connections {
                socket.write_all(&batch)?;
            }
            for socket in &mut connections {
                // All replies are as long as the first.
                let one = match length {
                    Some(one) => one,
                    None => *length.insert(reply_length(socket)?),
                };
                let mut replies = vec![0; one * self.depth];
                socket.read_exact(&mut replies).context("a reply does not come, or is cut")?;
                ensure!(replies.ends_with(b"Hello, World!"), "a reply is not the one that was expected");
            }
        }
        Ok(())
    }
}

/// Lets callgrind write what it has counted since the last time.
fn dump(pid: i32) -> Result<()> {
    let mut command = Command::new("callgrind_control");
    let output = command.args(["--dump", &pid.to_string()]).stdin(Stdio::null()).output();
    let output = output.context("callgrind_control, which comes with valgrind, does not start")?;
    ensure!(output.status.success(), "callgrind_control fails: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn request(addr: SocketAddr, field: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: {addr}\r\n{field}\r\n").into_bytes()
}

fn connect(addr: SocketAddr) -> Result<TcpStream> {
    let socket = TcpStream::connect(addr).context("the server does not accept")?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// The length of the reply that arrives, which is left in the socket.
fn reply_length(socket: &TcpStream) -> Result<usize> {
    const BODY: &[u8] = b"Hello, World!";
    let mut seen = vec![0; 4096];
    loop {
        let count = socket.peek(&mut seen).context("a reply does not come")?;
        ensure!(count > 0, "the server closes the connection");
        if let Some(at) = seen[..count].windows(BODY.len()).position(|window| window == BODY) {
            return Ok(at + BODY.len());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// User and system time in clock ticks: the fields 14 and 15 of `/proc/PID/stat`, of which the second, in
/// parentheses, may contain anything.
fn ticks(stat: &str) -> Option<[u64; 2]> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some([fields.next()?.parse().ok()?, fields.next()?.parse().ok()?])
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn both_times_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 31 69 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some([31, 69]));
        assert_eq!(ticks("7 (a)"), None);
    }
}
