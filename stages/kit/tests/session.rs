//! The session's rules: deadlines, half-close, lingering, what leaves before what, and what a loop is told.

use kit::clock::{Clock, LoopContext};
use kit::protocol::http::{Http, Limits, Settings};
use kit::protocol::work::Work;
use kit::session::{Next, Session, Timeouts};
use proptest::prelude::*;
use std::sync::Arc;

const IDLE_MS: u64 = 60_000;
const HEADER_MS: u64 = 10_000;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const SLEEP: &[u8] = b"GET /sleep/1 HTTP/1.1\r\nHost: x\r\n\r\n";
const LAST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// A loop without a socket: the test is the peer and the kernel, and the time is ours.
struct Loop {
    session: Session,
    now: LoopContext,
    /// What the peer was sent.
    wire: Vec<u8>,
    /// How many bytes the kernel takes at once.
    room: usize,
    /// How often our side was shut.
    shut: u32,
}

/// What a loop waits for, or must do, when everything was sent.
#[derive(Debug)]
enum Waits {
    ForBytes,
    ForWork(Box<Work>),
    Closed,
}

impl Loop {
    fn new() -> Self {
        let http = Http::new(Arc::new(Settings { limits: Limits::default(), root: None }));
        let now = Clock::new().read().clone();
        let timeouts = Timeouts { idle_ms: IDLE_MS as u32, header_ms: HEADER_MS as u32 };
        let session = Session::new(Box::new(http), timeouts, &now);
        Self { session, now, wire: Vec::new(), room: usize::MAX, shut: 0 }
    }

    /// Does what the session says until it waits for something.
    fn drive(&mut self) -> Waits {
        for _ in 0..100_000 {
            match self.session.next(&self.now) {
                Next::Read => return Waits::ForBytes,
                Next::Write(output) => {
                    let mut bytes = output.bytes().to_vec();
                    bytes.extend_from_slice(output.body().map_or(&[], |body| body.filler()));
                    bytes.truncate(self.room);
                    self.session.sent(bytes.len(), &self.now);
                    self.wire.extend(bytes);
                }
                Next::Work(work) => return Waits::ForWork(work),
                Next::ShutdownWrite => self.shut += 1,
                Next::Close => return Waits::Closed,
            }
        }
        panic!("the session never waits");
    }

    fn receive(&mut self, bytes: &[u8]) -> Waits {
        self.session.received(bytes, &self.now);
        self.drive()
    }

    fn replies(&self) -> usize {
        String::from_utf8_lossy(&self.wire).matches("HTTP/1.1 200 ").count()
    }

    fn deadline_in(&self) -> u64 {
        self.session.deadline().expect("no work is under way") - self.now.ms
    }
}

#[test]
fn a_dribbled_head_keeps_the_deadline_of_its_first_byte() {
    let mut server = Loop::new();
    assert_eq!(server.deadline_in(), IDLE_MS);
    for (byte, passed) in REQUEST[..8].iter().zip(0..) {
        assert!(matches!(server.receive(&[*byte]), Waits::ForBytes));
        assert_eq!(server.deadline_in(), HEADER_MS - passed * 1000);
        server.now.ms += 1000;
    }
    assert!(matches!(server.receive(&REQUEST[8..]), Waits::ForBytes));
    assert_eq!(server.deadline_in(), IDLE_MS);
}

#[test]
fn a_head_that_begins_in_the_segment_of_the_last_one_has_a_deadline_of_its_own() {
    let mut server = Loop::new();
    server.receive(&REQUEST[..5]);
    server.now.ms += 9_000;
    server.receive(&[&REQUEST[5..], b"GET"].concat());
    assert_eq!(server.deadline_in(), HEADER_MS);
}

#[test]
fn an_unfinished_head_is_told_408_and_an_idle_connection_nothing() {
    let mut server = Loop::new();
    server.receive(b"GET / HT");
    server.session.timed_out(&server.now);
    // The peer may be sending still, so the close is one in stages.
    assert!(matches!(server.drive(), Waits::ForBytes));
    assert!(server.wire.starts_with(b"HTTP/1.1 408 ") && server.shut == 1);
    server.session.ended();
    assert!(matches!(server.drive(), Waits::Closed));

    let mut server = Loop::new();
    server.session.timed_out(&server.now);
    assert!(matches!(server.drive(), Waits::Closed));
    assert!(server.wire.is_empty() && server.shut == 0);
}

#[test]
fn a_byte_that_comes_late_and_completes_nothing_wins_no_time() {
    let mut server = Loop::new();
    server.receive(b"GET / HT");
    server.now.ms += HEADER_MS;
    server.receive(b"T");
    assert!(server.wire.starts_with(b"HTTP/1.1 408 "));
    // The byte that completes the request wins: it is answered.
    let mut server = Loop::new();
    server.receive(&REQUEST[..REQUEST.len() - 1]);
    server.now.ms += HEADER_MS;
    server.receive(b"\n");
    assert_eq!(server.replies(), 1);
}

#[test]
fn a_peer_that_does_not_read_is_given_up_without_a_word() {
    let mut server = Loop::new();
    server.room = 0;
    server.session.received(b"GET /bytes/100000000 HTTP/1.1\r\nHost: x\r\n\r\n", &server.now);
    assert!(matches!(server.session.next(&server.now), Next::Write(_)));
    assert!(!server.session.would_block(&server.now), "there is time");
    server.now.ms += IDLE_MS;
    assert!(server.session.would_block(&server.now), "the time is over");
    assert!(matches!(server.session.next(&server.now), Next::Close));
}

#[test]
fn a_slow_reader_is_told_by_what_the_kernel_still_holds() {
    let mut server = Loop::new();
    server.session.received(b"GET /bytes/100000000 HTTP/1.1\r\nHost: x\r\n\r\n", &server.now);
    // The socket is full; from then on each look at the deadline finds that the kernel holds less.
    server.session.unacknowledged(1_000_000);
    for holds in [900_000, 800_000, 700_000] {
        server.now.ms += IDLE_MS;
        server.session.unacknowledged(holds);
        assert!(!server.session.would_block(&server.now), "{holds}");
    }
    server.now.ms += IDLE_MS;
    server.session.unacknowledged(700_000);
    assert!(server.session.would_block(&server.now), "the peer has taken nothing since");
    assert!(matches!(server.session.next(&server.now), Next::Close));
}

/// The kernel's buffer grows while a peer reads nothing: room wins no time by itself, neither before the
/// deadline nor at it, and what the peer has taken does.
#[test]
fn room_that_the_kernel_makes_is_no_sign_of_the_peer() {
    for (holds, is_over) in [(1_200_000, true), (1_199_999, false)] {
        let mut server = Loop::new();
        server.session.received(b"GET /bytes/100000000 HTTP/1.1\r\nHost: x\r\n\r\n", &server.now);
        server.session.sent(1_000_000, &server.now);
        server.session.unacknowledged(1_000_000);
        server.now.ms += IDLE_MS - 1;
        server.session.sent(100_000, &server.now);
        assert_eq!(server.deadline_in(), 1);
        server.session.unacknowledged(1_100_000);
        server.now.ms += 1;
        server.session.sent(100_000, &server.now);
        server.session.unacknowledged(holds);
        assert_eq!(server.session.would_block(&server.now), is_over, "{holds}");
        assert_eq!(matches!(server.session.next(&server.now), Next::Close), is_over);
    }
}

#[test]
fn replies_leave_before_a_slow_job_runs() {
    let mut server = Loop::new();
    let Waits::ForWork(work) = server.receive(&[REQUEST, SLEEP].concat()) else { panic!("a job is due") };
    assert!(server.wire.ends_with(b"Hello, World!"));
    assert_eq!(server.session.deadline(), None, "no deadline while the server itself is at work");
    assert!(!server.session.is_idle());
    server.session.finished(work.run(), &server.now);
    assert!(matches!(server.drive(), Waits::ForBytes));
    assert_eq!(server.replies(), 2);
    assert!(server.session.is_idle());
}

#[test]
fn after_the_peers_end_whole_requests_are_answered_and_unfinished_ones_are_not() {
    for (input, replies) in [(REQUEST, 1), (&REQUEST[..9], 0), (b"", 0)] {
        let mut server = Loop::new();
        server.session.received(input, &server.now);
        server.session.ended();
        assert!(matches!(server.drive(), Waits::Closed));
        assert_eq!((server.replies(), server.shut), (replies, 0), "after the end no bytes can be unread");
    }
}

#[test]
fn the_answer_of_a_job_is_sent_though_its_peer_has_ended_meanwhile() {
    let mut server = Loop::new();
    let Waits::ForWork(work) = server.receive(SLEEP) else { panic!("a job is due") };
    server.session.ended();
    assert!(!matches!(server.session.next(&server.now), Next::Close), "a reply is due");
    server.session.finished(work.run(), &server.now);
    assert!(matches!(server.drive(), Waits::Closed));
    assert_eq!(server.replies(), 1);
}

#[test]
fn a_lingering_close_drops_what_arrives_for_two_seconds_and_64_mib() {
    let mut server = Loop::new();
    assert!(matches!(server.receive(b"BAD\0 / HTTP/1.1\r\n\r\n"), Waits::ForBytes));
    assert_eq!((server.shut, server.deadline_in()), (1, 2_000));
    server.now.ms += 1_000;
    let block = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        assert!(matches!(server.receive(&block), Waits::ForBytes));
        assert_eq!(server.deadline_in(), 1_000, "bytes that are dropped win no time");
    }
    assert!(matches!(server.receive(&block), Waits::Closed));

    let mut server = Loop::new();
    server.receive(b"BAD\0 / HTTP/1.1\r\n\r\n");
    server.now.ms += 2_000;
    assert!(server.session.would_block(&server.now));
    assert!(matches!(server.drive(), Waits::Closed));
}

/// RFC 9112 §9.6: after any request with a body, and while a large reply may still be under way.
#[test]
fn a_close_that_could_destroy_a_reply_is_one_in_stages() {
    let post = b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
    let large = b"GET /bytes/100000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let followed = [LAST, b"x"].concat();
    for (input, in_stages) in [(LAST, false), (&post[..], true), (large, true), (&followed, true)] {
        let mut server = Loop::new();
        let waits = server.receive(input);
        assert_eq!(matches!(waits, Waits::ForBytes), in_stages, "{}", String::from_utf8_lossy(input));
        assert_eq!((server.shut, server.replies()), (u32::from(in_stages), 1));
        server.session.ended();
        assert!(matches!(server.drive(), Waits::Closed));
    }
}

/// A server that drains ends idle connections, but not one whose peer may still fetch a large reply: its next
/// request would turn the close into a reset.
#[test]
fn a_large_reply_is_not_cut_short_by_a_server_that_stops() {
    for (request, in_stages) in [(REQUEST, false), (b"GET /bytes/100000 HTTP/1.1\r\nHost: x\r\n\r\n", true)] {
        let mut server = Loop::new();
        server.receive(request);
        server.now.draining = true;
        server.now.ms += 1_000;
        assert!(server.session.would_block(&server.now));
        assert_eq!(matches!(server.drive(), Waits::ForBytes), in_stages);
        assert_eq!(server.shut, u32::from(in_stages));
        server.receive(REQUEST);
        assert_eq!(server.replies(), 1, "what arrives now is dropped");
        server.session.ended();
        assert!(matches!(server.drive(), Waits::Closed));
    }
}

/// A peer that pipelines asks for more before it has fetched a large reply: what it sends after its last
/// request would turn the close into a reset.
#[test]
fn a_large_reply_is_remembered_though_more_requests_arrive() {
    for (first, in_stages) in [(REQUEST, false), (b"GET /bytes/100000 HTTP/1.1\r\nHost: x\r\n\r\n", true)] {
        let mut server = Loop::new();
        server.receive(first);
        server.receive(REQUEST);
        assert_eq!(matches!(server.receive(LAST), Waits::ForBytes), in_stages);
        assert_eq!((server.shut, server.replies()), (u32::from(in_stages), 3));
    }
}

/// A server that drains looks at a lingering close again and again, to end it once its peer has the replies;
/// but the time alone does not end it earlier.
#[test]
fn a_lingering_close_is_late_but_not_over_while_the_server_drains() {
    let mut server = Loop::new();
    server.receive(b"BAD\0 / HTTP/1.1\r\n\r\n");
    assert!(server.session.is_lingering() && !server.session.is_late(&server.now));
    server.now.draining = true;
    assert!(server.session.is_late(&server.now) && !server.session.would_block(&server.now));
    server.now.ms += 2_000;
    assert!(server.session.would_block(&server.now));
    assert!(matches!(server.drive(), Waits::Closed));
}

/// A peer that sends without a pause never lets a read say EAGAIN.
#[test]
fn a_lingering_close_ends_in_time_though_its_peer_goes_on_sending() {
    let mut server = Loop::new();
    server.receive(b"BAD\0 / HTTP/1.1\r\n\r\n");
    for _ in 0..19 {
        server.now.ms += 100;
        assert!(matches!(server.receive(b"x"), Waits::ForBytes));
    }
    server.now.ms += 100;
    assert!(matches!(server.receive(b"x"), Waits::Closed));
}

#[test]
fn bytes_that_a_write_finds_unread_make_the_close_one_in_stages() {
    let mut server = Loop::new();
    server.session.received(LAST, &server.now);
    let Next::Write(mut output) = server.session.next(&server.now) else { panic!("a reply is due") };
    let count = output.bytes().len();
    assert!(output.ends_with(count) && !output.ends_with(count - 1));
    output.unread();
    server.session.sent(count, &server.now);
    assert!(matches!(server.drive(), Waits::ForBytes));
    assert_eq!(server.shut, 1);
}

#[test]
fn a_connection_between_requests_or_with_an_unfinished_head_is_idle_and_one_with_a_body_is_not() {
    let post = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na";
    for (input, idle) in [(&b""[..], true), (REQUEST, true), (&REQUEST[..9], true), (post, false)] {
        let mut server = Loop::new();
        server.receive(input);
        assert_eq!(server.session.is_idle(), idle, "{}", String::from_utf8_lossy(input));
        // A server that drains closes the idle ones, once there is nothing to read.
        server.now.draining = true;
        server.now.ms += 100;
        assert_eq!(server.session.is_late(&server.now), idle);
        assert_eq!(server.session.would_block(&server.now), idle);
        assert_eq!(matches!(server.drive(), Waits::Closed), idle);
    }
}

/// Protects clients that have connected just before the server stops, and whose request arrives just after.
#[test]
fn a_connection_that_has_just_begun_may_send_its_first_request_while_the_server_drains() {
    let mut silent = Loop::new();
    silent.now.draining = true;
    silent.now.ms += 99;
    assert!(!silent.session.is_late(&silent.now) && !silent.session.would_block(&silent.now));
    assert_eq!(silent.deadline_in(), 1, "a loop with timers must look again");
    silent.now.ms += 1;
    assert!(silent.session.is_late(&silent.now) && silent.session.would_block(&silent.now));
    assert!(matches!(silent.drive(), Waits::Closed));

    let mut asks = Loop::new();
    asks.now.draining = true;
    assert!(!asks.session.would_block(&asks.now));
    asks.now.ms += 50;
    asks.receive(REQUEST);
    assert_eq!(asks.replies(), 1);
}

#[test]
fn empty_lines_win_no_time() {
    let mut server = Loop::new();
    server.now.ms += 1_000;
    server.receive(b"\r\n\r\n\n");
    assert_eq!(server.deadline_in(), IDLE_MS - 1_000);
}

/// What stage 11 relies on: the kernel reads the output while more arrives.
#[test]
fn bytes_that_arrive_during_a_write_move_no_output_and_are_answered_after_it() {
    let mut server = Loop::new();
    server.session.received(REQUEST, &server.now);
    let Next::Write(output) = server.session.next(&server.now) else { panic!("a reply is due") };
    let (place, count) = (output.bytes().as_ptr(), output.bytes().len());
    for _ in 0..3_000 {
        server.session.received(REQUEST, &server.now);
    }
    assert!(server.session.is_full(), "80 kB wait to be parsed");
    let Next::Write(output) = server.session.next(&server.now) else { panic!("it is still due") };
    assert_eq!((output.bytes().as_ptr(), output.bytes().len()), (place, count));
    assert!(matches!(server.drive(), Waits::ForBytes));
    assert_eq!(server.replies(), 3_001);
    assert!(!server.session.is_full());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Protects every stage: however the input was cut and however little the kernel takes at once, the peer
    /// gets the same bytes, in order, and after its end the conversation is over.
    #[test]
    fn cuts_and_short_writes_change_nothing(
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        room in prop_oneof![1usize..200, 1_000usize..100_000],
        ends in any::<bool>(),
    ) {
        let script = [REQUEST, SLEEP, b"GET /bytes/70000 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", REQUEST, LAST].concat();
        let run = |places: &[usize], room| {
            let mut server = Loop::new();
            server.now.date = *b"Fri, 01 Jan 2100 00:00:00 GMT";
            server.room = room;
            let mut waits = Waits::ForBytes;
            for pair in places.windows(2) {
                waits = server.receive(&script[pair[0]..pair[1]]);
                while let Waits::ForWork(work) = waits {
                    server.session.finished(work.run(), &server.now);
                    waits = server.drive();
                }
            }
            if ends {
                server.session.ended();
                waits = server.drive();
            }
            (String::from_utf8(server.wire).expect("ASCII"), ends && !matches!(waits, Waits::Closed))
        };
        let mut places: Vec<usize> = cuts.drain(..).map(|cut| cut.index(script.len())).collect();
        places.extend([0, script.len()]);
        places.sort_unstable();
        let whole = run(&[0, script.len()], usize::MAX);
        prop_assert!(whole.0.ends_with("Hello, World!") && !whole.1);
        let cut = run(&places, room);
        prop_assert!(cut == whole, "{} bytes against {}", cut.0.len(), whole.0.len());
    }
}

/// Protects clients of a server with too much to do: one that is refused is told so and when to try again,
/// the job was not run for it, and its connection is as good as before.
#[test]
fn work_that_is_refused_is_answered_503_and_the_connection_stays() {
    let mut server = Loop::new();
    let Waits::ForWork(work) = server.receive(b"GET /sleep/60000 HTTP/1.1\r\nHost: x\r\n\r\n") else {
        panic!("there is work to do")
    };
    server.session.finished(work.refuse(), &server.now);
    assert!(matches!(server.drive(), Waits::ForBytes));
    let reply = String::from_utf8_lossy(&server.wire).into_owned();
    assert!(reply.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{reply}");
    assert!(reply.contains("\r\nRetry-After: 1\r\n") && !reply.contains("Connection: close"), "{reply}");
    server.receive(REQUEST);
    assert_eq!(server.replies(), 1);
}
