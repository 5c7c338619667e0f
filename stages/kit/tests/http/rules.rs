//! What is answered when. One [`Row`] for each row of the rules, under the rule's own words.

use crate::reply::{self, Reply};
use crate::site::{MODIFIED, SMALL, Site};
use crate::stage::{Stage, converse};
use nix::errno::Errno;

/// How a conversation stands after the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Open.
    Open,
    /// Over: close at once.
    Close,
    /// Over, and the peer may still be sending.
    Linger,
}

/// One input and what must come of it.
pub struct Case {
    pub input: Vec<u8>,
    statuses: Vec<u16>,
    pub end: End,
    /// Field and value that the last reply must have; `None`: must not have.
    fields: Vec<(&'static str, Option<String>)>,
    body: Option<String>,
    /// The deadline passes behind the input.
    pub expires: bool,
    /// What opening a file fails with.
    pub open_fails: Option<Errno>,
}

/// One rule.
pub struct Row {
    pub rule: &'static str,
    pub cases: Vec<Case>,
}

impl Case {
    fn has(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, Some(value.into())));
        self
    }

    fn lacks(mut self, name: &'static str) -> Self {
        self.fields.push((name, None));
        self
    }

    fn body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    fn expires(mut self) -> Self {
        self.expires = true;
        self
    }

    fn open_fails(mut self, errno: Errno) -> Self {
        self.open_fails = Some(errno);
        self
    }

    fn check(&self, site: &Site, rule: &str) {
        let mut stage = Stage::new(&site.settings);
        stage.open_fails = self.open_fails;
        stage.feed(&self.input);
        if self.expires {
            stage.expire();
        }
        let shown = format!("{rule}\n{}\n{}", self.input.escape_ascii(), stage.wire().escape_ascii());
        let replies = reply::parse(stage.wire(), self.input.starts_with(b"HEAD "));
        assert_eq!(replies.iter().map(|reply| reply.status).collect::<Vec<_>>(), self.statuses, "{shown}");
        let end = match stage.seen().closed {
            None => End::Open,
            Some(false) => End::Close,
            Some(true) => End::Linger,
        };
        assert_eq!(end, self.end, "{shown}");
        // That it closes is said exactly where it closes.
        let says_close = |reply: &Reply| reply.header("Connection") == Some("close");
        for (i, reply) in replies.iter().enumerate() {
            let is_last = i + 1 == replies.len();
            let closes = is_last && end != End::Open && !(self.expires && end == End::Close);
            assert_eq!(says_close(reply), closes, "{shown}");
        }
        if let Some(last) = replies.last() {
            for (name, value) in &self.fields {
                assert_eq!(last.header(name), value.as_deref(), "{name}: {shown}");
            }
            if let Some(body) = &self.body {
                assert_eq!(&String::from_utf8_lossy(&last.body), body, "{shown}");
            }
        }
    }
}

fn case(input: impl Into<Vec<u8>>, statuses: &[u16], end: End) -> Case {
    let (input, statuses) = (input.into(), statuses.to_vec());
    Case { input, statuses, end, fields: Vec::new(), body: None, expires: false, open_fails: None }
}

/// The connection stays open.
fn open(input: impl Into<Vec<u8>>, statuses: &[u16]) -> Case {
    case(input, statuses, End::Open)
}

/// "400+close" and its like.
fn fatal(input: impl Into<Vec<u8>>, status: u16) -> Case {
    case(input, &[status], End::Linger)
}

fn row(rule: &'static str, cases: impl IntoIterator<Item = Case>) -> Row {
    Row { rule, cases: cases.into_iter().collect() }
}

/// A GET of the path, with more header lines.
fn get(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n")
}

/// A POST to `/echo` with these header lines and this body.
fn post(lines: &str, body: &str) -> String {
    format!("POST /echo HTTP/1.1\r\nHost: x\r\n{lines}\r\n{body}")
}

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

fn with_host(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\n{lines}\r\n")
}

/// The rules about framing.
fn framing() -> Vec<Row> {
    let lines = |count: usize| get("/", &"a: b\r\n".repeat(count));
    vec![
        row(
            "one or more empty lines before the request line: skipped",
            [
                open("\r\n\r\n\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", &[200]),
                open("\r\n", &[]),
                open(format!("{}\r\n\r\n{}", get("/", ""), get("/", "")), &[200, 200]),
            ],
        ),
        row(
            "several requests in one segment: all answered, in order",
            [open(
                [get("/", ""), get("/bytes/70000", ""), get("/bytes/3", ""), chunked("2\r\nhi\r\n0\r\n\r\n")]
                    .concat(),
                &[200, 200, 200, 200],
            )
            .body("hi")],
        ),
        row(
            "bare LF as a line end in the head: accepted; in chunked framing 400+close",
            [
                open("GET / HTTP/1.1\nHost: x\n\n", &[200]),
                open("GET / HTTP/1.1\r\nHost: x\n\r\n", &[200]),
                fatal(chunked("1\na\r\n0\r\n\r\n"), 400),
                fatal(chunked("1\r\na\n0\r\n\r\n"), 400),
                fatal(chunked("1;x\na\r\n0\r\n\r\n"), 400),
                fatal(chunked("0\r\n\n"), 400),
                fatal(chunked("0\r\na: b\n\r\n"), 400),
            ],
        ),
        row(
            "bare CR in a line; NUL or other control characters in a name or value: 400+close",
            [
                fatal(get("/", "a: b\rc\r\n"), 400),
                fatal(get("/", "a: b\r\r\n"), 400),
                fatal("GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", 400),
                fatal(get("/", "a: b\0c\r\n"), 400),
                fatal(get("/", "a: b\x01c\r\n"), 400),
                fatal(get("/", "a: b\x7fc\r\n"), 400),
                fatal(get("/", "a\0b: c\r\n"), 400),
                fatal(get("/", "a\x1bb: c\r\n"), 400),
                open(get("/", "a: b\tc \u{e4}\r\n"), &[200]),
            ],
        ),
        row(
            "space before the colon; a line that begins with a space (obs-fold): 400+close",
            [
                fatal(get("/", "a : b\r\n"), 400),
                fatal(get("/", "a\t: b\r\n"), 400),
                fatal(get("/", "a: b\r\n c\r\n"), 400),
                fatal(get("/", "a: b\r\n\tc\r\n"), 400),
                fatal("GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
                fatal(get("/", "no colon\r\n"), 400),
                fatal(get("/", ": no name\r\n"), 400),
            ],
        ),
        row(
            "1.1 with no Host, two Hosts, or a malformed Host: 400+close",
            [
                fatal(with_host(""), 400),
                fatal(with_host("Host: x\r\nHost: x\r\n"), 400),
                fatal("GET / HTTP/1.0\r\nHost: x\r\nhost: y\r\n\r\n", 400),
                fatal(with_host("Host: a b\r\n"), 400),
                fatal(with_host("Host: a/b\r\n"), 400),
                fatal(with_host("Host: a:b\r\n"), 400),
                fatal(with_host("Host: u@h\r\n"), 400),
                fatal(with_host("Host: a, b:c\r\n"), 400),
                open(with_host("Host:\r\n"), &[200]),
                open(with_host("hOST: [::1]:8080\r\n"), &[200]),
            ],
        ),
        row(
            "Transfer-Encoding and Content-Length together: 400+close",
            [
                fatal(post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400),
                fatal(post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400),
            ],
        ),
        row(
            "Transfer-Encoding in a 1.0 request: 400+close",
            [fatal("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400)],
        ),
        row(
            "Transfer-Encoding whose last coding is not chunked, or malformed: 400+close; unknown before chunked: 501+close",
            [
                fatal(post("Transfer-Encoding: gzip\r\n", ""), 400),
                fatal(post("Transfer-Encoding: chunked, gzip\r\n", ""), 400),
                fatal(post("Transfer-Encoding: identity\r\n", ""), 400),
                fatal(post("Transfer-Encoding:\r\n", ""), 400),
                fatal(post("Transfer-Encoding: ,chunked\r\n", ""), 400),
                fatal(post("Transfer-Encoding: chunked,\r\n", ""), 400),
                fatal(post("Transfer-Encoding: gzip,,chunked\r\n", ""), 400),
                fatal(post("Transfer-Encoding: gzip;, chunked\r\n", ""), 400),
                fatal(post("Transfer-Encoding: gzip;a=\"b, chunked\r\n", ""), 400),
                fatal(post("Transfer-Encoding: gzip chunked\r\n", ""), 400),
                fatal(post("Transfer-Encoding: \x0bchunked\r\n", ""), 400),
                fatal(post("Transfer-Encoding: chunked;q=1\r\n", ""), 400),
                fatal(post("Transfer-Encoding: chunked, chunked\r\n", ""), 400),
                fatal(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ""), 400),
                fatal(post("Transfer-Encoding: gzip\r\nTransfer-Encoding:\r\n", ""), 400),
                fatal(post("Transfer-Encoding: gzip, chunked\r\n", ""), 501),
                fatal(post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", ""), 501),
                fatal(post("Transfer-Encoding: x;a=b ; c=\"d, \\\"e\", Chunked\r\n", ""), 501),
                open(post("Transfer-Encoding:\tCHUNKED \r\n", "2\r\nok\r\n0\r\n\r\n"), &[200]).body("ok"),
            ],
        ),
        row(
            "Content-Length not a plain decimal, or given twice: 400+close",
            [
                fatal(post("Content-Length: +5\r\n", "12345"), 400),
                fatal(post("Content-Length: -1\r\n", ""), 400),
                fatal(post("Content-Length: 0x10\r\n", ""), 400),
                fatal(post("Content-Length: 5,5\r\n", "12345"), 400),
                fatal(post("Content-Length:\r\n", ""), 400),
                fatal(post("Content-Length: 5\r\nContent-Length: 5\r\n", "12345"), 400),
                open(post("Content-Length: 005\r\n", "12345"), &[200]).body("12345"),
            ],
        ),
        row(
            "a body over the limit: 413+close, before it is read; with Expect: 100-continue instead of the 100",
            [
                fatal(post("Content-Length: 41\r\n", ""), 413),
                fatal(post("Content-Length: 99999999999999999999\r\n", ""), 413),
                fatal(post("Content-Length: 41\r\nExpect: 100-continue\r\n", ""), 413),
                fatal(chunked("20\r\n0123456789abcdef0123456789abcdef\r\n9\r\n"), 413),
                fatal(chunked("ffffffffffffffff\r\n"), 413),
                fatal("POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 41\r\n\r\n", 413),
                open(post("Content-Length: 40\r\n", &"x".repeat(40)), &[200]).body("x".repeat(40)),
                open(chunked(&format!("28\r\n{}\r\n0\r\n\r\n", "x".repeat(40))), &[200]).body("x".repeat(40)),
            ],
        ),
        row(
            "chunked: bad size, overflow, missing CRLF, size line or trailers over the limit: 400+close",
            [
                open(
                    chunked("3;a=b;c=\"d\"\r\nabc\r\nA \t;x\r\n0123456789\r\n00\r\nTrailer: x\r\nb:\r\n\r\n"),
                    &[200],
                )
                .body("abc0123456789"),
                fatal(chunked("\r\n"), 400),
                fatal(chunked("g\r\n"), 400),
                fatal(chunked("-1\r\n"), 400),
                fatal(chunked("0x1\r\n"), 400),
                fatal(chunked(";x\r\n"), 400),
                fatal(chunked("1 \r\n"), 400),
                fatal(chunked("10000000000000000\r\n"), 400),
                fatal(chunked("1\r\nab\r\n"), 400),
                fatal(chunked("1\r\na\rb"), 400),
                fatal(chunked("1\rx"), 400),
                fatal(chunked("1;\0\r\n"), 400),
                fatal(chunked("0\r\nx y: z\r\n\r\n"), 400),
                fatal(chunked("0\r\n x: z\r\n\r\n"), 400),
                fatal(chunked("0\r\nx: z\0\r\n\r\n"), 400),
                fatal(chunked("0\r\nx: z\rb\r\n\r\n"), 400),
                fatal(chunked(&format!("1;{}\r\n", "x".repeat(200))), 400),
                fatal(chunked(&format!("0\r\nx: {}\r\n\r\n", "x".repeat(200))), 400),
                fatal(chunked(&"1;0123456789012345678\r\na\r\n".repeat(11)), 400),
            ],
        ),
        row(
            "request line over the limit: 414+close",
            [
                fatal(get(&format!("/{}", "x".repeat(105)), ""), 414),
                fatal("x".repeat(120), 414),
                open(get(&format!("/{}", "x".repeat(104)), ""), &[404]),
            ],
        ),
        row(
            "headers over the limit in bytes or in number: 431+close",
            [
                fatal(get("/", &format!("a: {}\r\n", "x".repeat(185))), 431),
                fatal(get("/", &"x".repeat(200)), 431),
                open(get("/", &format!("a: {}\r\n", "x".repeat(184))), &[200]),
                open(lines(5), &[200]),
                fatal(lines(6), 431),
            ],
        ),
        row(
            "HTTP/2.0 and any major version but 1: 505+close; HTTP/1.2 is answered as 1.1",
            [
                fatal("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
                fatal("GET / HTTP/0.9\r\nHost: x\r\n\r\n", 505),
                fatal("GET / HTTP/3.7\n", 505),
                open("GET / HTTP/1.2\r\nHost: x\r\n\r\n", &[200]).lacks("Connection"),
                open("GET / HTTP/1.9\nHost: x\n\n", &[200]).lacks("Connection"),
                open("POST /echo HTTP/1.3\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", &[200]).body("hi"),
                fatal("GET / HTTP/1.2\r\n\r\n", 400),
            ],
        ),
        row(
            "no version (0.9), or garbage: 400+close",
            [
                fatal("GET /\r\n", 400),
                fatal("GET\r\n", 400),
                fatal("GET / \r\n", 400),
                fatal("GET  / HTTP/1.1\r\n", 400),
                fatal("GET /  HTTP/1.1\r\n", 400),
                fatal("GET / HTTP/1.1 \r\n", 400),
                fatal("GET / http/1.1\r\n", 400),
                fatal("GET / XTTP/1.1\r\n", 400),
                fatal("GET / HTTP/1.10\r\n", 400),
                fatal("GET / HTTP/11\r\n", 400),
                fatal("GET /a b HTTP/1.1\r\n", 400),
                fatal("GET /\u{e4} HTTP/1.1\r\nHost: x\r\n\r\n", 400),
                fatal(b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
                fatal(" GET / HTTP/1.1\r\n", 400),
                fatal("\rGET / HTTP/1.1\r\n", 400),
                fatal("{\"json\": true}", 400),
                fatal("\0", 400),
            ],
        ),
        row(
            "TLS ClientHello, or the HTTP/2 preface: 400 or 505, +close",
            [
                fatal(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
                fatal("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
            ],
        ),
        row(
            "the peer shuts its sending side after a whole request: the reply is still sent in full",
            [open(get("/bytes/70000", ""), &[200]).has("Content-Length", "70000")],
        ),
        row(
            "a head unfinished 10 s after its first byte, or a body silent for the idle timeout: 408+close",
            [
                fatal("GET / HT", 408).expires(),
                fatal("HEAD / HT", 408).expires(),
                fatal(get("/", "").trim_end(), 408).expires(),
                fatal(post("Content-Length: 5\r\n", "123"), 408).expires(),
                fatal(chunked("5\r\n123"), 408).expires(),
            ],
        ),
        row(
            "an idle keep-alive connection past the timeout: closed silently",
            [
                case("", &[], End::Close).expires(),
                case("\r\n", &[], End::Close).expires(),
                case(get("/", ""), &[200], End::Close).expires(),
            ],
        ),
    ]
}

/// The rules about semantics. `etag` is that of `/small.txt`.
fn semantics(etag: &str) -> Vec<Row> {
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
            "a known method that the route does not take: 405 with Allow; OPTIONS (and OPTIONS *) 204 with Allow",
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
            "absolute-form target: accepted, its authority beats Host; authority-form other than CONNECT: 400",
            [
                open("GET http://h HTTP/1.1\r\nHost: x\r\n\r\n", &[200]).body("Hello, World!"),
                open("GET HTTP://h:80/bytes/2?q HTTP/1.1\r\nHost: x\r\n\r\n", &[200]).body("01"),
                open("GET http://u@h/ HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
                open("GET https://h/ HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
                open("GET h:80 HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
                open("GET bytes/1 HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
                open("CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
                open("GET /#a HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
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
            "Expect: 100-continue with a body that will be read: 100, then the reply; another expectation: 417",
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
                    End::Close,
                ),
                open(get("/", "Expect: tea\r\n"), &[417]),
                open(get("/", "Expect: 100-continue, tea\r\n"), &[417]),
                fatal(post("Expect: tea\r\nContent-Length: 2\r\n", "hi"), 417),
            ],
        ),
        row(
            "every reply: Date, Server, Content-Length (none on 1xx, 204, 304): the reader of replies insists on it",
            [
                open(get("/nowhere", ""), &[404]).has("Content-Type", "text/plain; charset=utf-8"),
                open("HEAD /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", &[404]),
                fatal("HEAD / HTTP/1.1\r\n\r\n", 400),
                fatal("HEAD / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
            ],
        ),
        row(
            "If-Modified-Since not older than the file, If-None-Match that matches: 304; a bad date is ignored",
            [
                not_modified(format!("If-Modified-Since: {MODIFIED}\r\n")),
                not_modified("If-Modified-Since: Sun, 09 Sep 2001 01:46:41 GMT\r\n".into()),
                not_modified("If-Modified-Since: Sunday, 09-Sep-01 01:46:40 GMT\r\n".into()),
                not_modified(format!("If-None-Match: {etag}\r\n")),
                not_modified(format!("If-None-Match: \"a,b\", W/{etag}\r\n")),
                not_modified(format!("If-None-Match: \"x\"\r\nIf-None-Match: {etag}\r\n")),
                not_modified("If-None-Match: *\r\n".into()),
                not_modified(format!("If-None-Match: {etag}\r\nRange: bytes=0-1\r\n")),
                whole("If-Modified-Since: Sun, 09 Sep 2001 01:46:39 GMT\r\n".into()),
                whole("If-Modified-Since: yesterday\r\n".into()),
                whole(format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {MODIFIED}\r\n")),
                whole("If-None-Match: unquoted\r\n".into()),
                open(small("If-Match: \"x\"\r\n".into()), &[412]),
                open(small(format!("If-Match: W/{etag}\r\n")), &[412]),
                open(small("If-Unmodified-Since: Sun, 09 Sep 2001 01:46:39 GMT\r\n".into()), &[412]),
                whole(format!("If-Match: {etag}\r\nIf-Unmodified-Since: Sun, 09 Sep 2001 01:46:39 GMT\r\n")),
                whole("If-Unmodified-Since: yesterday\r\n".into()),
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
                whole("Range: bytes=0-1\r\nIf-Range: Sun, 09 Sep 2001 01:46:41 GMT\r\n".into()),
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
                open(get("/%zz", ""), &[400]),
                open(get("/%4", ""), &[400]),
                open(get("/%ff", ""), &[404]),
            ],
        ),
        row(
            "a directory: its index.html, with a 301 to the path with a slash; no listing",
            [
                open(get("/docs/", ""), &[200])
                    .body("<p>docs")
                    .has("Content-Type", "text/html; charset=utf-8"),
                open(get("/docs?x", ""), &[301]).has("Location", "/docs/"),
                open(get("/%64ocs", ""), &[301]).has("Location", "/%64ocs/"),
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

/// All rows.
pub fn table(site: &Site) -> Vec<Row> {
    let seen = converse(&site.settings, [get("/small.txt", "").as_bytes()]);
    let replies = reply::parse(&seen.wire, false);
    let etag = replies[0].header("ETag").expect("a file has an entity tag");
    framing().into_iter().chain(semantics(etag)).collect()
}

#[test]
fn each_rule_is_kept() {
    let site = Site::new();
    for Row { rule, cases } in table(&site) {
        for case in cases {
            case.check(&site, rule);
        }
    }
}

#[test]
fn the_headers_of_head_are_those_of_get() {
    let site = Site::new();
    for path in
        ["/", "/bytes/3", "/bytes/70000", "/sleep/1", "/small.txt", "/big.bin", "/docs", "/nowhere", "/%zz"]
    {
        let of = |method: &str| {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n");
            let wire = converse(&site.settings, [request.as_bytes()]).wire;
            let end = wire.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
            (wire[..end].to_vec(), wire.len() > end)
        };
        let (get, has_body) = of("GET");
        assert!(has_body, "{path}");
        assert_eq!(of("HEAD"), (get, false), "{path}");
    }
}
