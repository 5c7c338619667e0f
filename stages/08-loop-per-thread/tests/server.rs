//! What this stage adds, seen from outside, beyond what the probes ask of all stages.

mod common;

use common::{LIMIT, Server, read_hellos, request};
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// More clients than descriptors: those that cannot be served see an *end*, not a reset and not silence; and
/// when the others have gone, the server serves again.
#[test]
fn clients_that_come_when_descriptors_have_run_out_are_shed_and_the_server_recovers() {
    let server = Server::start_with_limit("-n 40", &["--workers", "2"]);
    let mut holders = Vec::new();
    // Until one is not served: there is no descriptor left.
    loop {
        let mut holder = server.connect();
        // It may be closed before this.
        let _ = holder.write_all(request("/", false).as_bytes());
        if !matches!(holder.read(&mut [0; 1]), Ok(1)) {
            break;
        }
        holders.push(holder);
        assert!(holders.len() < 40, "more connections than descriptors");
    }
    assert!(holders.len() >= 10, "only {} were served", holders.len());
    // Their requests are there when the server looks: a close that left them unread would be a reset.
    server.signal(Signal::SIGSTOP);
    let late: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(request("/", false).as_bytes()).unwrap();
            stream
        })
        .collect();
    server.signal(Signal::SIGCONT);
    for mut stream in late {
        assert_eq!(stream.read(&mut [0; 1]).expect("an end"), 0);
    }
    drop(holders);
    // The server learns of their end a moment later.
    let start = Instant::now();
    let is_served = || {
        let mut stream = server.connect();
        let _ = stream.write_all(request("/", true).as_bytes());
        let mut reply = String::new();
        let _ = stream.read_to_string(&mut reply);
        reply.ends_with("Hello, World!")
    };
    while !is_served() {
        assert!(start.elapsed() < LIMIT, "it does not recover");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Source 003 takes a read of 0 for the end of the connection. It is the end of the peer's *requests*: all of
/// them are answered, on whichever loop.
#[test]
fn a_half_close_ends_the_requests_and_not_the_replies() {
    let server = Server::start(&["--workers", "3"]);
    for _ in 0..6 {
        let mut stream = server.connect();
        let requests = [request("/", false), request("/bytes/1000000", false), request("/", false)].concat();
        stream.write_all(requests.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut replies = Vec::new();
        stream.read_to_end(&mut replies).unwrap();
        assert!(replies.ends_with(b"Hello, World!"));
        assert!(replies.len() > 1_000_000 + 3 * 100, "{} bytes", replies.len());
    }
}

/// Whatever keeps the timers and whatever wakes the loop: a silent connection is closed at its time, and one
/// that asks now and then, each time after its timer was armed, is not.
#[test]
fn silence_ends_a_connection_and_requests_keep_it_whatever_the_timers() {
    let servers: Vec<Server> = ["heap", "tree", "wheel"]
        .into_iter()
        .flat_map(|timers| ["epoll", "timerfd"].map(|source| (timers, source)))
        .map(|(timers, source)| {
            let options =
                ["--timers", timers, "--timer-source", source, "--idle-timeout", "1.5", "--workers", "2"];
            Server::start(&options)
        })
        .collect();
    thread::scope(|scope| {
        for server in &servers {
            scope.spawn(|| {
                let mut silent = server.connect();
                let start = Instant::now();
                assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0);
                // The kernel's clock is a tick coarse.
                assert!(start.elapsed() >= Duration::from_millis(1_450), "{:?}", start.elapsed());
            });
            scope.spawn(|| {
                let mut asks = server.connect();
                for _ in 0..8 {
                    asks.write_all(request("/", false).as_bytes()).unwrap();
                    read_hellos(&mut asks, 1);
                    thread::sleep(Duration::from_millis(400));
                }
                // And a timer that was armed anew fires like the first one.
                assert_eq!(asks.read(&mut [0; 1]).unwrap(), 0);
            });
        }
    });
}

/// The three ways send the same bytes.
#[test]
fn a_file_is_the_same_in_each_way() {
    let root = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i * 7 % 251) as u8).collect();
    std::fs::write(root.path().join("big"), &bytes).unwrap();
    for files in ["copy", "mmap", "sendfile"] {
        let server = Server::start(&["--root", root.path().to_str().unwrap(), "--files", files]);
        let mut stream = server.connect();
        let part = "GET /big HTTP/1.1\r\nHost: x\r\nRange: bytes=70000-2500000\r\nConnection: close\r\n\r\n";
        stream.write_all((request("/big", false) + part).as_bytes()).unwrap();
        let mut replies = Vec::new();
        stream.read_to_end(&mut replies).unwrap();
        let head = replies.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        let (whole, rest) = replies[head..].split_at(bytes.len());
        assert!(whole == bytes, "{files}: the whole file differs");
        assert!(rest.ends_with(&bytes[70_000..=2_500_000]), "{files}: the part differs");
    }
}

/// Another process shortens a file while it is sent: that connection ends, and nothing else does. With mmap
/// this is the case that kills a server which touches the mapping itself (SIGBUS).
#[test]
fn a_file_that_is_cut_off_while_it_is_sent_ends_one_connection_and_not_the_server() {
    for files in ["copy", "mmap", "sendfile"] {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("big");
        std::fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
        let mut server = Server::start(&["--root", root.path().to_str().unwrap(), "--files", files]);
        let mut stream = server.connect();
        stream.write_all(request("/big", true).as_bytes()).unwrap();
        // The sockets hold a few MiB, so the server is in the midst of it now, and stays there.
        stream.read_exact(&mut [0; 1000]).unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(5_000).unwrap();
        let mut rest = Vec::new();
        // An end or a reset: both tell that it is not whole.
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.len() < 64 << 20, "{files}: it cannot be whole");
        assert!(server.ask("/").ends_with("Hello, World!"), "{files}");
        assert!(server.terminate().success(), "{files}");
    }
}

/// 20 clients connect and send whole requests while both loops are busy, and then the signal comes: all are
/// answered. Some of them wait in the kernel's queue, some in a loop's.
#[test]
fn requests_that_came_before_sigterm_are_answered() {
    for batch in ["1", "all"] {
        let mut server = Server::start(&["--workers", "2", "--accept-batch", batch]);
        let mut sleepers: Vec<TcpStream> = (0..2).map(|_| server.connect()).collect();
        for sleeper in &mut sleepers {
            sleeper.write_all(request("/sleep/700", false).as_bytes()).unwrap();
        }
        // Time for the loops to take them, one each. If they take longer, this test is easier to pass.
        thread::sleep(Duration::from_millis(300));
        let ask = |_| {
            let mut stream = server.connect();
            stream.write_all(request("/", false).as_bytes()).unwrap();
            stream
        };
        let mut clients: Vec<TcpStream> = (0..10).map(ask).collect();
        // The main reactor is stopped with its process: these stay in the kernel's queue.
        server.signal(Signal::SIGSTOP);
        clients.extend((0..10).map(ask));
        server.signal(Signal::SIGTERM);
        server.signal(Signal::SIGCONT);
        for (number, stream) in sleepers.iter_mut().chain(&mut clients).enumerate() {
            let mut reply = String::new();
            stream.read_to_string(&mut reply).unwrap_or_else(|error| panic!("client {number}: {error}"));
            assert!(reply.starts_with("HTTP/1.1 200 OK"), "client {number}: {reply:?}");
        }
        assert!(server.child.wait().unwrap().success());
    }
}

/// At the limit on connections, the clients that wait get the places of the idle ones when the signal comes.
#[test]
fn idle_connections_make_room_for_requests_that_came_before_sigterm() {
    let mut server = Server::start(&["--workers", "2", "--max-connections", "2"]);
    let mut idle: Vec<TcpStream> = (0..2).map(|_| server.connect()).collect();
    for stream in &mut idle {
        stream.write_all(request("/", false).as_bytes()).unwrap();
        read_hellos(stream, 1);
    }
    let mut clients: Vec<TcpStream> = (0..5).map(|_| server.connect()).collect();
    for stream in &mut clients {
        stream.write_all(request("/", false).as_bytes()).unwrap();
    }
    server.signal(Signal::SIGTERM);
    for stream in &mut clients {
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("an orderly end");
        assert!(reply.ends_with("Hello, World!"), "{reply:?}");
    }
    assert!(server.child.wait().unwrap().success());
}

/// A start that fails says in one line what failed, before the first line of the contract, and ends with
/// status 1.
#[test]
fn a_start_without_descriptors_or_threads_fails_with_one_line() {
    let mut starts: Vec<(String, &[&str])> = Vec::new();
    for descriptors in 5..=14 {
        starts.push((format!("-n {descriptors}"), &["--workers", "8", "--timer-source", "timerfd"]));
    }
    // A thread needs 2 MiB of address space for its stack.
    starts.push(("-v 200000".to_owned(), &["--workers", "500"]));
    let mut failed = Vec::new();
    for (limit, options) in &starts {
        let output = Server::output_with_limit(limit, options);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b""[..]), "{limit}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{limit}: {stderr}");
        let (what, _) =
            stderr.strip_prefix("error: ").and_then(|text| text.split_once(": ")).expect("a cause");
        failed.push(what.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned());
    }
    failed.sort();
    failed.dedup();
    // Without the digits at their ends: `loop-37`, `epoll_create1`.
    let expected =
        ["cannot start the thread loop-", "epoll_create", "eventfd", "open of /dev/null", "timerfd_create"];
    assert_eq!(failed, expected);
}
