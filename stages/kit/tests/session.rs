//! The session's rules: deadlines, half-close, lingering, and what leaves before what.

use kit::clock::{Clock, Now};
use kit::flush::Flushed;
use kit::protocol::Step;
use kit::protocol::http::{Http, Limits, Settings};
use kit::session::{Session, Timeouts};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

const IDLE_MS: u64 = 60_000;
const HEADER_MS: u64 = 10_000;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// A session that plays both ends: its socket is one of a pair, and the time is ours.
struct Stage {
    session: Session,
    ours: UnixStream,
    theirs: UnixStream,
    now: Now,
}

impl Stage {
    fn new() -> Self {
        let http = Http::new(Arc::new(Settings { limits: Limits::default(), root: None }));
        let now = Clock::new().read().clone();
        let timeouts = Timeouts { idle_ms: IDLE_MS as u32, header_ms: HEADER_MS as u32 };
        let session = Session::new(Box::new(http), timeouts, &now);
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        theirs.set_nonblocking(true).expect("a flag can be set");
        Self { session, ours, theirs, now }
    }

    fn feed(&mut self, input: &[u8]) -> Step {
        self.session.feed(input, &self.now)
    }

    /// Sends what waits; what the peer then has.
    fn flush(&mut self) -> String {
        let flushed = self.session.flush(self.ours.as_fd(), &self.now).expect("the peer is there");
        assert_eq!(flushed, Flushed::All);
        let mut received = Vec::new();
        let _ = self.theirs.read_to_end(&mut received);
        String::from_utf8(received).expect("ASCII")
    }

    fn deadline_in(&self) -> u64 {
        self.session.deadline().expect("no work is under way") - self.now.ms
    }
}

#[test]
fn a_dribbled_head_keeps_the_deadline_of_its_first_byte() {
    let mut stage = Stage::new();
    assert_eq!(stage.deadline_in(), IDLE_MS);
    for (byte, passed) in REQUEST[..8].iter().zip(0..) {
        assert!(matches!(stage.feed(&[*byte]), Step::Read));
        assert_eq!(stage.deadline_in(), HEADER_MS - passed * 1000);
        stage.now.ms += 1000;
    }
    assert!(matches!(stage.feed(&REQUEST[8..]), Step::Read));
    assert_eq!(stage.deadline_in(), IDLE_MS);
}

#[test]
fn a_head_that_begins_in_the_segment_of_the_last_one_has_a_deadline_of_its_own() {
    let mut stage = Stage::new();
    stage.feed(&REQUEST[..5]);
    stage.now.ms += 9_000;
    let rest = [&REQUEST[5..], b"GET"].concat();
    assert!(matches!(stage.feed(&rest), Step::Read));
    stage.flush();
    assert_eq!(stage.deadline_in(), HEADER_MS);
}

#[test]
fn an_unfinished_head_is_told_408_and_an_idle_connection_nothing() {
    let mut stage = Stage::new();
    stage.feed(b"GET / HT");
    assert!(matches!(stage.session.expire(&stage.now), Step::Close));
    assert!(stage.flush().starts_with("HTTP/1.1 408 "));

    let mut stage = Stage::new();
    assert!(matches!(stage.session.expire(&stage.now), Step::Close));
    assert_eq!(stage.flush(), "");
}

#[test]
fn a_peer_that_does_not_read_is_not_told_why() {
    let mut stage = Stage::new();
    stage.feed(b"GET /bytes/100000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(stage.session.has_output());
    assert!(matches!(stage.session.expire(&stage.now), Step::Close));
    assert!(!stage.session.has_output() && !stage.session.linger(&stage.now, || false));
}

#[test]
fn replies_leave_before_a_slow_job_runs() {
    let mut stage = Stage::new();
    let both = [REQUEST, b"GET /sleep/1 HTTP/1.1\r\nHost: x\r\n\r\n"].concat();
    assert!(matches!(stage.feed(&both), Step::Write));
    assert!(stage.flush().ends_with("Hello, World!"));
    let Step::Work(work) = stage.feed(b"") else { panic!("the job was held back for the reply only") };
    assert_eq!(stage.session.deadline(), None, "no deadline while the server itself is at work");
    assert!(!stage.session.is_idle());
    assert!(matches!(stage.session.finish(work.run(), &stage.now), Step::Read));
    assert!(stage.flush().starts_with("HTTP/1.1 200 "));
    assert!(stage.session.is_idle());
}

#[test]
fn after_the_peers_end_whole_requests_are_answered_and_unfinished_ones_are_not() {
    for (input, replies) in [(REQUEST, 1), (&REQUEST[..9], 0), (b"", 0)] {
        let mut stage = Stage::new();
        stage.feed(input);
        assert!(matches!(stage.session.end(&stage.now), Step::Close));
        assert_eq!(stage.flush().matches("HTTP/1.1 200").count(), replies);
        assert!(!stage.session.linger(&stage.now, || false), "nothing can be unread after the end");
    }
}

#[test]
fn a_lingering_close_drops_what_arrives_for_two_seconds_and_64_mib() {
    let mut stage = Stage::new();
    assert!(matches!(stage.feed(b"BAD\0 / HTTP/1.1\r\n\r\n"), Step::Close));
    stage.flush();
    assert!(stage.session.linger(&stage.now, || false));
    assert_eq!(stage.deadline_in(), 2_000);
    stage.now.ms += 1_000;
    let block = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        assert!(matches!(stage.feed(&block), Step::Read));
        assert_eq!(stage.deadline_in(), 1_000, "bytes that are dropped win no time");
    }
    assert!(matches!(stage.feed(&block), Step::Close));
    assert!(!stage.session.linger(&stage.now, || false), "a connection lingers once");
}

#[test]
fn a_connection_between_requests_or_with_an_unfinished_head_is_idle_and_one_with_a_body_is_not() {
    let post = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na";
    for (input, idle) in [(&b""[..], true), (REQUEST, true), (&REQUEST[..9], true), (post, false)] {
        let mut stage = Stage::new();
        stage.feed(input);
        stage.flush();
        assert_eq!(stage.session.is_idle(), idle, "{}", String::from_utf8_lossy(input));
    }
}

#[test]
fn empty_lines_win_no_time() {
    let mut stage = Stage::new();
    stage.now.ms += 1_000;
    assert!(matches!(stage.feed(b"\r\n\r\n\n"), Step::Read));
    assert_eq!(stage.deadline_in(), IDLE_MS - 1_000);
}

#[test]
fn a_close_with_bytes_unread_in_the_socket_lingers() {
    for unread in [false, true] {
        let mut stage = Stage::new();
        stage.feed(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stage.flush();
        assert_eq!(stage.session.linger(&stage.now, || unread), unread);
        assert!(!stage.session.linger(&stage.now, || unread), "once");
    }
}
