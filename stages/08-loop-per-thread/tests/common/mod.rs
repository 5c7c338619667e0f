//! A running server, as its clients see it.

#![allow(dead_code, reason = "each test file uses its part of this one")]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

/// Long enough for a machine that has other things to do.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A running server, killed when the test ends however it ends.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stage-08"));
        command.args(["--addr", "127.0.0.1:0"]).args(options);
        Self::spawn(command)
    }

    /// With a limit, as an argument of the shell's `ulimit`; stderr is piped.
    pub(crate) fn start_with_limit(limit: &str, options: &[&str]) -> Self {
        let mut command = limited(limit, options);
        command.stderr(Stdio::piped());
        Self::spawn(command)
    }

    /// What a server that cannot start with this limit says. (One that could start would run until the test
    /// is killed.)
    pub(crate) fn output_with_limit(limit: &str, options: &[&str]) -> Output {
        limited(limit, options).output().expect("the stage starts")
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the stage starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the stage prints its first line");
        let address =
            line.trim_end().strip_prefix("listening on ").expect("the contract's first line").to_owned();
        Self { child, address }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("the server listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout can be set");
        stream
    }

    /// One request on a connection of its own; what came back.
    pub(crate) fn ask(&self, path: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request(path, true).as_bytes()).expect("the server reads");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("the server answers");
        reply
    }

    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.child.wait().expect("the stage ends")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("it runs");
    }
}

/// The server, under a limit.
fn limited(limit: &str, options: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit {limit} && exec \"$0\" --addr 127.0.0.1:0 \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_stage-08")]).args(options);
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn request(path: &str, last: bool) -> String {
    let connection = if last { "close" } else { "keep-alive" };
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\r\n")
}

/// Reads until this many replies of `GET /` have come.
pub(crate) fn read_hellos(stream: &mut TcpStream, count: usize) {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while text.matches("Hello, World!").count() < count {
        let length = stream.read(&mut buffer).expect("the server answers");
        assert!(length > 0, "it ended after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..length]).expect("text"));
    }
}

/// The lines of a log file.
pub(crate) fn lines(mut file: &File) -> Vec<String> {
    use std::io::{Seek, SeekFrom};
    file.seek(SeekFrom::Start(0)).expect("a file can be read again");
    let mut text = String::new();
    file.read_to_string(&mut text).expect("the log is text");
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is cut: {text:?}");
    text.lines().map(str::to_owned).collect()
}
