//! A running server of stages 01 to 03, and what all of them promise when they are told to stop.

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
const LIMIT: Duration = Duration::from_secs(20);

/// A running server, killed when the test ends however it ends.
pub(crate) struct Server {
    pub(crate) child: Child,
    addr: String,
}

impl Server {
    pub(crate) fn start(binary: &str, options: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command.args(["--addr", "127.0.0.1:0", "--protocol", "http"]).args(options).stdout(Stdio::piped());
        let mut child = command.spawn().expect("built by cargo");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("its first line");
        let addr = line.trim().strip_prefix("listening on ").expect("the contract").to_owned();
        Self { child, addr }
    }

    /// A connection with a request on it.
    pub(crate) fn ask(&self, path: &str, header: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.addr).expect("the listener is open");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        stream.write_all(request(path, header).as_bytes()).expect("it fits into the socket");
        stream
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("it is not reaped yet");
    }

    /// Stops all of its threads until it gets a SIGCONT.
    fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let start = Instant::now();
        while !self.is_frozen() {
            assert!(start.elapsed() < LIMIT, "it does not stop");
            sleep(Duration::from_millis(1));
        }
    }

    fn is_frozen(&self) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        // pid (name) state … (proc_pid_stat(5))
        let stats = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
        stats.into_iter().all(|stat| stat.contains(") T "))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn request(path: &str, header: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n")
}

/// Protects the clients of a server that is replaced: requests on connections that are served, and on those
/// that wait, were sent before the signal, while all threads of the server were busy with something else.
pub(crate) fn what_was_sent_before_the_signal_is_answered(binary: &str, served: usize) {
    let mut server = Server::start(binary, &[]);
    let mut streams: Vec<_> = (0..served).map(|_| server.ask("/", "")).collect();
    for stream in &mut streams {
        assert!(stream.read(&mut [0; 1024]).expect("a reply") > 0);
    }
    server.freeze();
    for stream in &mut streams {
        stream.write_all(request("/", "").as_bytes()).expect("it fits into the socket");
    }
    streams.extend((0..40).map(|_| server.ask("/", "")));
    server.signal(Signal::SIGTERM);
    server.signal(Signal::SIGCONT);
    for (number, stream) in streams.iter_mut().enumerate() {
        let mut reply = String::new();
        stream
            .read_to_string(&mut reply)
            .unwrap_or_else(|error| panic!("{binary}, client {number}: {error}"));
        assert!(reply.ends_with("\r\n\r\nHello, World!"), "{binary}, client {number}: {reply:?}");
    }
    assert_eq!(server.child.wait().expect("it is ours").code(), Some(0));
}
