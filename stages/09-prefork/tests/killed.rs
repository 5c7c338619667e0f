//! A child that is killed takes its own connections with it and nothing else.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const KILLS: usize = 30;
const CHILDREN: usize = 2;

/// The server, killed with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(accept: &str) -> (Server, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stage-09"));
    let workers = CHILDREN.to_string();
    command.args(["--addr", "127.0.0.1:0", "--workers", &workers, "--accept", accept]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("built by cargo");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("it says where it listens");
    let addr = line.trim().strip_prefix("listening on ").expect("the contract").parse().expect("an address");
    (Server(child), addr)
}

/// The processes whose parent it is, and how many of them are zombies.
fn children_of(parent: u32) -> (BTreeSet<i32>, usize) {
    let mut zombies = 0;
    let mut living = BTreeSet::new();
    for entry in fs::read_dir("/proc").expect("proc is mounted").flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // pid (name) state ppid …
        let Some((pid, rest)) = stat.split_once(" (") else { continue };
        let Some((_, rest)) = rest.rsplit_once(") ") else { continue };
        let mut words = rest.split(' ');
        let (state, ppid) = (words.next(), words.next());
        if ppid == Some(parent.to_string().as_str()) {
            match state {
                Some("Z") => zombies += 1,
                _ => drop(living.insert(pid.parse().expect("a number"))),
            }
        }
    }
    (living, zombies)
}

/// One connection, one request. A reply that is neither whole nor cut off fails the test.
fn ask(addr: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(addr).expect("the listener is the parent's: it never closes");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    if stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").is_err() {
        return false;
    }
    let mut reply = String::new();
    match stream.read_to_string(&mut reply) {
        Ok(_) => reply.ends_with("\r\n\r\nHello, World!"),
        Err(error) => {
            let waited =
                matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
            assert!(!waited, "a connection that nobody held was forgotten");
            false
        }
    }
}

/// There is one connection at a time, so a kill costs one at most; whatever waits in the queue goes to somebody else.
fn a_kill_costs_what_the_child_held(accept: &str) {
    let (server, addr) = start(accept);
    let parent = server.0.id();
    let mut lost = 0;
    for round in 0..KILLS {
        for _ in 0..5 {
            lost += usize::from(!ask(addr));
        }
        if let Some(&child) = children_of(parent).0.iter().nth(round % CHILDREN) {
            kill(Pid::from_raw(child), Signal::SIGKILL).expect("it is ours");
        }
        lost += usize::from(!ask(addr));
    }
    assert!(lost <= KILLS, "{lost} connections lost in {KILLS} kills");
    // A child that dies young again and again is replaced after a pause.
    let start = Instant::now();
    while children_of(parent).0.len() < CHILDREN {
        assert!(start.elapsed() < Duration::from_secs(20), "the dead are not replaced");
        sleep(Duration::from_millis(20));
    }
    assert_eq!(children_of(parent).1, 0, "zombies");
    assert!(ask(addr));
}

#[test]
fn notified() {
    a_kill_costs_what_the_child_held("notify");
}

#[test]
fn shared() {
    a_kill_costs_what_the_child_held("shared");
}

/// Here what waits on the dead child's own listener waits for its successor.
#[test]
fn dealt() {
    a_kill_costs_what_the_child_held("reuseport");
}
