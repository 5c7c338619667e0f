//! Requests that come together get the replies that they get alone, in order; and what a conversation
//! remembers from one request to the next.

use crate::reply;
use crate::rules::{self, End};
use crate::site::Site;
use crate::stage::{Stage, converse, now};
use kit::protocol::http::{Http, Limits, Settings};
use kit::protocol::{Phase, Protocol};
use kit::write_buffer::WriteBuffer;
use std::sync::Arc;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn pipelined_requests_get_the_replies_that_they_get_alone() {
    let site = Site::new();
    let mut together = (Vec::new(), Vec::new(), 0);
    for case in rules::table(&site).into_iter().flat_map(|row| row.cases) {
        let alone = converse(&site.settings, [&case.input[..]]);
        let is_whole = alone.phase == Phase::Idle && alone.taken == case.input.len();
        if case.end == End::Open && is_whole && case.open_fails.is_none() {
            together.0.extend_from_slice(&case.input);
            together.1.extend_from_slice(&alone.wire);
            together.2 += 1;
        }
    }
    let (input, wire, count) = together;
    assert!(count > 80, "only {count} cases are left to put together");
    assert!(converse(&site.settings, [&input[..]]).wire == wire);
}

#[test]
fn small_pipelined_replies_are_appended_in_one_call() {
    let site = Site::new();
    let mut http = Http::new(site.settings.clone());
    let (mut out, now) = (WriteBuffer::default(), now());
    let input = GET.repeat(100);
    let (used, work) = http.receive(&input, &mut out, &now);
    assert_eq!(used, input.len());
    assert!(work.is_none() && !out.is_full());
    assert_eq!(reply::parse(out.parts().0, false).len(), 100);
}

#[test]
fn large_pipelined_replies_wait_for_the_write_buffer() {
    let site = Site::new();
    let mut http = Http::new(site.settings.clone());
    let (mut out, now) = (WriteBuffer::default(), now());
    let request = b"GET /bytes/70000 HTTP/1.1\r\nHost: x\r\n\r\n";
    let (used, work) = http.receive(&request.repeat(64), &mut out, &now);
    assert_eq!(used, request.len(), "one body at a time");
    assert!(work.is_none() && out.is_full());
}

/// Stage 06 without its ONESHOT reads on while a request waits for its work. The replies come out of
/// order, and each of them is whole.
#[test]
fn a_request_that_waits_does_not_stop_the_next_one() {
    let site = Site::new();
    let mut http = Http::new(site.settings.clone());
    let (mut out, now) = (WriteBuffer::default(), now());
    let (_, work) = http.receive(b"GET /sleep/1 HTTP/1.1\r\nHost: x\r\n\r\n", &mut out, &now);
    let Some(work) = work else { panic!("no work") };
    assert!(matches!(http.receive(GET, &mut out, &now), (_, None)));
    http.finish(work.run(), &mut out, &now);
    let replies = reply::parse(out.parts().0, false);
    let bodies: Vec<&[u8]> = replies.iter().map(|reply| &reply.body[..]).collect();
    assert_eq!(bodies, [b"Hello, World!".as_slice(), b"slept 1 ms\n"]);
}

/// The same stage: each answer finds the request that it belongs to, in whatever order the work ends.
#[test]
fn work_that_ends_in_another_order_is_answered_in_that_order() {
    let site = Site::new();
    let mut http = Http::new(site.settings.clone());
    let (mut out, now) = (WriteBuffer::default(), now());
    let mut answers = Vec::new();
    for path in ["/sleep/1", "/small.txt", "/spin/2", "/nothing", "/sleep/3"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        let (_, Some(work)) = http.receive(request.as_bytes(), &mut out, &now) else { panic!("no work") };
        answers.push(work.run());
    }
    while let Some(answer) = answers.pop() {
        http.finish(answer, &mut out, &now);
    }
    let replies = reply::parse(out.parts().0, false);
    let bodies: Vec<_> = replies.iter().map(|reply| String::from_utf8_lossy(&reply.body)).collect();
    assert_eq!(bodies, ["slept 3 ms\n", "", "spun 2 us\n", "0123456789", "slept 1 ms\n"]);
}

#[test]
fn a_server_that_drains_says_close_even_if_it_was_told_during_the_work() {
    let site = Site::new();
    for path in ["/", "/sleep/1", "/small.txt", "/nowhere"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        for before in [true, false] {
            let mut stage = Stage::new(&site.settings);
            stage.now.draining = before;
            stage.drain_during_work = true;
            stage.feed(request.as_bytes());
            let seen = stage.seen();
            let replies = reply::parse(&seen.wire, false);
            // `/` has no work, so there is no "during" to be told in.
            let told = before || path != "/";
            assert_eq!(seen.closed, told.then_some(false), "{path}");
            assert_eq!(replies[0].header("Connection"), told.then_some("close"), "{path}");
        }
    }
}

#[test]
fn the_last_request_of_a_connection_says_close() {
    let limits = Limits { max_requests: Some(3), ..Limits::default() };
    let settings = Arc::new(Settings { limits, root: None });
    let seen = converse(&settings, [&GET.repeat(5)[..]]);
    let closes: Vec<_> =
        reply::parse(&seen.wire, false).iter().map(|reply| reply.header("Connection").is_some()).collect();
    assert_eq!(closes, [false, false, true]);
    assert_eq!(seen.closed, Some(true), "two requests are left unread");
}

#[test]
fn a_conversation_that_is_over_drops_what_still_comes() {
    let site = Site::new();
    let mut stage = Stage::new(&site.settings);
    stage.feed(b"GET / HTTP/1.0\r\n\r\n");
    let over = stage.seen();
    assert_eq!(over.closed, Some(false));
    stage.feed(GET);
    let later = stage.seen();
    assert_eq!((later.wire, later.closed), (over.wire, Some(true)), "and now it must linger");
    assert_eq!(later.taken, over.taken + GET.len());
}

#[test]
fn the_phase_tells_which_deadline_counts() {
    let site = Site::new();
    let mut stage = Stage::new(&site.settings);
    let mut phases = Vec::new();
    for piece in
        ["", "\r\n\r", "\n", "P", "OST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n", "h", "i"]
    {
        stage.feed(piece.as_bytes());
        phases.push(stage.seen().phase);
    }
    use Phase::{Body, Head, Idle};
    assert_eq!(phases, [Idle, Idle, Idle, Head, Body, Body, Idle]);
}
