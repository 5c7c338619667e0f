//! What an observer is told: one request and one reply for each exchange, however the bytes came.

use kit::clock::{Clock, LoopContext};
use kit::protocol::http::{Http, Limits, Settings};
use kit::protocol::observer::Observer;
use kit::session::{Next, Session, Timeouts};
use kit::write_buffer::Body;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

/// Each request of all kinds, and what the observer notes of it.
const REQUESTS: &[(&str, &str)] = &[
    ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / 200"),
    ("HEAD /bytes/100000 HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD /bytes/100000 200"),
    ("GET /bytes/100000?q=\"1\" HTTP/1.1\r\nHost: x\r\n\r\n", "GET /bytes/100000?q=\"1\" 200"),
    ("GET /sleep/0 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /sleep/0 200"),
    ("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "GET /nowhere 404"),
    // The 100 that precedes the reply is not a reply.
    (
        "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        "POST /echo 200",
    ),
    // The last one: no request is reported for it, and its reply must not be taken for that of the one
    // before.
    ("GET /a\x01b HTTP/1.1\r\nHost: x\r\n\r\n", "- 400"),
];

#[derive(Debug, Default)]
struct Notes {
    /// The request that has no reply yet.
    request: Option<String>,
    /// Request and status of each exchange, and the length of its reply.
    exchanges: Vec<(String, u64)>,
}

#[derive(Debug)]
struct Recorder(Arc<Mutex<Notes>>);

impl Observer for Recorder {
    fn request(&mut self, method: &str, target: &str) {
        let notes = &mut *self.0.lock().expect("no panic");
        assert_eq!(notes.request.replace(format!("{method} {target}")), None, "two requests in a row");
    }

    fn reply(&mut self, status: &str, bytes: u64, _: &LoopContext) {
        let notes = &mut *self.0.lock().expect("no panic");
        let request = notes.request.take().unwrap_or_else(|| "-".to_owned());
        notes.exchanges.push((format!("{request} {status}"), bytes));
    }
}

/// Hands the pieces to a session and takes its output as it comes; the exchanges, and how many bytes were
/// sent.
fn converse<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<(String, u64)>, u64) {
    let settings = Arc::new(Settings { limits: Limits::default(), root: None });
    let clock = Clock::new();
    let (now, timeouts) = (clock.last(), Timeouts { idle_ms: 60_000, header_ms: 10_000 });
    let mut session = Session::new(Box::new(Http::new(settings)), timeouts, now);
    let notes = Arc::new(Mutex::new(Notes::default()));
    session.observe(Box::new(Recorder(Arc::clone(&notes))));
    let mut all_sent = 0;
    for piece in pieces {
        session.received(piece, now);
        loop {
            match session.next(now) {
                Next::Read | Next::Close => break,
                Next::Write(output) => {
                    let count =
                        output.bytes().len() + output.body().map_or(0, |body| Body::filler(body).len());
                    session.sent(count, now);
                    all_sent += count as u64;
                }
                Next::Work(work) => session.finished(work.run(), now),
                Next::ShutdownWrite => {}
            }
        }
    }
    drop(session);
    (Arc::into_inner(notes).expect("the session is gone").into_inner().expect("no panic").exchanges, all_sent)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Protects the access log: whatever the cuts, each request is told of in its place, and the lengths add
    /// up to what was sent (but for the one `100 Continue`).
    #[test]
    fn each_exchange_is_told_of_however_the_requests_were_cut(
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let wire: String = REQUESTS.iter().map(|(request, _)| *request).collect();
        let mut places: Vec<usize> = cuts.drain(..).map(|cut| cut.index(wire.len())).collect();
        places.extend([0, wire.len()]);
        places.sort_unstable();
        let (exchanges, sent) = converse(places.windows(2).map(|pair| &wire.as_bytes()[pair[0]..pair[1]]));
        let told: Vec<&str> = exchanges.iter().map(|(exchange, _)| &exchange[..]).collect();
        let expected: Vec<&str> = REQUESTS.iter().map(|(_, exchange)| *exchange).collect();
        prop_assert_eq!(told, expected);
        let unknown = sent - exchanges.iter().map(|(_, bytes)| bytes).sum::<u64>();
        prop_assert!((50..150).contains(&unknown), "{} bytes belong to no reply", unknown);
    }
}
