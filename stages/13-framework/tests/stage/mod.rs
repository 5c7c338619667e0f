//! A stage-13 for a test.

#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Long enough for a machine that has other things to do.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A running stage, killed when the test ends however it ends.
pub(crate) struct Stage {
    child: Child,
    pub(crate) address: String,
}

impl Stage {
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stage-13"));
        Self::of(command.args(["--addr", "127.0.0.1:0"]).args(options))
    }

    /// A program that announces its address as a stage does.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the stage starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the stage prints its first line");
        let address = line.trim_end().strip_prefix("listening on ").expect("the contract's first line");
        Self { child, address: address.to_owned() }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("the server listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout can be set");
        stream
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it; what it wrote to stderr.
    pub(crate) fn terminate(self) -> (ExitStatus, String) {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).expect("it runs");
        self.wait()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let mut text = String::new();
        self.child.stderr.take().expect("piped").read_to_string(&mut text).expect("text");
        (self.child.wait().expect("it ends"), text)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The children of a process that nobody has waited for.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let of =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks
        .flatten()
        .flat_map(|task| of(task).split_whitespace().flat_map(str::parse).collect::<Vec<_>>())
        .collect()
}

pub(crate) fn read_line(stream: &mut TcpStream) -> String {
    let mut line = String::new();
    // Unbuffered, so that nothing behind the line is lost.
    BufReader::with_capacity(1, stream).read_line(&mut line).expect("a line");
    line
}
