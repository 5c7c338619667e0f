//! What this stage adds, seen from outside, beyond what the probes ask of all stages.

#[path = "../../10-reuseport-shards/tests/common/mod.rs"]
mod common;

use clap::Parser;
use common::{LIMIT, Server, get, status};
use io_uring_proactor::buffers::Buffers;
use io_uring_proactor::features::Features;
use io_uring_proactor::piece;
use io_uring_proactor::proactor::Proactor;
use nix::sys::signal::Signal;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

const STAGE: &str = env!("CARGO_BIN_EXE_stage-11");

/// Where the kernel forbids io_uring there is nothing to test: the stage says so and exits.
fn is_allowed() -> bool {
    match Proactor::new(Features::default()) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::Unsupported, "{error}");
            false
        }
    }
}

/// Whether this kernel is new enough for these options of the stage.
fn kernel_has(switch: &[&str]) -> bool {
    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        features: Features,
        #[arg(long)]
        max_connections: Option<usize>,
    }
    let options = Options::parse_from(["stage"].iter().chain(switch));
    let made = Proactor::new(options.features).and_then(|proactor| {
        let buffers = Buffers::register(&proactor)?;
        buffers.unregister(&proactor)
    });
    match made {
        Ok(()) => true,
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

#[test]
fn a_large_reply_arrives_whole_and_delays_the_end_no_longer() {
    if is_allowed() {
        common::a_large_reply_arrives_whole_and_delays_the_end_no_longer(STAGE);
    }
}

#[test]
fn a_stalled_download_keeps_no_client_out_at_the_end() {
    if is_allowed() {
        common::a_stalled_download_keeps_no_client_out_at_the_end(STAGE);
    }
}

/// The bytes of all clients arrive in time, while a job holds up the loop for longer than a client may be
/// silent. There are more of them than the kernel completes in one call.
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

/// Protects the contract of the shutdown: requests that wait in the accept queue while the loop is busy are
/// answered. There are more of them than provided buffers, so some receives find none and are submitted anew;
/// and more than the limit allows.
#[test]
fn what_the_kernel_had_accepted_before_the_signal_is_answered() {
    if !is_allowed() {
        return;
    }
    for (limit, switch) in [
        ("1000000", None),
        ("1000", None),
        ("50", None),
        ("1000000", Some("--direct")),
        ("50", Some("--direct")),
    ] {
        if !kernel_has(switch.as_slice()) {
            continue;
        }
        let options = ["--workers", "1", "--max-connections", limit];
        let server = Server::start(STAGE, &[&options[..], switch.as_slice()].concat());
        assert_eq!(status(&mut server.ask(&get("/"))), 200);
        let mut busy = server.ask(&get("/sleep/500"));
        sleep(Duration::from_millis(100));
        let mut peers: Vec<_> = (0..300).map(|_| server.ask(&get("/"))).collect();
        server.signal(Signal::SIGTERM);
        assert_eq!(status(&mut busy), 200);
        // Each is closed then, as by a client that was told so: another one takes its permit.
        let statuses: Vec<u16> = peers.drain(..).map(|mut peer| status(&mut peer)).collect();
        assert!(statuses.iter().all(|&status| status == 200), "limit {limit}, {switch:?}: {statuses:?}");
        assert_eq!(server.end().0, Some(0));
    }
}

/// Protects clients that wait for nothing from having to wait for one that downloads.
#[test]
fn an_idle_connection_is_closed_at_once_though_another_has_a_reply_in_flight() {
    if !is_allowed() {
        return;
    }
    let server = Server::start(STAGE, &["--workers", "1"]);
    let _stalled = server.ask(&get("/bytes/100000000"));
    let mut idle = server.ask(&get("/"));
    assert_eq!(status(&mut idle), 200);
    let start = Instant::now();
    server.signal(Signal::SIGTERM);
    idle.read_to_string(&mut String::new()).expect("the rest of the reply and an end");
    let took = start.elapsed();
    // The drain of the stalled one lasts two seconds.
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    assert_eq!(server.end().0, Some(0));
}

/// Protects a slow client: the kernel has its reply, so no send completes for longer than the idle timeout,
/// but the client takes some of it all the time. One that takes nothing is given up. So it is where the
/// socket has no descriptor to ask, and where the kernel reads the bytes until they are acknowledged.
#[test]
fn a_peer_that_takes_its_reply_slowly_is_not_late_and_one_that_takes_nothing_is() {
    const LENGTH: u64 = 50_000_000;
    if !is_allowed() {
        return;
    }
    let switches: [&[&str]; 3] = [&[], &["--direct"], &["--zero-copy", "1"]];
    let each = switches.into_iter().filter(|switch| kernel_has(switch)).map(|switch| {
        let server = Server::start(STAGE, &[&["--workers", "1", "--idle-timeout", "2"], switch].concat());
        let [slow, stalled] = [(); 2].map(|()| server.ask(&get(&format!("/bytes/{LENGTH}"))));
        (switch, server, slow, stalled, 0)
    });
    let mut each: Vec<_> = each.collect();
    for _ in 0..16 {
        sleep(Duration::from_millis(500));
        for (switch, _, slow, _, taken) in &mut each {
            *taken += slow.read(&mut vec![0; 200_000]).unwrap_or_else(|error| panic!("{switch:?}: {error}"));
        }
    }
    for (switch, server, slow, mut stalled, taken) in each {
        let rest = std::io::copy(&mut slow.take(LENGTH - taken as u64), &mut std::io::sink());
        assert_eq!(taken as u64 + rest.unwrap(), LENGTH, "{switch:?}");
        // What the kernels held of it has arrived, then an end or a reset.
        let mut rest = Vec::new();
        let _ = stalled.read_to_end(&mut rest);
        assert!((rest.len() as u64) < LENGTH, "{switch:?}: it was not given up");
        // And the kernel has let go of its bytes: else the server would wait for it.
        server.signal(Signal::SIGTERM);
        let (code, took, _) = server.end();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_millis(1_500), "{switch:?}: {took:?}");
    }
}

/// Protects the server's memory from a client that sends requests and reads no reply. A receive that is armed
/// goes on whatever the session has to do, so it must be cancelled: then the client finds no room to write.
#[test]
fn a_peer_that_takes_no_reply_is_not_received_from_for_ever() {
    // The kernels hold some MiB of it on both sides, and the provided buffers two.
    const MAX: usize = 64 * 1024 * 1024;
    if !is_allowed() {
        return;
    }
    let server = Server::start(STAGE, &["--workers", "1"]);
    let requests = get("/bytes/4000").repeat(1_000);
    let mut stream = server.connect();
    stream.set_write_timeout(Some(Duration::from_secs(2))).expect("a timeout can be set");
    let mut sent = 0;
    let refused = loop {
        match stream.write(requests.as_bytes()) {
            // What is sent need not be whole requests: the server has stopped parsing long before.
            // Slowly: a client that fills all the provided buffers at once ends the receive by that.
            Ok(count) if sent < MAX => {
                sent += count;
                sleep(Duration::from_millis(1));
            }
            outcome => break outcome.is_err(),
        }
    };
    assert!(refused, "{sent} bytes were taken");
}

/// Protects the bytes of a file, which is sent piece by piece, and the order of what was asked for behind it.
#[test]
fn files_arrive_whole_and_in_order() {
    if !is_allowed() {
        return;
    }
    let path = Path::new(STAGE);
    let file = fs::read(path).expect("the binary can be read");
    assert!(file.len() > 4 * piece::LENGTH, "more than some pieces");
    let server =
        Server::start(STAGE, &["--workers", "1", "--root", path.parent().unwrap().to_str().expect("UTF-8")]);
    let ask = get("/stage-11");
    let mut peer = server.ask(&format!("{ask}{}{ask}", get("/bytes/5")));
    peer.shutdown(Shutdown::Write).unwrap();
    let mut all = Vec::new();
    peer.read_to_end(&mut all).expect("three replies and an end");
    let bodies = |wanted: &[u8]| all.windows(wanted.len()).filter(|window| *window == wanted).count();
    assert_eq!(bodies(b"\r\n\r\n01234HTTP/1.1 200"), 1);
    let head = all.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    assert!(all[head..].starts_with(&file), "the first file");
    assert!(all.ends_with(&file) && all.len() > 2 * file.len(), "the second file");
}

/// The end of what the peer sends has come while the reply to its bad request was sent: there is nothing to
/// linger for.
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

/// Each thread has a permit for the connection that it accepts; and a thread to which the kernel deals none
/// keeps no permit from the others.
#[test]
fn no_more_are_served_than_the_limit_allows_and_no_fewer() {
    const MAX: usize = 2;
    if !is_allowed() {
        return;
    }
    for workers in ["1", "2", "8"] {
        let server = Server::start(STAGE, &["--workers", workers, "--max-connections", "2"]);
        let mut peers: Vec<_> = (0..40).map(|_| server.ask(&get("/"))).collect();
        peers.iter().for_each(|peer| peer.set_nonblocking(true).unwrap());
        let start = Instant::now();
        while !peers.is_empty() {
            assert!(start.elapsed() < LIMIT, "{workers} workers: {} are not served", peers.len());
            // Those served keep their connections until here.
            let (served, waiting): (Vec<_>, Vec<_>) =
                peers.into_iter().partition(|peer| peer.peek(&mut [0]).is_ok());
            assert!(served.len() <= MAX, "{workers} workers serve {} at once", served.len());
            peers = waiting;
            drop(served);
            sleep(Duration::from_millis(30));
        }
    }
}

/// Protects the comparison of the features: with each of them switched every byte is the same, from the first
/// request to the end of a long reply, in both directions, for clients one after another and at once. What
/// this kernel lacks ends the server with the status that says so.
#[test]
fn every_feature_can_be_switched_and_the_bytes_are_the_same() {
    if !is_allowed() {
        return;
    }
    for switch in [
        &["--accept-once"][..],
        &["--receive-once"],
        &["--own-buffers"],
        &["--interrupt"],
        &["--sqpoll", "10"],
        &["--zero-copy", "1"],
        &["--min-wait", "50"],
        &["--accept-once", "--own-buffers", "--zero-copy", "1000", "--interrupt"],
        &["--bundles"],
        &["--bundles", "--receive-once"],
        &["--incremental"],
        &["--incremental", "--receive-once"],
        &["--direct"],
        &["--direct", "--accept-once", "--own-buffers"],
        &["--direct", "--max-connections", "8"],
        &["--zero-copy", "1", "--registered-buffers"],
    ] {
        if !kernel_has(switch) {
            continue;
        }
        let server = Server::start(STAGE, &[&["--workers", "1"], switch].concat());
        let upload: String = (0..100_000).map(|at| char::from(b'a' + (at % 23) as u8)).collect();
        let echo =
            format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{upload}", upload.len());
        let mut peers: Vec<_> = (0..8).map(|_| server.ask(&get("/bytes/3000000"))).collect();
        for peer in &mut peers {
            // The reply to the second request comes behind the first one, and the third ends the connection.
            peer.write_all(echo.as_bytes()).expect("the server reads");
            peer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                .expect("the server reads");
        }
        for peer in &mut peers {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).expect("three replies and an end");
            let text = String::from_utf8(all).expect("text");
            assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{switch:?}");
            let long = text.split("\r\n\r\n").nth(1).and_then(|rest| rest.split("HTTP/1.1 200").next());
            assert_eq!(long.map(str::len), Some(3_000_000), "{switch:?}");
            assert!(text.contains(&upload) && text.ends_with("Hello, World!"), "{switch:?}");
        }
        drop(peers);
        server.signal(Signal::SIGTERM);
        assert_eq!(server.end().0, Some(0), "{switch:?}");
    }
}
