//! Requests that break a rule, or nearly do, each with what must be answered. A sample: the protocol's own
//! tests have a row for every rule.

mod strangers;

use super::client::{LIMIT, get};
use super::profile::{Profile, current};
use super::routes::{Route, SMALL_BODY};
use super::subject::Subject;
use super::verdict::{Fault, Kind, Outcome, Verdict};

/// A request that a server may not take in one read.
const LONG: usize = 4 * 1024;

/// What follows the reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The server closes, with an orderly end.
    Closed,
    /// The connection stays open.
    Open,
}

struct Case {
    what: &'static str,
    request: Vec<u8>,
    statuses: &'static [u16],
    then: Then,
}

fn case(what: &'static str, request: impl Into<Vec<u8>>, statuses: &'static [u16], then: Then) -> Case {
    Case { what, request: request.into(), statuses, then }
}

/// A request that is answered with 400 and ends its connection.
fn refused(what: &'static str, request: impl Into<Vec<u8>>) -> Case {
    case(what, request, &[400], Then::Closed)
}

/// A request with these header lines besides a right Host.
fn with(method_and_target: &str, lines: &str) -> String {
    format!("{method_and_target} HTTP/1.1\r\nHost: probe\r\n{lines}\r\n")
}

/// Section numbers are of RFC 9112 unless another is named.
fn cases() -> Vec<Case> {
    use Then::{Closed, Open};
    let post = |lines: &str| with("POST /echo", lines);
    let many_headers: String = (0..101).map(|i| format!("X-{i}: 1\r\n")).collect();
    let long_header = format!("X-Long: {}\r\n", "x".repeat(17_000));
    let long_line = format!("GET /{} HTTP/1.1\r\nHost: probe\r\n\r\n", "x".repeat(9_000));
    let hello = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03".iter().copied();
    let client_hello: Vec<u8> = hello.chain((0..190).map(|i| 128 + i % 64)).collect();
    vec![
        case(
            "empty lines before the request (2.2)",
            "\r\n\r\nGET / HTTP/1.1\r\nHost: probe\r\n\r\n",
            &[200],
            Open,
        ),
        case("bare LF as line end (2.2)", "GET / HTTP/1.1\nHost: probe\n\n", &[200], Open),
        refused("a bare CR in a value (2.2)", with("GET /", "X: a\rb\r\n")),
        refused("NUL in a value (9110 5.5)", with("GET /", "X: a\0b\r\n")),
        refused("space before the colon (5.1)", with("GET /", "X : 1\r\n")),
        refused("a folded line (5.2)", with("GET /", "X: 1\r\n folded\r\n")),
        refused("no Host (3.2)", "GET / HTTP/1.1\r\n\r\n"),
        refused("two Hosts (3.2)", with("GET /", "Host: other\r\n")),
        refused(
            "Transfer-Encoding with Content-Length (6.1)",
            post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        ),
        refused(
            "Transfer-Encoding in 1.0 (6.1)",
            "POST /echo HTTP/1.0\r\nHost: probe\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        refused("chunked is not the last coding (6.3)", post("Transfer-Encoding: gzip\r\n")),
        refused("chunked twice (6.1)", post("Transfer-Encoding: chunked, chunked\r\n")),
        case(
            "an unknown coding before chunked (6.1)",
            post("Transfer-Encoding: rot13, chunked\r\n"),
            &[501],
            Closed,
        ),
        refused("Content-Length: +5 (6.3)", post("Content-Length: +5\r\n")),
        refused("Content-Length: 5,5 (6.3)", post("Content-Length: 5,5\r\n")),
        refused("Content-Length twice (6.3)", post("Content-Length: 5\r\nContent-Length: 5\r\n")),
        refused("a bad chunk size (7.1)", post("Transfer-Encoding: chunked\r\n") + "5x\r\nhello\r\n"),
        refused(
            "a chunk size that overflows (7.1)",
            post("Transfer-Encoding: chunked\r\n") + "fffffffffffffffff\r\n",
        ),
        case(
            "a body over the limit that waits for a 100",
            post("Content-Length: 99999999\r\nExpect: 100-continue\r\n"),
            &[413],
            Closed,
        ),
        case("a request line over the limit", long_line, &[414], Closed),
        case("too many headers", with("GET /", &many_headers), &[431], Closed),
        case("headers too long", with("GET /", &long_header), &[431], Closed),
        case("HTTP/2.0", "GET / HTTP/2.0\r\nHost: probe\r\n\r\n", &[505], Closed),
        case("HTTP/1.2 (9110 2.5)", "GET / HTTP/1.2\r\nHost: probe\r\n\r\n", &[200], Open),
        refused("HTTP/0.9", "GET /\r\n\r\n"),
        refused("garbage", "what is this\r\n\r\n"),
        case("a TLS ClientHello", client_hello, &[400, 505], Closed),
        case("the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[400, 505], Closed),
        case("an unknown method", with("BREW /", ""), &[501], Open),
        case("a method that the route does not take", with("DELETE /", ""), &[405], Open),
        case("another expectation (9110 10.1.1)", with("GET /", "Expect: a-miracle\r\n"), &[417], Open),
        case("a path out of the root", with("GET /../../etc/passwd", ""), &[400, 404], Open),
    ]
}

/// So many cases that are not answered at all are waited for: each costs its whole limit.
const MOST_HANGS: usize = 3;

/// Every case is judged, so that a mistake in one rule hides no other.
pub(super) fn malformed(subject: &mut Subject<'_>) -> Verdict {
    let mut cases = cases();
    if subject.target.is_foreign() {
        strangers::relax(&mut cases);
    }
    if !current().is_lab() {
        in_words_of(current(), &mut cases);
    }
    let (mut wrong, mut asked, mut hangs) = (Vec::new(), 0, 0);
    for case in &cases {
        asked += 1;
        let Err(fault) = judge(subject, case) else { continue };
        hangs += usize::from(fault.outcome == Outcome::Hang);
        let is_gone = fault.kind == Kind::Connect;
        wrong.push(fault.at(case.what));
        if hangs == MOST_HANGS || is_gone {
            break;
        }
    }
    if wrong.is_empty() {
        subject.remark = format!("{} requests", cases.len());
        return Ok(());
    }
    Err(together(wrong, asked, cases.len()))
}

/// The cases with the routes of a profile. Without a route that takes a body, those that have one are left
/// out.
fn in_words_of(profile: &Profile, cases: &mut Vec<Case>) {
    cases.retain(|case| profile.has(Route::Echo) || !case.request.starts_with(b"POST "));
    for case in cases {
        for lab in ["POST /echo ", "GET / ", "GET /\r"] {
            let Some(rest) = case.request.strip_prefix(lab.as_bytes()) else { continue };
            let own = profile.line(lab[..lab.len() - 1].trim_end());
            let end = &lab.as_bytes()[lab.len() - 1..];
            case.request = [own.as_bytes(), end, rest].concat();
            break;
        }
    }
}

/// The faults of several cases as one.
fn together(wrong: Vec<Fault>, asked: usize, planned: usize) -> Fault {
    let mut detail = format!("{} of {asked} wrong", wrong.len());
    if asked < planned {
        detail.push_str(&format!(" ({} more were not asked)", planned - asked));
    }
    let details: Vec<&str> = wrong.iter().map(|fault| fault.detail.as_str()).collect();
    Fault::several(format!("{detail}: {}", details.join("; ")), wrong)
}

fn judge(subject: &Subject<'_>, case: &Case) -> Verdict {
    let mut client = subject.connect()?;
    if case.request.len() > LONG {
        // The connection is settled, so the whole request is one event. On a new connection the event of
        // its being writable may become a second one, and an edge-triggered server that reads once per
        // event would pass by luck.
        client.ask(&get("/"))?.must_be_hello()?;
    }
    client.send(&case.request)?;
    // Whatever was asked for, what refuses it is a page at most.
    let status = client.reply_of_at_most(SMALL_BODY, LIMIT)?.status;
    if !case.statuses.contains(&status) {
        let due: Vec<String> = case.statuses.iter().map(u16::to_string).collect();
        let due = due.join(" or ");
        let fault = Fault::wrong(format!("status {status} instead of {due}")).of(Kind::Status);
        return Err(fault.shows(format!("status {due}"), format!("status {status}")));
    }
    if case.then == Then::Closed {
        // The lingering close waits for our end.
        client.finish_sending();
        client.end_within(LIMIT)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the reader of a detail: every wrong case is named, with how many there are.
    #[test]
    fn every_wrong_case_is_named() {
        let wrong = ["garbage", "HTTP/0.9"].map(|what| Fault::wrong("status 200 instead of 400").at(what));
        let fault = together(wrong.to_vec(), 32, 32);
        assert_eq!(
            fault.detail,
            "2 of 32 wrong: garbage: status 200 instead of 400; HTTP/0.9: status 200 instead of 400"
        );
        assert_eq!(fault.outcome, Outcome::Wrong);
        let hang = vec![Fault::hang("no sign of a reply").at("garbage")];
        let fault = together(hang, 30, 32);
        assert!(
            fault.outcome == Outcome::Hang && fault.detail.contains("(2 more were not asked)"),
            "{fault:?}"
        );
    }
}
