//! The rules about semantics (RFC 9110).

use super::{End, Row, case, fatal, get, open, post, row};
use crate::site::{MODIFIED, SMALL};
use nix::errno::Errno;

/// A second before [`MODIFIED`].
const EARLIER: &str = "Sun, 09 Sep 2001 01:46:39 GMT";
/// A second after [`MODIFIED`].
const LATER: &str = "Sun, 09 Sep 2001 01:46:41 GMT";

/// One row for each rule. `etag` is that of `/small.txt`.
pub(super) fn rows(etag: &str) -> Vec<Row> {
    let small = |lines: String| get("/small.txt", &lines);
    let not_modified = |lines: String| {
        open(small(lines), &[304]).has("ETag", etag).has("Last-Modified", MODIFIED).lacks("Content-Type")
    };
    let whole = |lines: String| open(small(lines), &[200]).body(SMALL).lacks("Content-Range");
    let part = |range: &str, of: &str, body: &str| {
        open(small(format!("Range: {range}\r\n")), &[206])
            .has("Content-Range", format!("bytes {of}/10"))
            .has("Content-Length", body.len().to_string())
            .body(body)
    };
    let no_such_part =
        |range: &str| open(small(format!("Range: {range}\r\n")), &[416]).has("Content-Range", "bytes */10");
    vec![
        row(
            "GET, HEAD on a route or file: 200; HEAD has the same headers and no body",
            [
                open(get("/", ""), &[200])
                    .body("Hello, World!")
                    .has("Content-Type", "text/plain; charset=utf-8"),
                open("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", &[200]).has("Content-Length", "13"),
                open(get("/?a=/../b", ""), &[200]).body("Hello, World!"),
                open(get("/bytes/5", ""), &[200]).body("01234"),
                open("HEAD /bytes/70000 HTTP/1.1\r\nHost: x\r\n\r\n", &[200]).has("Content-Length", "70000"),
                open(get("/bytes/0", ""), &[200]).body(""),
                open(get("/%62ytes/1", ""), &[200]).body("0"),
                open(get("/sleep/40", ""), &[200]).body("slept 40 ms\n"),
                open(get("/spin/50", ""), &[200]).body("spun 50 us\n"),
                open("HEAD /sleep/1 HTTP/1.1\r\nHost: x\r\n\r\n", &[200]).has("Content-Length", "11"),
                open(get("/small.txt", ""), &[200])
                    .body(SMALL)
                    .has("ETag", etag)
                    .has("Last-Modified", MODIFIED)
                    .has("Accept-Ranges", "bytes")
                    .has("Content-Type", "text/plain; charset=utf-8"),
                open("HEAD /small.txt HTTP/1.1\r\nHost: x\r\n\r\n", &[200]).has("Content-Length", "10"),
                open("HEAD /big.bin HTTP/1.1\r\nHost: x\r\n\r\n", &[200]).has("Content-Length", "40000"),
                open(get("/with%20space.txt?x", ""), &[200]).body("space"),
                open(get("/nothing", ""), &[200]).body("").has("Content-Type", "application/octet-stream"),
                open("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", &[200])
                    .body("Hello, World!"),
            ],
        ),
        row(
            "a known method that the route does not take: 405 with Allow; OPTIONS 204 with Allow",
            [
                open("POST / HTTP/1.1\r\nHost: x\r\n\r\n", &[405]).has("Allow", "GET, HEAD, OPTIONS"),
                open("PUT /small.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", &[405])
                    .has("Allow", "GET, HEAD, OPTIONS"),
                open("DELETE /bytes/1 HTTP/1.1\r\nHost: x\r\n\r\n", &[405]),
                open("TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", &[405]),
                open("PATCH / HTTP/1.1\r\nHost: x\r\n\r\n", &[405]),
                open("CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", &[405])
                    .has("Allow", "GET, HEAD, POST, OPTIONS"),
                open(get("/echo", ""), &[405]).has("Allow", "POST, OPTIONS"),
                open("HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\n", &[405]),
                open("OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n", &[204]).has("Allow", "GET, HEAD, OPTIONS"),
                open("OPTIONS /echo HTTP/1.1\r\nHost: x\r\n\r\n", &[204]).has("Allow", "POST, OPTIONS"),
                open("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", &[204])
                    .has("Allow", "GET, HEAD, POST, OPTIONS"),
                open("GET * HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
            ],
        ),
        row(
            "an unknown method: 501",
            [
                open("BREW / HTTP/1.1\r\nHost: x\r\n\r\n", &[501]),
                open("get / HTTP/1.1\r\nHost: x\r\n\r\n", &[501]),
                open(
                    "BREW / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
                    &[501],
                ),
            ],
        ),
        row(
            "absolute-form target: accepted; authority-form other than CONNECT: 400",
            [
                open("GET http://h HTTP/1.1\r\nHost: x\r\n\r\n", &[200]).body("Hello, World!"),
                open("GET HTTP://h:80/bytes/2?q HTTP/1.1\r\nHost: x\r\n\r\n", &[200]).body("01"),
                open("GET https://h/ HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
                open("GET h:80 HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
                open("CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
                fatal("GET http://h/ HTTP/1.1\r\n\r\n", 400),
            ],
        ),
        row(
            "Connection: close, any case, in a list; 1.0 without keep-alive: close, and the reply says so",
            [
                case(get("/", "Connection: close\r\n"), &[200], End::Close),
                case(get("/", "cONNECTION: foo , CLOSE\r\n"), &[200], End::Close),
                case(get("/", "Connection: keep-alive\r\nConnection: close\r\n"), &[200], End::Close),
                case(get("/sleep/1", "Connection: close\r\n"), &[200], End::Close),
                case(get("/small.txt", "Connection: close\r\n"), &[200], End::Close),
                case(get("/", "Connection: close\r\n") + "GET", &[200], End::Linger),
                case(get("/sleep/1", "Connection: close\r\n") + "GET", &[200], End::Linger),
                case("GET / HTTP/1.0\r\n\r\n", &[200], End::Close),
                case("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", &[200], End::Close),
                open(get("/", "Connection: closed\r\n"), &[200]).lacks("Connection"),
            ],
        ),
        row(
            "after a request with a body the close is one in stages: its client may send on while it reads",
            [
                case(post("Connection: close\r\nContent-Length: 2\r\n", "hi"), &[200], End::Linger),
                case(
                    post("Connection: close\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
                    &[200],
                    End::Linger,
                ),
                case("POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", &[200], End::Linger),
                case(post("Connection: close\r\nContent-Length: 0\r\n", ""), &[200], End::Close),
                open(post("Content-Length: 2\r\n", "hi"), &[200]),
            ],
        ),
        row(
            "1.0 with Connection: keep-alive: kept open, and the reply says so",
            [
                open("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &[200])
                    .has("Connection", "keep-alive"),
                open("GET /nowhere HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &[404])
                    .has("Connection", "keep-alive"),
                open(get("/", "Connection: keep-alive\r\n"), &[200]).lacks("Connection"),
            ],
        ),
        row(
            "Expect: 100-continue with a body: 100, then the reply; another expectation: 417",
            [
                open(post("Expect: 100-Continue\r\nContent-Length: 2\r\n", ""), &[100]),
                open(post("Expect: 100-continue\r\nContent-Length: 2\r\n", "hi"), &[100, 200]).body("hi"),
                open(
                    post("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
                    &[100, 200],
                ),
                open(post("Expect: 100-continue\r\nContent-Length: 0\r\n", ""), &[200]),
                open(get("/", "Expect: 100-continue\r\n"), &[200]),
                case(
                    "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
                    &[200],
                    End::Linger,
                ),
                open(get("/", "Expect: tea\r\n"), &[417]),
                open(get("/", "Expect: 100-continue, tea\r\n"), &[417]),
                fatal(post("Expect: tea\r\nContent-Length: 2\r\n", "hi"), 417),
            ],
        ),
        row(
            "every reply: Date, Server, Content-Length (`reply` insists on them)",
            [
                open(get("/nowhere", ""), &[404]).has("Content-Type", "text/plain; charset=utf-8"),
                open("HEAD /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", &[404]),
                fatal("HEAD / HTTP/1.1\r\n\r\n", 400),
                fatal("HEAD / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
            ],
        ),
        row(
            "If-Modified-Since, If-None-Match that match: 304; a bad date, or more than one, is ignored",
            [
                not_modified(format!("If-Modified-Since: {MODIFIED}\r\n")),
                not_modified(format!("If-Modified-Since: {LATER}\r\n")),
                not_modified("If-Modified-Since: Sunday, 09-Sep-01 01:46:40 GMT\r\n".into()),
                not_modified(format!("If-None-Match: {etag}\r\n")),
                not_modified(format!("If-None-Match: \"a,b\", W/{etag}\r\n")),
                not_modified(format!("If-None-Match: \"x\"\r\nIf-None-Match: {etag}\r\n")),
                not_modified("If-None-Match: *\r\n".into()),
                not_modified(format!("If-None-Match: {etag}\r\nRange: bytes=0-1\r\n")),
                whole(format!("If-Modified-Since: {EARLIER}\r\n")),
                whole("If-Modified-Since: yesterday\r\n".into()),
                whole(format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {MODIFIED}\r\n")),
                whole("If-None-Match: unquoted\r\n".into()),
                open(small("If-Match: \"x\"\r\n".into()), &[412]),
                open(small(format!("If-Match: W/{etag}\r\n")), &[412]),
                open(small(format!("If-Unmodified-Since: {EARLIER}\r\n")), &[412]),
                whole(format!("If-Match: {etag}\r\nIf-Unmodified-Since: {EARLIER}\r\n")),
                whole("If-Unmodified-Since: yesterday\r\n".into()),
                // On two lines neither counts: alone each of these would be a 304, or a 412.
                whole(format!("If-Modified-Since: {MODIFIED}\r\nIf-Modified-Since: {MODIFIED}\r\n")),
                whole(format!("If-Modified-Since: yesterday\r\nIf-Modified-Since: {MODIFIED}\r\n")),
                whole(format!("If-Modified-Since: {MODIFIED}\r\nIf-Modified-Since: {LATER}\r\n")),
                whole(format!("If-Modified-Since: {MODIFIED}, {MODIFIED}\r\n")),
                whole(format!("If-Unmodified-Since: {EARLIER}\r\nIf-Unmodified-Since: {EARLIER}\r\n")),
                whole(format!("If-Unmodified-Since: {MODIFIED}\r\nIf-Unmodified-Since: {EARLIER}\r\n")),
                open(format!("HEAD /small.txt HTTP/1.1\r\nHost: x\r\nIf-None-Match: {etag}\r\n\r\n"), &[304]),
                open(get("/nowhere", "If-None-Match: *\r\n"), &[404]),
            ],
        ),
        row(
            "Range: one byte range on a file: 206, or 416; a multi-range or a bad one: the whole file",
            [
                part("bytes=0-0", "0-0", "0"),
                part("bytes=2-5", "2-5", "2345"),
                part("bytes=7-", "7-9", "789"),
                part("bytes=-3", "7-9", "789"),
                part("Bytes=5-99", "5-9", "56789"),
                no_such_part("bytes=10-"),
                no_such_part("bytes=-0"),
                whole("Range: bytes=0-1,3-4\r\n".into()),
                whole("Range: bytes=5-2\r\n".into()),
                whole("Range: lines=1-2\r\n".into()),
                whole("Range: bytes=a\r\n".into()),
                whole("Range: bytes=0-1\r\nRange: bytes=2-3\r\n".into()),
                whole("Range: bytes=0-1\r\nIf-Range: \"x\"\r\n".into()),
                whole(format!("Range: bytes=0-1\r\nIf-Range: W/{etag}\r\n")),
                whole(format!("Range: bytes=0-1\r\nIf-Range: {LATER}\r\n")),
                // Two validators, even if one of them, or both, name this version.
                whole(format!("Range: bytes=0-1\r\nIf-Range: \"x\"\r\nIf-Range: {etag}\r\n")),
                whole(format!("Range: bytes=0-1\r\nIf-Range: {etag}\r\nIf-Range: {etag}\r\n")),
                whole(format!("Range: bytes=0-1\r\nIf-Range: {etag}, {etag}\r\n")),
                open(small(format!("Range: bytes=0-1\r\nIf-Range: {etag}\r\n")), &[206]).body("01"),
                open(small(format!("Range: bytes=0-1\r\nIf-Range: {MODIFIED}\r\n")), &[206]).body("01"),
                open(get("/big.bin", "Range: bytes=250-251\r\n"), &[206]).body("\u{fffd}\0"),
                open("HEAD /small.txt HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\n\r\n", &[200])
                    .has("Content-Length", "10"),
            ],
        ),
        row(
            "`..`, `%2e%2e`, `%00`, `//`, backslashes: never a byte from outside the root: 404 or 400",
            [
                open(get("/../secret", ""), &[404]),
                open(get("/docs/../../secret", ""), &[404]),
                open(get("/%2e%2e/secret", ""), &[404]),
                open(get("/.%2E%2fsecret", ""), &[404]),
                open(get("/docs/..", ""), &[404]),
                open(get("/./small.txt", ""), &[404]),
                open(get("//small.txt", ""), &[404]),
                open(get("/docs//", ""), &[404]),
                open(get("/..\\secret", ""), &[404]),
                open(get("/..%5csecret", ""), &[404]),
                open(get("/small.txt%00", ""), &[400]),
                open(get("/%0a", ""), &[400]),
                open(get("/%7f", ""), &[400]),
                open(get("/%ff", ""), &[404]),
            ],
        ),
        row(
            "a directory: its index.html, with a 301 to the path with a slash, its query kept; no listing",
            [
                open(get("/docs/", ""), &[200])
                    .body("<p>docs")
                    .has("Content-Type", "text/html; charset=utf-8"),
                open(get("/docs", ""), &[301]).has("Location", "/docs/"),
                open(get("/docs?x=1", ""), &[301]).has("Location", "/docs/?x=1"),
                open(get("/docs?", ""), &[301]).has("Location", "/docs/?"),
                open(get("/docs?a?b=/c/", ""), &[301]).has("Location", "/docs/?a?b=/c/"),
                open(get("/docs/?x=1", ""), &[200]).body("<p>docs"),
                open(get("/%64ocs", ""), &[301]).has("Location", "/%64ocs/"),
                open("HEAD /docs?x HTTP/1.1\r\nHost: x\r\n\r\n", &[301]).has("Location", "/docs/?x"),
                open("GET http://h/docs?x HTTP/1.1\r\nHost: x\r\n\r\n", &[301]).has("Location", "/docs/?x"),
                // What is encoded stays encoded: no field of the client's can be put into the reply.
                open(get("/docs?%0d%0aSet-Cookie:a", ""), &[301])
                    .has("Location", "/docs/?%0d%0aSet-Cookie:a")
                    .lacks("Set-Cookie"),
                // A browser would take `//docs/` and `/\\docs/` for another server.
                open(get("//docs", ""), &[404]).lacks("Location"),
                open(get("/%2fdocs", ""), &[404]).lacks("Location"),
                open(get("/\\docs", ""), &[404]).lacks("Location"),
                open(get("/%5cdocs", ""), &[404]).lacks("Location"),
                open(get("/docs?//h/", ""), &[301]).has("Location", "/docs/?//h/"),
                open(get("/empty/", ""), &[404]),
                open(get("/small.txt/", ""), &[404]),
            ],
        ),
        row(
            "unreadable file 403, missing 404, out of descriptors 503: each with a short plain body",
            [
                open(get("/small.txt", ""), &[403]).open_fails(Errno::EACCES),
                open(get("/nowhere", ""), &[404]).body("404 Not Found: no such file\n"),
                open(get(&format!("/{}", "x".repeat(90)), ""), &[404]),
                open(get("/small.txt", ""), &[503]).open_fails(Errno::EMFILE),
                open(get("/small.txt", ""), &[500]).open_fails(Errno::EIO),
                case(get("/small.txt", "Connection: close\r\n"), &[503], End::Close)
                    .open_fails(Errno::ENFILE),
            ],
        ),
        row(
            "/bytes/N, /sleep/MS, /spin/US over their limits, else 400",
            [
                open(get("/bytes/70001", ""), &[400]),
                open(get("/bytes/99999999999999999999", ""), &[400]),
                open(get("/bytes/+5", ""), &[400]),
                open(get("/bytes/", ""), &[400]),
                open(get("/sleep/41", ""), &[400]),
                open(get("/spin/51", ""), &[400]),
                open(get("/spin/x", ""), &[400]),
            ],
        ),
    ]
}
