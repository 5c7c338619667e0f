//! A stage-09 for a test.

#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The arguments of each variant.
pub(crate) const VARIANTS: [&[&str]; 5] = [
    &["--accept", "notify"],
    &["--accept", "notify", "--notify", "flood"],
    &["--accept", "shared"],
    &["--accept", "exclusive"],
    &["--accept", "reuseport"],
];

/// The server, in a process group of its own, which is killed with the test.
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = killpg(self.pid(), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

impl Server {
    pub(crate) fn start(args: &[&str], workers: usize) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_stage-09")), args, workers, Stdio::null())
    }

    pub(crate) fn start_by(mut command: Command, args: &[&str], workers: usize, stderr: Stdio) -> Self {
        command.args(["--addr", "127.0.0.1:0", "--workers", &workers.to_string()]).args(args);
        command.process_group(0).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().expect("built by cargo");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("its first line");
        let addr = line.trim().strip_prefix("listening on ").expect("the contract");
        Self { child, addr: addr.parse().expect("an address") }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it is not reaped yet");
    }

    /// The children, without those that are zombies.
    pub(crate) fn children(&self) -> BTreeSet<Pid> {
        let all = processes().into_iter();
        all.filter(|it| it.parent == self.pid() && it.state != "Z").map(|it| it.pid).collect()
    }

    pub(crate) fn zombies(&self) -> usize {
        processes().iter().filter(|it| it.parent == self.pid() && it.state == "Z").count()
    }

    /// The processes of its group that run, whichever their parent is now.
    pub(crate) fn group(&self) -> usize {
        processes().iter().filter(|it| it.group == self.pid() && it.state != "Z").count()
    }

    /// Waits for the end of the parent. Returns its exit status.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let mut status = None;
        wait_until("the server has ended", || {
            status = self.child.try_wait().expect("it is ours");
            status.is_some()
        });
        status.and_then(|status| status.code())
    }

    /// A connection with a whole request in it.
    pub(crate) fn request(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).expect("the listener is open");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it fits into the socket");
        stream
    }
}

/// Waits for something that needs a moment; the time is far more than it needs.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "not so after 20 s: {what}");
        sleep(Duration::from_millis(5));
    }
}

/// What /proc/PID/stat says.
struct Process {
    pid: Pid,
    state: String,
    parent: Pid,
    group: Pid,
}

fn processes() -> Vec<Process> {
    let parse = |stat: String| {
        // pid (name) state ppid pgrp …
        let (pid, rest) = stat.split_once(" (")?;
        let mut words = rest.rsplit_once(") ")?.1.split(' ');
        let state = words.next()?.to_owned();
        let mut number = || words.next()?.parse().ok().map(Pid::from_raw);
        Some(Process { pid: Pid::from_raw(pid.parse().ok()?), state, parent: number()?, group: number()? })
    };
    let entries = fs::read_dir("/proc").expect("proc is mounted").flatten();
    entries.filter_map(|entry| parse(fs::read_to_string(entry.path().join("stat")).ok()?)).collect()
}

/// The state of a process, as in `ps`: S for asleep, T for stopped.
pub(crate) fn state(pid: Pid) -> String {
    processes().into_iter().find(|it| it.pid == pid).map(|it| it.state).unwrap_or_default()
}
