//! What happens when the rings are full: nothing is lost, and the dispatcher does not spin.

#![cfg(not(loom))]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::scope;
use std::time::{Duration, Instant};

/// A running server, killed when the test ends however it ends.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stage-07"));
        let mut child = command
            .args(["--addr", "127.0.0.1:0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the stage starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the stage prints its first line");
        let address =
            line.trim_end().strip_prefix("listening on ").expect("the contract's first line").to_owned();
        Self { child, address }
    }

    /// User and system time, in clock ticks of 10 ms (proc_pid_stat(5)).
    fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let fields: Vec<&str> =
            stat.rsplit(')').next().expect("a name in brackets").split_whitespace().collect();
        fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request on a connection of its own; what came back.
fn ask(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("the server reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("the server answers");
    reply
}

#[test]
fn a_full_ring_loses_no_connection_and_the_dispatcher_does_not_spin() {
    for options in [
        &["--queue", "ring"][..],
        &["--queue", "ring", "--dispatch", "by-descriptor"],
        &["--queue", "mutex", "--wakeup", "pipe"],
        &["--queue", "crossbeam", "--wakeup", "park"],
    ] {
        let common = ["--queue-capacity", "1", "--workers", "2"];
        let server = Server::start(&[options, &common].concat());
        let start = Instant::now();
        // 64 clients, 10 ms each, two workers, room for one in each ring: most of them wait in the
        // dispatcher.
        scope(|clients| {
            for _ in 0..64 {
                clients.spawn(|| {
                    let reply = ask(&server.address, "/sleep/10");
                    assert!(reply.starts_with("HTTP/1.1 200 "), "{options:?}: {reply:?}");
                });
            }
        });
        let wall = start.elapsed().as_secs_f64();
        let cpu = server.cpu_ticks() as f64 / 100.0;
        // It slept at least 0.32 s. A dispatcher that spins burns all of that; ours wakes once a millisecond.
        assert!(wall > 0.3, "{options:?}: the requests did not sleep");
        assert!(cpu < 0.25, "{options:?}: {cpu} s of CPU in {wall:.2} s");
    }
}
