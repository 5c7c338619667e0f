//! The journal of a conversation: one entry for each reply, however the requests came.

use kit::clock::Clock;
use kit::outbox::Outbox;
use kit::protocol::http::{Http, Limits, Settings};
use kit::protocol::{Protocol, Step};
use proptest::prelude::*;
use std::sync::Arc;

/// Each request of all kinds, and what the journal says of it, `#` standing for the length of its reply.
const REQUESTS: &[(&str, &str)] = &[
    ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / 200 #"),
    ("HEAD /bytes/100000 HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD /bytes/100000 200 #"),
    ("GET /bytes/100000?q=\"1\" HTTP/1.1\r\nHost: x\r\n\r\n", "GET /bytes/100000?q=\"1\" 200 #"),
    ("GET /sleep/0 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /sleep/0 200 #"),
    ("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "GET /nowhere 404 #"),
    // The 100 that precedes the reply is not a reply.
    (
        "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        "POST /echo 200 #",
    ),
    // The last one: it has no head that could be noted, and it must not take over the one before.
    ("GET /a\x01b HTTP/1.1\r\nHost: x\r\n\r\n", "- - 400 #"),
];

/// Feeds the pieces, sending all that waits after each step; the entries, and the bytes that were sent.
fn converse<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<String>, u64) {
    let settings = Arc::new(Settings { limits: Limits::default(), root: None });
    let (mut http, mut out, mut clock) = (Http::new(settings), Outbox::default(), Clock::new());
    out.keep_journal();
    let (mut sent, mut entries, mut rest) = (0, Vec::new(), Vec::new());
    for piece in pieces {
        rest.extend_from_slice(piece);
        loop {
            let (taken, step) = http.receive(&rest, &mut out, clock.read());
            rest.drain(..taken);
            if let Step::Work(work) = step {
                http.finish(work.run(), &mut out, clock.last());
                continue;
            }
            out.end_reply();
            sent += out.waiting();
            while !out.is_empty() {
                out.advance(out.waiting() as usize);
            }
            let journal = out.journal().expect("it is kept");
            journal.drain(|entry| entries.push(String::from_utf8(entry.to_vec()).expect("ASCII")));
            if !matches!(step, Step::Write) {
                break;
            }
        }
    }
    (entries, sent)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Protects the access log: whatever the cuts, each request has its entry in its place, and the lengths add up to what
    /// was sent (but for the one `100 Continue`).
    #[test]
    fn each_reply_has_its_entry_however_the_requests_were_cut(mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let wire: String = REQUESTS.iter().map(|(request, _)| *request).collect();
        let mut places: Vec<usize> = cuts.drain(..).map(|cut| cut.index(wire.len())).collect();
        places.extend([0, wire.len()]);
        places.sort_unstable();
        let (entries, sent) = converse(places.windows(2).map(|pair| &wire.as_bytes()[pair[0]..pair[1]]));
        let expected: Vec<&str> = REQUESTS.iter().map(|(_, entry)| entry.trim_end_matches('#')).collect();
        let heads: Vec<&str> = entries.iter().map(|entry| entry.trim_end_matches(|c: char| c.is_ascii_digit())).collect();
        prop_assert_eq!(heads, expected);
        let lengths = entries.iter().map(|entry| entry.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
        let unknown = sent - lengths.sum::<u64>();
        prop_assert!((50..150).contains(&unknown), "{} bytes belong to no entry", unknown);
    }
}

/// Protects every server without a log.
#[test]
fn nobody_notes_anything_unasked() {
    assert!(Outbox::default().journal().is_none());
}
