//! The rules about framing (RFC 9112).

use super::{End, Row, case, fatal, get, open, post, row};

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

fn with_host(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\n{lines}\r\n")
}

/// One row for each rule.
pub(super) fn rows() -> Vec<Row> {
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
            "Transfer-Encoding not ending in chunked, or malformed: 400+close; unknown coding: 501+close",
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
            "a body over the limit: 413+close, before it is read and instead of a 100",
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
                open(chunked(&("1\r\na\r\n".repeat(20) + "0\r\n\r\n")), &[200]).body("a".repeat(20)),
                fatal(chunked("\r\n"), 400),
                fatal(chunked("1\r\na\r\n\r\n"), 400),
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
                fatal("x".repeat(120) + "\0", 414),
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
            "a request target that does not match the grammar: 400+close",
            [
                fatal("GET foo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
                fatal("GET bytes/1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
                fatal("GET ?q HTTP/1.1\r\nHost: x\r\n\r\n", 400),
                fatal("GET ** HTTP/1.1\r\nHost: x\r\n\r\n", 400),
                fatal("CONNECT x: HTTP/1.1\r\nHost: x\r\n\r\n", 400),
                fatal(get("/#a", ""), 400),
                fatal(get("/small.txt#", ""), 400),
                fatal(get("/?a#b", ""), 400),
                fatal(get("/%zz", ""), 400),
                fatal(get("/%4", ""), 400),
                fatal(get("/small.txt%", ""), 400),
                fatal(get("/%/../x", ""), 400),
                fatal("GET http://u@h/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
                fatal("GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
                // Whatever else is wrong with the request, and whatever follows it.
                fatal("BREW foo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
                fatal(get("/%zz", "Expect: tea\r\n"), 400),
                fatal("HEAD foo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 400),
                fatal("POST foo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 400),
                fatal(get("foo", "") + &get("/", ""), 400),
            ],
        ),
        row(
            "a well-formed target that names nothing here: 400 or 404, and the connection stays",
            [
                open(get("/%0A", ""), &[400]),
                open(get("/small.txt%0d%0a", ""), &[400]),
                open(get("/%7F", ""), &[400]),
                open(get("/%00", ""), &[400]),
                open(get("/%ff", ""), &[404]),
                open(get("/..%2f", ""), &[404]),
                open("GET https://h/ HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
                open("GET h:80 HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
                open("GET * HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
                open("POST /%0A HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", &[400]),
                open(get("/%0A", "") + &get("/", ""), &[400, 200]).body("Hello, World!"),
                // Browsers send these as they are.
                open(get("/a|{b}", ""), &[404]),
                open(get("/bytes/1?%", ""), &[200]).body("0"),
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
