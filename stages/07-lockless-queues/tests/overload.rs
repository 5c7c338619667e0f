//! `--overload`: who is served when more requests come than can be, and that nobody is left without an
//! answer.

#![cfg(not(loom))]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server with one worker, killed when the test ends however it ends.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(policy: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stage-07"));
        let mut child = command
            .args(["--addr", "127.0.0.1:0", "--workers", "1", "--overload", policy])
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

    fn client(&self) -> Client {
        let stream = TcpStream::connect(&self.address).expect("the server accepts");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
        Client { stream }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client {
    stream: TcpStream,
}

impl Client {
    fn send(&mut self, path: &str) {
        write!(self.stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").expect("the server reads");
        // Each is queued before the next one is sent, and the first one is taken out by the worker.
        std::thread::sleep(Duration::from_millis(100));
    }

    /// The status of the next reply.
    fn status(&mut self) -> u16 {
        let mut reply = Vec::new();
        let mut byte = [0];
        while !reply.ends_with(b"\r\n\r\n") {
            self.stream.read_exact(&mut byte).expect("the server answers");
            reply.push(byte[0]);
        }
        let head = String::from_utf8(reply).expect("a head is text");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
        let mut body = vec![0; length.parse().expect("a number")];
        self.stream.read_exact(&mut body).expect("the body follows");
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }
}

/// The statuses of so many clients; each sends one request while those before it are unanswered.
fn statuses(policy: &str, paths: &[&str]) -> Vec<u16> {
    let server = Server::start(policy);
    let mut clients: Vec<Client> = paths.iter().map(|_| server.client()).collect();
    clients.iter_mut().zip(paths).for_each(|(client, path)| client.send(path));
    let statuses = clients.iter_mut().map(Client::status).collect();
    // Whoever was refused keeps a connection that works.
    for client in &mut clients {
        client.send("/");
        assert_eq!(client.status(), 200, "{policy}");
    }
    statuses
}

/// One request is with the worker, two wait, the others are refused at once: before the worker has time for
/// anybody.
#[test]
fn a_bounded_queue_refuses_what_it_has_no_room_for() {
    let server = Server::start("bounded:2");
    let mut clients: Vec<Client> = (0..5).map(|_| server.client()).collect();
    clients.iter_mut().for_each(|client| client.send("/sleep/3000"));
    let last: Vec<u16> = clients[3..].iter_mut().map(Client::status).collect();
    assert_eq!(last, [503, 503]);
    let first: Vec<u16> = clients[..3].iter_mut().map(Client::status).collect();
    assert_eq!(first, [200; 3]);
}

/// Both requests behind the first one wait longer than 50 ms for the worker.
#[test]
fn a_request_that_has_waited_too_long_is_refused_when_its_turn_comes() {
    assert_eq!(statuses("by-age:50", &["/sleep/1000", "/sleep/10", "/spin/10"]), [200, 503, 503]);
    assert_eq!(statuses("by-age:60000", &["/sleep/300", "/sleep/10", "/spin/10"]), [200; 3]);
}

#[test]
fn the_other_policies_refuse_nobody() {
    for policy in ["unbounded", "lifo", "bounded:9"] {
        assert_eq!(statuses(policy, &["/sleep/300", "/sleep/10", "/spin/10", "/"]), [200; 4], "{policy}");
    }
}

/// While the worker sleeps, first an older and then a newer request come; the newer one is served first.
#[test]
fn the_newest_is_served_first() {
    // Whether the older one is still without a reply when the newer one has its own.
    let is_newer_first = |policy: &str| {
        let server = Server::start(policy);
        let [mut first, mut older, mut newer] = [(); 3].map(|()| server.client());
        first.send("/sleep/1000");
        older.send("/sleep/1000");
        newer.send("/sleep/1000");
        assert_eq!(newer.status(), 200);
        older.stream.set_nonblocking(true).expect("it can be set");
        older.stream.peek(&mut [0]).is_err()
    };
    assert!(is_newer_first("lifo"));
    assert!(!is_newer_first("unbounded"));
}

#[test]
fn a_policy_and_a_queue_exclude_each_other() {
    for more in [["--queue", "ring"], ["--dispatch", "by-descriptor"], ["--overload", "sometimes"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stage-07"));
        if more[0] != "--overload" {
            command.args(["--overload", "lifo"]);
        }
        let output = command.args(more).output().expect("the stage starts");
        let line = String::from_utf8(output.stderr).expect("text");
        assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
        assert!(line.contains("--overload") || line.contains("bounded:N"), "{line}");
    }
}
