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

/// The server, killed with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(accept: &str, workers: usize) -> (Server, SocketAddr) {
    let command = Command::new(env!("CARGO_BIN_EXE_stage-09"));
    start_by(command, accept, workers, Stdio::null())
}

fn start_by(mut command: Command, accept: &str, workers: usize, stderr: Stdio) -> (Server, SocketAddr) {
    command.args(["--addr", "127.0.0.1:0", "--workers", &workers.to_string(), "--accept", accept]);
    let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().expect("built by cargo");
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
    const CHILDREN: usize = 2;
    let (server, addr) = start(accept, CHILDREN);
    let parent = server.0.id();
    let mut lost = 0;
    for round in 0..KILLS {
        for _ in 0..5 {
            lost += usize::from(!ask(addr));
        }
        if let Some(&child) = children_of(parent).0.iter().nth(round % CHILDREN) {
            // The last one that was killed may have been listed as it went.
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
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

/// The only child is killed while it is busy and somebody waits: it was told, and will never answer.
fn its_successor_serves_who_waited(server: &Server, addr: SocketAddr) {
    for round in 0..10 {
        let mut busy = TcpStream::connect(addr).expect("accepted");
        busy.write_all(b"GET /sleep/3000 HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
        sleep(Duration::from_millis(50));
        let waiting: Vec<_> = (0..20).map(|_| TcpStream::connect(addr).expect("queued")).collect();
        // Somewhere around the death of the child, so that its end and the next connection meet in one wake-up of the parent.
        let child = *children_of(server.0.id()).0.first().expect("one child");
        kill(Pid::from_raw(child), Signal::SIGKILL).expect("it is ours");
        drop(waiting);
        assert!(ask(addr), "round {round}");
    }
}

#[test]
fn told_and_killed() {
    let (server, addr) = start("notify", 1);
    its_successor_serves_who_waited(&server, addr);
}

/// A shell may ignore SIGCHLD, and nobody may read what we say.
#[test]
fn started_in_bad_company() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' CHLD; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_stage-09")]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let (mut server, addr) = start_by(shell, "notify", 1, writer.into());
    its_successor_serves_who_waited(&server, addr);
    kill(Pid::from_raw(server.0.id() as i32), Signal::SIGTERM).expect("it is ours");
    let start = Instant::now();
    loop {
        if let Some(status) = server.0.try_wait().expect("it is ours") {
            assert_eq!(status.code(), Some(0), "a line that nobody reads is no failure");
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "it does not end");
        sleep(Duration::from_millis(20));
    }
}
