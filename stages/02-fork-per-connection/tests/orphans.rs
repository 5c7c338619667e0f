//! No child outlives its parent.

use fork_per_connection::children::end_with_parent;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid, write};
use std::fs;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write, pipe};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// In a forked child: says that it has come this far, and ends. All calls of the children here are
/// async-signal-safe, since the test has other threads.
fn say_and_exit(output: &PipeWriter) -> ! {
    let _ = write(output, b"!");
    // SAFETY: _exit(2) has no precondition.
    unsafe { libc::_exit(0) }
}

fn everything(mut input: PipeReader) -> Vec<u8> {
    let mut said = Vec::new();
    input.read_to_end(&mut said).expect("a pipe");
    said
}

/// The parent dies before the child can ask for its parent-death signal: the kernel will never send it.
#[test]
fn a_child_whose_parent_has_died_before_ends() {
    let (input, output) = pipe().expect("a pipe");
    // SAFETY: the children call only async-signal-safe functions.
    match unsafe { fork() }.expect("forked") {
        ForkResult::Parent { child } => drop(waitpid(child, None)),
        ForkResult::Child => {
            let parent = getpid();
            // SAFETY: as above.
            if let Ok(ForkResult::Child) = unsafe { fork() } {
                while getppid() == parent {
                    sleep(Duration::from_millis(1));
                }
                end_with_parent(parent);
                say_and_exit(&output);
            }
            // SAFETY: _exit(2) has no precondition.
            unsafe { libc::_exit(0) }
        }
    }
    drop(output);
    assert_eq!(everything(input), b"", "it went on");
}

#[test]
fn a_child_whose_parent_lives_goes_on() {
    let (input, output) = pipe().expect("a pipe");
    let parent = getpid();
    // SAFETY: as above.
    match unsafe { fork() }.expect("forked") {
        ForkResult::Parent { child } => drop(waitpid(child, None)),
        ForkResult::Child => {
            end_with_parent(parent);
            say_and_exit(&output)
        }
    }
    drop(output);
    assert_eq!(everything(input), b"!");
}

/// How many processes of a group run.
fn group_size(group: u32) -> usize {
    let is_in = |stat: String| {
        // pid (name) state ppid pgrp …
        let words: Vec<_> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        words.len() > 2 && words[0] != "Z" && words[2] == group.to_string()
    };
    let entries = fs::read_dir("/proc").expect("proc is mounted").flatten();
    entries
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter(|s| is_in(s.clone()))
        .count()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "not so after 20 s: {what}");
        sleep(Duration::from_millis(5));
    }
}

/// Silent, busy and stopped children alike.
#[test]
fn no_child_outlives_a_server_that_was_killed() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stage-02"));
    command.args(["--addr", "127.0.0.1:0"]).process_group(0).stdout(Stdio::piped());
    let mut server = command.spawn().expect("built by cargo");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("piped")).read_line(&mut line).expect("its first line");
    let addr = line.trim().strip_prefix("listening on ").expect("the contract");
    let mut clients: Vec<_> = (0..3).map(|_| TcpStream::connect(addr).expect("accepted")).collect();
    clients[0].write_all(b"GET /sleep/60000 HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    let group = server.id();
    wait_until("a child for each client", || group_size(group) == 4);
    // The last child is stopped, and must have come so far as to have asked for its end.
    clients[2].write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    assert!(clients[2].read(&mut [0; 512]).expect("a reply") > 0);
    let children = fs::read_to_string(format!("/proc/{group}/task/{group}/children")).expect("its children");
    let last = children.split_whitespace().next_back().expect("three").parse().expect("a pid");
    kill(Pid::from_raw(last), Signal::SIGSTOP).expect("it is there");
    server.kill().expect("it runs");
    server.wait().expect("it is ours");
    wait_until("no process of the group runs", || group_size(group) == 0);
}
