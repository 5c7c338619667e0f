//! A running server of stage 10 or 11, as its clients see it, and what both of them promise.

#![allow(dead_code, reason = "each stage uses its part of this")]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Long enough for a machine that has other things to do.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A running server, killed when the test ends however it ends.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    pub(crate) fn start(binary: &str, options: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command.args(["--addr", "127.0.0.1:0"]).args(options);
        Self::spawn(command)
    }

    /// With no more than this many descriptors.
    pub(crate) fn start_with_descriptors(binary: &str, limit: u32, options: &[&str]) -> Self {
        let script = format!("ulimit -n {limit} && exec \"$0\" --addr 127.0.0.1:0 \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, binary]).args(options);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the stage starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the stage prints its first line");
        // Without descriptors it may end before it listens.
        let address = line.trim_end().trim_start_matches("listening on ").to_owned();
        Self { child, address }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("the server listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout can be set");
        stream
    }

    /// A connection with a request on it.
    pub(crate) fn ask(&self, request: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("there is room for a request");
        stream
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("it runs");
    }

    /// Stops it until it gets a SIGCONT. One that comes before all threads have stopped would undo it.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        while self.threads("T") == 0 || self.threads("S") + self.threads("R") > 0 {
            sleep(Duration::from_millis(1));
        }
    }

    /// How many of its threads are in this state: `S` is asleep, `T` stopped (proc_pid_stat(5)).
    pub(crate) fn threads(&self, state: &str) -> usize {
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.child.id())) else { return 0 };
        // pid (name) state …
        let stats = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
        stats.filter(|stat| stat.contains(&format!(") {state} "))).count()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is ours").is_some()
    }

    /// Waits until it has ended: its exit status, how long that took, and what it said on stderr.
    pub(crate) fn end(mut self) -> (Option<i32>, Duration, String) {
        let start = Instant::now();
        while !self.has_ended() {
            assert!(start.elapsed() < LIMIT, "it does not end");
            sleep(Duration::from_millis(5));
        }
        let took = start.elapsed();
        let mut said = String::new();
        self.child.stderr.take().expect("stderr is piped").read_to_string(&mut said).expect("text");
        (self.child.wait().expect("it has ended").code(), took, said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

/// The status of the next reply; 0 if none comes.
pub(crate) fn status(stream: &mut TcpStream) -> u16 {
    let mut head = [0; 12];
    match stream.read_exact(&mut head) {
        Ok(()) => String::from_utf8_lossy(&head[9..]).parse().unwrap_or(0),
        Err(_) => 0,
    }
}

/// All shards serve, or the server says why not and ends: with any number of descriptors.
pub(crate) fn a_shard_that_cannot_start_ends_the_server(binary: &str) {
    const WORKERS: usize = 8;
    let mut codes = Vec::new();
    // From too few for the listeners to more than enough.
    for limit in 8..=28 {
        let mut server = Server::start_with_descriptors(binary, limit, &["--workers", &WORKERS.to_string()]);
        let start = Instant::now();
        let mut looks = 0;
        // Whole at two looks: one may have seen the last of them fall.
        while looks < 2 && !server.has_ended() {
            assert!(start.elapsed() < LIMIT, "{limit} descriptors: a thread is missing");
            looks = if server.threads("S") == WORKERS + 1 { looks + 1 } else { 0 };
            sleep(Duration::from_millis(10));
        }
        let is_whole = !server.has_ended();
        if is_whole {
            server.signal(Signal::SIGTERM);
        }
        let (code, _, said) = server.end();
        assert_eq!(code, Some(i32::from(!is_whole)), "{limit} descriptors: {said:?}");
        assert!(is_whole || said.starts_with("error: "), "{limit} descriptors: {said:?}");
        codes.push(code);
    }
    assert!(codes.contains(&Some(0)) && codes.contains(&Some(1)), "both must have been seen: {codes:?}");
}

/// Protects downloads and restarts: a client that goes on sending still gets all of a reply that the kernel
/// holds for it, and one that has it all and stays does not keep the server running.
pub(crate) fn a_large_reply_arrives_whole_and_delays_the_end_no_longer(binary: &str) {
    const LARGE: usize = 400_000;
    for goes_on in [true, false] {
        let server = Server::start(binary, &["--workers", "1"]);
        let mut stream = server.ask(&get(&format!("/bytes/{LARGE}")));
        let (mut received, mut buffer) = (0, vec![0; 16 * 1024]);
        if goes_on {
            // The rest is in the server's send buffer by then. If it is not, the test passes nevertheless.
            sleep(Duration::from_millis(200));
        }
        while !goes_on && received < LARGE {
            received += stream.read(&mut buffer).expect("more of the reply");
        }
        server.signal(Signal::SIGTERM);
        for _ in 0..if goes_on { 20 } else { 0 } {
            // It fails once the server has reset the connection.
            let _ = stream.write_all(get("/").as_bytes());
            sleep(Duration::from_millis(5));
        }
        // What follows the reply may be a reset, since more was sent.
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            received += count;
        }
        assert!(received > LARGE, "{received} bytes");
        let (code, took, _) = server.end();
        assert_eq!(code, Some(0));
        // The drain lasts two seconds.
        assert!(took < Duration::from_millis(1_500), "{took:?}");
    }
}

/// A client that waits at the limit when the server is told to stop is answered, though a download that does
/// not end keeps its place.
pub(crate) fn a_stalled_download_keeps_no_client_out_at_the_end(binary: &str) {
    let server = Server::start(binary, &["--workers", "1", "--max-connections", "1"]);
    let mut stalled = server.ask(&get("/bytes/100000000"));
    assert_eq!(status(&mut stalled), 200);
    let mut waiting = server.ask(&get("/"));
    sleep(Duration::from_millis(100));
    assert!(waiting.set_nonblocking(true).is_ok() && waiting.peek(&mut [0]).is_err(), "there is no room");
    waiting.set_nonblocking(false).expect("it is open");
    server.signal(Signal::SIGTERM);
    assert_eq!(status(&mut waiting), 200);
    assert_eq!(server.end().0, Some(0));
}

/// A client that connects as soon as the server listens takes no descriptor that a shard still needs.
pub(crate) fn early_clients_do_no_harm_to_a_shard(binary: &str) {
    for _ in 0..15 {
        let server = Server::start_with_descriptors(binary, 40, &["--workers", "2"]);
        let early: Vec<_> = (0..100).map(|_| server.connect()).collect();
        let start = Instant::now();
        while server.threads("S") < 3 {
            assert!(start.elapsed() < LIMIT, "a shard is missing");
            sleep(Duration::from_millis(10));
        }
        drop(early);
        server.signal(Signal::SIGTERM);
        let (code, _, said) = server.end();
        assert_eq!((code, said.as_str()), (Some(0), ""));
    }
}
