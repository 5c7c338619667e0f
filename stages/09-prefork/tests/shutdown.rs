//! What the kernel had accepted before SIGTERM is answered.

mod server;

use nix::sys::signal::{Signal, kill, killpg};
use server::{Server, VARIANTS, state, wait_until};
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

const WAITING: usize = 20;

/// A server whose children all are stopped, so that what connects stays in the accept queues.
fn stopped(args: &[&str], workers: usize) -> (Server, Vec<TcpStream>) {
    let server = Server::start(args, workers);
    for &child in &server.children() {
        kill(child, Signal::SIGSTOP).expect("it is not reaped yet");
        wait_until("the child is stopped", || state(child) == "T");
    }
    let waiting = (0..WAITING).map(|_| server.request("/")).collect();
    (server, waiting)
}

fn answered(waiting: Vec<TcpStream>) -> usize {
    let is_answered = |mut stream: TcpStream| {
        let mut reply = String::new();
        stream.read_to_string(&mut reply).is_ok() && reply.ends_with("\r\n\r\nHello, World!")
    };
    waiting.into_iter().map(is_answered).filter(|&is_so| is_so).count()
}

/// Protects clients whose requests wait while all children are busy.
#[test]
fn the_children_answer_what_waits() {
    for args in VARIANTS {
        let (mut server, waiting) = stopped(args, 2);
        server.signal(Signal::SIGTERM);
        let children = server.children();
        children.iter().for_each(|&child| kill(child, Signal::SIGCONT).expect("it is not reaped yet"));
        assert_eq!(answered(waiting), WAITING, "{args:?}");
        assert_eq!(server.wait(), Some(0), "{args:?}");
        assert_eq!(server.group(), 0, "{args:?}");
    }
}

/// Protects clients that wait for a child which dies while the server stops.
#[test]
fn a_successor_answers_what_a_dead_child_left() {
    for args in VARIANTS {
        let (mut server, waiting) = stopped(args, 2);
        let children = server.children();
        server.signal(Signal::SIGTERM);
        children.iter().for_each(|&child| kill(child, Signal::SIGKILL).expect("it is not reaped yet"));
        assert_eq!(answered(waiting), WAITING, "{args:?}");
        assert_eq!(server.wait(), Some(0), "{args:?}");
        assert_eq!(server.group(), 0, "{args:?}");
    }
}

/// Protects those that wait when SIGTERM is sent to all processes at once (`systemd`, `timeout`): a child may
/// get it before its parent does.
#[test]
fn the_whole_group_is_told_to_stop() {
    for args in VARIANTS {
        let (mut server, waiting) = stopped(args, 2);
        let children = server.children();
        // Each child has the signal for itself alone, and closes its listener, before the parent gets one.
        for &child in &children {
            kill(child, Signal::SIGTERM).expect("it is not reaped yet");
        }
        server.signal(Signal::SIGSTOP);
        wait_until("the parent is stopped", || state(server.pid()) == "T");
        children.iter().for_each(|&child| kill(child, Signal::SIGCONT).expect("it is not reaped yet"));
        wait_until("the children have ended", || server.children().is_empty());
        server.signal(Signal::SIGTERM);
        server.signal(Signal::SIGCONT);
        assert_eq!(answered(waiting), WAITING, "{args:?}");
        assert_eq!(server.wait(), Some(0), "{args:?}");
    }
}

/// Protects the exit status and the two seconds: a child that never comes back is killed.
#[test]
fn a_child_that_hangs_is_killed() {
    let mut server = Server::start(VARIANTS[4], 2);
    let child = *server.children().first().expect("two");
    kill(child, Signal::SIGSTOP).expect("it is not reaped yet");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
    assert_eq!((server.group(), server.zombies()), (0, 0));
}

/// Protects an impatient user: the second signal ends all processes, inside a handler too.
#[test]
fn a_second_signal_ends_all_at_once() {
    let mut server = Server::start(VARIANTS[0], 2);
    let busy = server.request("/sleep/60000");
    let is_asleep =
        || busy.set_nonblocking(true).is_ok() && server.children().iter().any(|&child| in_handler(child));
    wait_until("a child is in the handler", is_asleep);
    server.signal(Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(100));
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(128 + 15));
    assert_eq!(server.group(), 0, "they are reaped before the parent ends");
    let _ = killpg(server.pid(), Signal::SIGKILL);
}

/// Whether a process is asleep in nanosleep(2) or clock_nanosleep(2).
fn in_handler(pid: nix::unistd::Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/wchan")).is_ok_and(|place| place.contains("nanosleep"))
}
