//! The same bytes give the same replies, however the network cuts them; and no bytes do harm.

use crate::reply;
use crate::rules;
use crate::site::Site;
use crate::stage::{Seen, converse, now};
use kit::protocol::Protocol;
use kit::protocol::http::{Http, Limits, Settings};
use kit::write_buffer::WriteBuffer;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The inputs of all rules that need nothing but bytes.
fn corpus(site: &Site) -> Vec<Vec<u8>> {
    let cases = rules::table(site).into_iter().flat_map(|row| row.cases);
    cases.filter(|case| !case.expires && case.open_fails.is_none()).map(|case| case.input).collect()
}

fn assert_same(whole: &Seen, cut: &Seen, input: &[u8], how: &str) {
    assert!(
        whole == cut,
        "{}\n{how}\nwhole: {} {:?} {:?} {}\ncut:   {} {:?} {:?} {}",
        input.escape_ascii(),
        whole.taken,
        whole.closed,
        whole.phase,
        whole.wire.escape_ascii(),
        cut.taken,
        cut.closed,
        cut.phase,
        cut.wire.escape_ascii(),
    );
}

#[test]
fn a_request_cut_anywhere_gets_the_same_reply_as_whole() {
    let site = Site::new();
    for input in corpus(&site) {
        let whole = converse(&site.settings, [&input[..]]);
        assert_same(&whole, &converse(&site.settings, input.chunks(1)), &input, "byte by byte");
        for cut in 1..input.len() {
            let (front, back) = input.split_at(cut);
            assert_same(&whole, &converse(&site.settings, [front, back]), &input, &format!("cut at {cut}"));
        }
    }
}

/// Pieces from which almost-requests are made: each is a place where two parsers might disagree.
const PIECES: [&str; 53] = [
    "GET ",
    "HEAD ",
    "POST ",
    "/",
    "/echo",
    "/bytes/9",
    "/small.txt",
    "/docs",
    "//",
    "\\",
    "%5c",
    "%0d%0a",
    "*",
    "http://h/",
    "h:80",
    " HTTP/1.1",
    " HTTP/1.0",
    " HTTP/1.2",
    " HTTP/2.0",
    "\r\n",
    "\r\n",
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    "Host: x\r\n",
    "Host: x\n",
    "Host : x\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Expect: 100-continue\r\n",
    "Expect: x\r\n",
    "a: b\r\n",
    " fold\r\n",
    "3\r\nabc\r\n",
    "0\r\n\r\n",
    "abc",
    "\0",
    "\x7f",
    "\u{e4}",
    "%2e%2e",
    "?",
    "#",
    "\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    ";x",
];

/// Almost-requests.
fn almost() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(PIECES.as_slice()), 1..16)
        .prop_map(|pieces| pieces.concat().into_bytes())
}

/// A change at a place given as a fraction of the length: put in, take away or overwrite a byte.
fn mutations() -> impl Strategy<Value = Vec<(f64, u8, u8)>> {
    prop::collection::vec((0.0..1.0, 0..3u8, any::<u8>()), 0..4)
}

fn mutate(mut input: Vec<u8>, mutations: &[(f64, u8, u8)]) -> Vec<u8> {
    for &(place, how, byte) in mutations {
        let at = (place * input.len() as f64) as usize;
        match how {
            0 => input.insert(at, byte),
            1 if at < input.len() => drop(input.remove(at)),
            _ if at < input.len() => input[at] = byte,
            _ => {}
        }
    }
    input
}

/// Whole, byte by byte and cut at random must agree. The stage that feeds them bounds the calls, and the
/// replies must be well-formed.
fn check(site: &Site, input: &[u8], cuts: &[f64]) {
    let whole = converse(&site.settings, [input]);
    assert_same(&whole, &converse(&site.settings, input.chunks(1)), input, "byte by byte");
    let mut places: Vec<usize> = cuts.iter().map(|cut| (cut * input.len() as f64) as usize).collect();
    places.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for place in places.into_iter().chain([input.len()]) {
        pieces.push(&input[from..place]);
        from = place;
    }
    assert_same(&whole, &converse(&site.settings, pieces), input, "cut at random");
    // Replies to HEAD look like others cut short, so only inputs without HEAD are read back.
    if !input.windows(4).any(|four| four == b"HEAD") {
        reply::parse(&whole.wire, false);
    }
}

#[test]
fn mutated_and_made_up_requests_do_no_harm_and_do_not_depend_on_cuts() {
    let site = Site::new();
    let corpus = Arc::new(corpus(&site));
    let from_corpus = {
        let corpus = corpus.clone();
        (0..corpus.len()).prop_map(move |i| corpus[i].clone())
    };
    let bytes = prop::collection::vec(any::<u8>(), 0..64);
    let inputs = prop_oneof![4 => from_corpus, 4 => almost(), 1 => bytes];
    let cuts = prop::collection::vec(0.0..1.0, 0..4);
    let mut config = ProptestConfig::with_cases(8_000);
    config.failure_persistence = None;
    proptest!(config, |(input in inputs, mutations in mutations(), cuts in cuts)| {
        check(&site, &mutate(input, &mutations), &cuts);
    });
}

/// A head of a quarter of a megabyte that comes byte by byte would cost 30,000,000,000 looks at a byte if
/// each call began anew: minutes. Looked at once it takes a fraction of a second.
#[test]
fn a_head_that_dribbles_in_is_looked_at_once() {
    let limits = Limits { max_header_bytes: 1 << 20, ..Limits::default() };
    let mut http = Http::new(Arc::new(Settings { limits, root: None }));
    let (mut out, now) = (WriteBuffer::default(), now());
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\na: {}\r\n\r\n", "x".repeat(1 << 18)).into_bytes();
    let start = Instant::now();
    for end in 1..head.len() {
        let (taken, work) = http.receive(&head[..end], &mut out, &now);
        assert!(taken == 0 && work.is_none());
        assert!(start.elapsed() < Duration::from_secs(30), "only at byte {end}");
    }
    assert_eq!(http.receive(&head, &mut out, &now).0, head.len());
    assert!(out.parts().0.starts_with(b"HTTP/1.1 200"));
}
