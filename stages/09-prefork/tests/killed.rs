//! A child that is killed takes its own connections with it and nothing else.

mod server;

use nix::sys::signal::{Signal, kill};
use server::{Server, VARIANTS, wait_until};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

const KILLS: usize = 30;

/// One connection, one request. A reply that is neither whole nor cut off fails the test.
fn ask(server: &Server) -> bool {
    let mut stream = TcpStream::connect(server.addr).expect("the listener is the parent's: it never closes");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    if stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").is_err() {
        return false;
    }
    let mut reply = String::new();
    match stream.read_to_string(&mut reply) {
        Ok(_) => reply.ends_with("\r\n\r\nHello, World!"),
        Err(error) => {
            let waited = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            assert!(!waited, "a connection that no child held was forgotten");
            false
        }
    }
}

/// There is one connection at a time, so a signal costs one at most; whatever waits in the queue goes to
/// another child, or to the successor.
fn a_signal_costs_what_the_child_held(args: &[&str], signal: Signal) {
    const CHILDREN: usize = 2;
    let server = Server::start(args, CHILDREN);
    let mut lost = 0;
    for round in 0..KILLS {
        for _ in 0..5 {
            lost += usize::from(!ask(&server));
        }
        if let Some(&child) = server.children().iter().nth(round % CHILDREN) {
            // The last one that was killed may have been listed as it went.
            let _ = kill(child, signal);
        }
        lost += usize::from(!ask(&server));
    }
    assert!(lost <= KILLS, "{lost} connections lost in {KILLS} kills");
    // A child that fails again and again is replaced after a pause.
    let is_whole = || server.children().len() == CHILDREN && server.zombies() == 0;
    wait_until("the dead are reaped and replaced", is_whole);
    assert!(ask(&server));
}

#[test]
fn notified() {
    a_signal_costs_what_the_child_held(VARIANTS[0], Signal::SIGKILL);
}

#[test]
fn shared() {
    a_signal_costs_what_the_child_held(VARIANTS[2], Signal::SIGKILL);
}

/// Here what waits on the dead child's own listener waits for its successor.
#[test]
fn dealt() {
    a_signal_costs_what_the_child_held(VARIANTS[4], Signal::SIGKILL);
}

/// Protects the others from an administrator who ends one child: it must not close the listener for all.
#[test]
fn one_child_is_told_to_stop() {
    for args in VARIANTS {
        a_signal_costs_what_the_child_held(args, Signal::SIGTERM);
    }
}

/// The only child is killed while it is busy and a connection waits: it was notified, and will never answer.
fn its_successor_serves_what_waited(server: &Server) {
    for round in 0..10 {
        let _busy = server.request("/sleep/3000");
        sleep(Duration::from_millis(50));
        let waiting: Vec<_> = (0..20).map(|_| TcpStream::connect(server.addr).expect("queued")).collect();
        // Somewhere around the death of the child, so that its end and the next connection meet in one
        // wake-up of the parent.
        let child = *server.children().first().expect("one child");
        kill(child, Signal::SIGKILL).expect("it is not reaped yet");
        drop(waiting);
        assert!(ask(server), "round {round}");
    }
}

#[test]
fn notified_and_killed() {
    its_successor_serves_what_waited(&Server::start(VARIANTS[0], 1));
}

/// Protects against a parent that takes one SIGCHLD for one child: signals do not queue, and both children
/// have ended before it can look.
#[test]
fn two_that_end_together_are_both_replaced() {
    const CHILDREN: usize = 2;
    let server = Server::start(VARIANTS[2], CHILDREN);
    server.signal(Signal::SIGSTOP);
    server.children().iter().for_each(|&child| kill(child, Signal::SIGKILL).expect("it is not reaped yet"));
    wait_until("both have ended", || server.children().is_empty());
    server.signal(Signal::SIGCONT);
    let is_whole = || server.children().len() == CHILDREN && server.zombies() == 0;
    wait_until("both are reaped and replaced", is_whole);
    assert!(ask(&server));
}

/// A shell may ignore SIGCHLD, and the reader of stderr may be gone.
#[test]
fn started_by_a_careless_shell() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' CHLD; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_stage-09")]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut server = Server::start_by(shell, VARIANTS[0], 1, Stdio::from(writer));
    its_successor_serves_what_waited(&server);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0), "a line that cannot be written is no failure");
}

/// Protects a machine from children that serve for ever after their parent was killed.
#[test]
fn no_child_outlives_its_parent() {
    for args in VARIANTS {
        let mut server = Server::start(args, 3);
        assert_eq!(server.group(), 4);
        // One is busy and one is stopped: both must go all the same.
        let _busy = server.request("/sleep/60000");
        kill(*server.children().first().expect("three"), Signal::SIGSTOP).expect("it is not reaped yet");
        server.signal(Signal::SIGKILL);
        assert_eq!(server.wait(), None, "killed");
        wait_until("no process of the group runs", || server.group() == 0);
    }
}
