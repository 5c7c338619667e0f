//! The references run as the harness starts them, each where it is installed; where not, the test says so.

use bench::references::{Name, Reference};
use lab_core::process::Usage;
use lab_core::server_process::{Launch, Server};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A wait that is generous on a loaded machine.
const LIMIT: Duration = Duration::from_secs(20);

/// The references that are installed.
fn installed() -> Vec<Reference> {
    let found = Name::ALL.into_iter().filter_map(|name| match name.find() {
        Ok(reference) => Some(reference),
        Err(install) => {
            eprintln!("skipped: {} is not installed: {install}", name.as_str());
            None
        }
    });
    found.collect()
}

/// A client that keeps its connection.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        Self(BufReader::new(stream))
    }

    /// Asks for `path`: status and body.
    fn get(&mut self, path: &str) -> (u16, Vec<u8>) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).expect("it reads");
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            let count = self.0.read_line(&mut line).expect("it answers");
            assert!(count > 0, "it closed the connection");
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if status == 0 {
                status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
            }
            if let Some((name, value)) = line.split_once(": ")
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a whole body");
        (status, body)
    }
}

/// Waits until no process of the tree is left.
fn ends(pid: u32) -> bool {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if Usage::of_tree(pid).processes == 0 && group(pid).is_empty() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// The living processes of a group: workers that lost their master are still in it.
fn group(leader: u32) -> Vec<i32> {
    let processes = procfs::process::all_processes().expect("/proc").flatten();
    let stats = processes.filter_map(|process| process.stat().ok());
    stats.filter(|stat| stat.pgrp == leader as i32 && stat.state != 'Z').map(|stat| stat.pid).collect()
}

fn start(reference: &Reference, cpus: &[usize]) -> Server {
    let launch = Launch { cpus: Some(cpus.to_vec()), ..reference.launch() };
    launch.start().unwrap_or_else(|error| panic!("{}: {error:#}", reference.title()))
}

/// Protects the comparison: the same 13 bytes, the same file, and a connection that lives as long as the
/// client wants; then the machine: nothing is left behind.
#[test]
fn a_reference_answers_as_the_stages_do_and_leaves_nothing() {
    let root = tempfile::tempdir().expect("a temporary directory");
    // More than a socket's buffer takes at once.
    let large: Vec<u8> = (0..3_000_000_u32).map(|byte| byte as u8).collect();
    std::fs::write(root.path().join("large.bin"), &large).expect("a file");
    std::fs::write(root.path().join("file13.txt"), "Hello, Files!").expect("a file");
    std::fs::write(root.path().join("index.html"), "not the greeting").expect("a file");
    for reference in installed() {
        let reference = reference.with_root(root.path()).expect("a root");
        let server = start(&reference, &[0]);
        let pid = server.pid() as u32;
        let mut client = Client::connect(server.addr);
        for _ in 0..2000 {
            assert_eq!(client.get("/"), (200, b"Hello, World!".to_vec()), "{}", reference.title());
        }
        assert_eq!(client.get("/file13.txt"), (200, b"Hello, Files!".to_vec()));
        assert!(client.get("/large.bin") == (200, large.clone()), "{}: the file differs", reference.title());
        assert_eq!(client.get("/missing").0, 404);
        drop(client);
        assert!(server.stop().expect("it stops").success(), "{}", reference.title());
        assert!(ends(pid), "{}: {:?} are left", reference.title(), group(pid));
    }
}

/// Protects the wiring of a run without a document root, and several servers beside each other.
#[test]
fn two_of_a_kind_run_on_ports_of_their_own() {
    for reference in installed() {
        let servers = [start(&reference, &[0]), start(&reference, &[0])];
        assert_ne!(servers[0].addr, servers[1].addr);
        for server in servers {
            assert_eq!(Client::connect(server.addr).get("/"), (200, b"Hello, World!".to_vec()));
            assert_eq!(Client::connect(server.addr).get("/file13.txt").0, 404);
            assert!(server.stop().expect("it stops").success());
        }
    }
}

/// Protects the machine from a harness that is killed: it can run no code then, and a worker of nginx would
/// serve on without its master.
#[test]
fn nothing_is_left_when_the_harness_is_killed() {
    // Where the killed one leaves the private directory.
    let temporary = tempfile::tempdir().expect("a temporary directory");
    for reference in installed() {
        let mut harness = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "the_harness_that_is_killed", "--ignored", "--nocapture"])
            .env("REFERENCE", reference.name.as_str())
            .env("TMPDIR", temporary.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test starts");
        let mut lines = BufReader::new(harness.stdout.take().expect("a pipe")).lines();
        let pid = lines.find_map(|line| line.ok()?.split("server=").nth(1)?.parse::<u32>().ok());
        let pid = pid.expect("the other process says what it has started");
        assert!(!group(pid).is_empty(), "it runs");
        harness.kill().expect("our own child");
        harness.wait().expect("our own child");
        assert!(ends(pid), "{}: {:?} are left", reference.title(), group(pid));
    }
}

/// The other process of the test above.
#[test]
#[ignore = "started by nothing_is_left_when_the_harness_is_killed"]
fn the_harness_that_is_killed() {
    let name = std::env::var("REFERENCE")
        .ok()
        .and_then(|name| Name::ALL.into_iter().find(|known| known.as_str() == name));
    let Some(reference) = name.and_then(|name| name.find().ok()) else { return };
    let cpus: Vec<usize> = (0..std::thread::available_parallelism().map_or(1, |cpus| cpus.get())).collect();
    let server = start(&reference, &cpus);
    println!("\nserver={}", server.pid());
    std::thread::sleep(LIMIT * 10);
    drop(server);
}
