//! Whatever stands before a request in the same segment, its reply comes, and in its place.

use kit::clock::Clock;
use kit::protocol::http::{Http, Limits, Settings};
use kit::session::{Session, Timeouts};
use nonblocking_epoll::connection::{Connection, Turn};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// Plays the loop: serves the connection turn by turn until it has nothing to do, and reads what it sends.
fn exchange(input: &[u8]) -> String {
    let (ours, mut theirs) = UnixStream::pair().expect("a socket pair");
    ours.set_nonblocking(true).expect("a flag can be set");
    theirs.set_nonblocking(true).expect("a flag can be set");
    let http = Http::new(Arc::new(Settings { limits: Limits::default(), root: None }));
    let mut clock = Clock::new();
    let session = Session::new(Box::new(http), Timeouts { idle_ms: 60_000, header_ms: 10_000 }, clock.last());
    let mut connection = Connection::new(ours.into(), session);
    theirs.write_all(input).expect("it fits the socket's buffer");
    let (mut buffer, mut received) = (vec![0; 64 * 1024], Vec::new());
    for _ in 0..10_000 {
        let mut turn = connection.handle_event(&mut buffer, clock.read());
        while let Turn::Work(work) = turn {
            turn = connection.finish_work(work.run(), &mut buffer, clock.read());
        }
        let before = received.len();
        match theirs.read_to_end(&mut received) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => panic!("the connection must stay open: {other:?}"),
        }
        if matches!(turn, Turn::Blocked) && received.len() == before {
            return String::from_utf8(received).expect("ASCII");
        }
    }
    panic!("the connection never comes to rest");
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

#[test]
fn work_behind_any_number_of_replies_is_done() {
    // Large bodies end a round each; small ones share one. Both in front of a job and behind it.
    for size in [100, 5_000, 300_000] {
        for count in 0..12 {
            let large = get(&format!("/bytes/{size}")).repeat(count);
            let input = [large.as_str(), &get("/sleep/0"), &get("/spin/1"), &large, &get("/")].concat();
            let output = exchange(input.as_bytes());
            let replies = output.matches("HTTP/1.1 200 OK").count();
            assert_eq!(replies, 2 * count + 3, "{count} × {size}");
            let place = |text: &str| output.find(text).unwrap_or_else(|| panic!("{text}: {count} × {size}"));
            assert!(place("slept 0 ms") < place("spun 1 us") && place("spun 1 us") < place("Hello, World!"));
            assert!(output.ends_with("Hello, World!"));
        }
    }
}
