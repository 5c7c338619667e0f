//! What this stage adds, seen from outside, beyond what the probes ask of all stages.

#[path = "../../10-reuseport-shards/tests/common/mod.rs"]
mod common;

use common::{PATIENCE, Server, get, status};
use io_uring_proactor::proactor::Proactor;
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread::sleep;
use std::time::{Duration, Instant};

const STAGE: &str = env!("CARGO_BIN_EXE_stage-11");

/// Where the kernel forbids io_uring there is nothing to test: the stage says so and exits.
fn is_allowed() -> bool {
    match Proactor::new() {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::Unsupported, "{error}");
            false
        }
    }
}

#[test]
fn a_shard_that_cannot_start_ends_the_server() {
    if is_allowed() {
        common::a_shard_that_cannot_start_ends_the_server(STAGE);
    }
}

#[test]
fn early_clients_do_no_harm_to_a_shard() {
    if is_allowed() {
        common::early_clients_do_no_harm_to_a_shard(STAGE);
    }
}

/// Everybody's bytes arrive in time, while a job holds up the loop for longer than anybody may be silent. There are more of
/// them than the kernel completes in one call.
#[test]
fn what_arrived_in_time_is_not_late_because_the_loop_was_busy() {
    if !is_allowed() {
        return;
    }
    let options = ["--workers", "1", "--idle-timeout", "2", "--header-timeout", "2"];
    let server = Server::start(STAGE, &options);
    let (head, rest) = ("GET / HTTP/1.1\r\n", "Host: x\r\n\r\n");
    let mut peers: Vec<_> = (0..100).map(|_| server.ask(head)).collect();
    sleep(Duration::from_millis(200));
    let _busy = server.ask(&get("/sleep/4000"));
    sleep(Duration::from_millis(300));
    peers.iter_mut().for_each(|peer| peer.write_all(rest.as_bytes()).unwrap());
    let statuses: Vec<u16> = peers.iter_mut().map(status).collect();
    assert!(statuses.iter().all(|&status| status == 200), "{statuses:?}");
}

/// There are more requests than buffers: receives that found none are asked for again, and so they must be after SIGTERM.
#[test]
fn whoever_was_accepted_before_the_end_is_answered() {
    if !is_allowed() {
        return;
    }
    let server = Server::start(STAGE, &["--workers", "1"]);
    assert_eq!(status(&mut server.ask(&get("/"))), 200);
    server.freeze();
    let mut peers: Vec<_> = (0..300).map(|_| server.ask(&get("/"))).collect();
    server.signal(Signal::SIGTERM);
    server.signal(Signal::SIGCONT);
    let statuses: Vec<u16> = peers.iter_mut().map(status).collect();
    assert!(statuses.iter().all(|&status| status == 200), "{statuses:?}");
    assert_eq!(server.end().0, Some(0));
}

/// The end of what the peer sends has come while the reply to its bad request was sent: nothing is to be waited for.
#[test]
fn a_peer_that_has_ended_is_not_lingered_for() {
    if !is_allowed() {
        return;
    }
    let server = Server::start(STAGE, &["--workers", "1"]);
    assert_eq!(status(&mut server.ask(&get("/"))), 200);
    server.freeze();
    let mut peers: Vec<_> = (0..20).map(|_| server.ask("GET / BAD\r\n\r\n")).collect();
    peers.iter().for_each(|peer| peer.shutdown(Shutdown::Write).unwrap());
    server.signal(Signal::SIGCONT);
    let mut reply = String::new();
    for peer in &mut peers {
        peer.read_to_string(&mut reply).expect("a reply and an end");
    }
    assert_eq!(reply.matches("HTTP/1.1 400").count(), peers.len());
    drop(peers);
    server.signal(Signal::SIGTERM);
    let (code, took, _) = server.end();
    assert_eq!(code, Some(0));
    // A lingering close lasts two seconds, and so does the drain.
    assert!(took < Duration::from_millis(1_500), "{took:?}");
}

/// Each thread that asked the kernel to accept has room for what the kernel brings; and a thread that nobody is dealt to keeps
/// no place from the others.
#[test]
fn no_more_are_served_than_the_limit_allows_and_no_fewer() {
    const MOST: usize = 2;
    if !is_allowed() {
        return;
    }
    for workers in ["1", "2", "8"] {
        let server = Server::start(STAGE, &["--workers", workers, "--max-connections", "2"]);
        let mut peers: Vec<_> = (0..40).map(|_| server.ask(&get("/"))).collect();
        peers.iter().for_each(|peer| peer.set_nonblocking(true).unwrap());
        let start = Instant::now();
        while !peers.is_empty() {
            assert!(start.elapsed() < PATIENCE, "{workers} workers: {} are not served", peers.len());
            // Those served keep their connections until here.
            let (served, waiting): (Vec<_>, Vec<_>) =
                peers.into_iter().partition(|peer| peer.peek(&mut [0]).is_ok());
            assert!(served.len() <= MOST, "{workers} workers serve {} at once", served.len());
            peers = waiting;
            drop(served);
            sleep(Duration::from_millis(30));
        }
    }
}
