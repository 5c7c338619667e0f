//! One reading of replies: bytes in, in any pieces; heads and bodies out. No socket and no clock.
//!
//! It accepts what a client may accept: a bare LF ends a line (RFC 9112 section 2.2), any number of interim
//! replies comes before the final one (RFC 9110 section 15.2), and the end of a body is known by a length, by
//! chunks or by the end of the connection (RFC 9112 section 6.3).

use anyhow::{Error, Result, anyhow};
use httparse::{EMPTY_HEADER, Header, ParserConfig, Response, Status};
use std::fmt::Display;
use std::mem::MaybeUninit;
use std::ops::Range;

/// A longer head is no reply of a server that works; nor is a longer line in the frame of a chunked body.
pub const HEAD_LIMIT: usize = 16 * 1024;
const HEADERS_LIMIT: usize = 128;
/// More of interim replies before the final one is no server that works. RFC 9110 section 15.2 has no limit.
pub const INTERIM_LIMIT: u64 = 256 * 1024;
/// A longer body is not kept by a [`Collector`], unless it is told to.
pub const BODY_LIMIT: u64 = 80 << 20;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes.
    Length(u64),
    /// By a last chunk.
    Chunked,
    /// With the connection.
    Close,
}

/// A head of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Of the head itself, the empty line included.
    pub length: usize,
    /// The status code.
    pub status: u16,
    /// Whether another reply may follow on the connection.
    pub keeps: bool,
    /// How the end of the body is known.
    pub framing: Framing,
    /// Where the value of Date stands in the head; empty if there is none.
    pub date: Range<usize>,
}

impl Head {
    /// Whether the reply to the request is still to come. After a 101 the connection speaks another protocol:
    /// here that is final.
    pub fn is_interim(&self) -> bool {
        matches!(self.status, 100..=199) && self.status != 101
    }
}

/// Reads a head: `None` while it is unfinished.
pub fn parse_head(input: &[u8]) -> Result<Option<Head>> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_LIMIT];
    let mut none = [EMPTY_HEADER; 0];
    let mut response = Response::new(&mut none);
    // The limit holds for a head that came at once as well, or the pieces would change the verdict.
    let seen = &input[..input.len().min(HEAD_LIMIT)];
    let parsed =
        ParserConfig::default().parse_response_with_uninit_headers(&mut response, seen, &mut headers);
    let length = match parsed {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if input.len() < HEAD_LIMIT => return Ok(None),
        Ok(Status::Partial) => {
            return Err(malformed(format!("no end of the head within {HEAD_LIMIT} bytes")));
        }
        Err(error) => {
            let shown = String::from_utf8_lossy(&input[..input.len().min(40)]).into_owned();
            return Err(malformed(format!("{error} in {shown:?}")));
        }
    };
    let status = response.code.ok_or_else(|| malformed("no status"))?;
    let is_1_1 = response.version == Some(1);
    let (mut keeps, mut date) = (is_1_1, 0..0);
    let (mut announced, mut coding): (Option<u64>, Option<&[u8]>) = (None, None);
    for Header { name, value } in response.headers.iter() {
        if name.eq_ignore_ascii_case("content-length") {
            let length = decimal(value).ok_or_else(|| malformed("a Content-Length that is no number"))?;
            if announced.replace(length).is_some_and(|other| other != length) {
                return Err(malformed("two Content-Lengths that differ"));
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            // Of several lines the last one names the last coding.
            coding = Some(value);
        } else if name.eq_ignore_ascii_case("connection") {
            let has = |option: &str| items(value).any(|item| item.eq_ignore_ascii_case(option.as_bytes()));
            keeps = !has("close") && (keeps || has("keep-alive"));
        } else if name.eq_ignore_ascii_case("date") {
            // The value is a part of the input.
            let start = value.as_ptr() as usize - input.as_ptr() as usize;
            date = start..start + value.len();
        }
    }
    let is_last =
        |coding: &[u8]| items(coding).last().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
    let framing = match (status, coding) {
        // These never have a body, whatever they say.
        (100..=199 | 204 | 304, _) => Framing::Length(0),
        (_, Some(coding)) if is_last(coding) => Framing::Chunked,
        (_, Some(_)) => Framing::Close,
        (_, None) => announced.map_or(Framing::Close, Framing::Length),
    };
    // RFC 9112 section 6.1: in HTTP/1.0 a Transfer-Encoding is a fault, after which nothing is certain.
    keeps &= framing != Framing::Close && (is_1_1 || coding.is_none()) && status != 101;
    Ok(Some(Head { length, status, keeps, framing, date }))
}

fn malformed(what: impl Display) -> Error {
    anyhow!("no HTTP/1 reply: {what}")
}

/// The items of a comma-separated list.
fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// RFC 9110 section 8.6: digits and nothing else.
fn decimal(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(value).ok()?.parse().ok())?
}

/// A reply is longer than its reader keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLong {
    /// So many bytes are announced, by a Content-Length, and so many allowed.
    Announced(u64, u64),
    /// More content than the allowed bytes came.
    Sent(u64),
    /// More interim replies than so many bytes came.
    Interim(u64),
}

impl Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Announced(length, limit) => {
                write!(f, "a body of {length} bytes is announced, and at most {limit} are expected")
            }
            Self::Sent(limit) => write!(f, "still sending after {limit} bytes of a body"),
            Self::Interim(limit) => write!(f, "still no final reply after {limit} bytes of interim ones"),
        }
    }
}

impl std::error::Error for TooLong {}

/// A part of a reply.
#[derive(Clone, Debug)]
pub enum Part<'a> {
    /// The head, or that of an interim reply, which has no other part.
    Head(Head),
    /// Some of the content.
    Content(&'a [u8]),
    /// The reply is whole.
    End,
}

/// Reads the replies of one connection, part by part. It keeps nothing but an unfinished head or line, so a
/// reply that comes at once is read without an allocation.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    state: State,
    unfinished: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// In a body of which so many bytes are left.
    Length(u64),
    /// In a body that ends with the connection.
    Close,
    /// In the line with the size of a chunk (RFC 9112 section 7.1).
    ChunkSize,
    /// In a chunk of which so many bytes are left.
    Chunk(u64),
    /// In the line end after a chunk.
    ChunkEnd,
    /// In a line behind the last chunk, of which an empty one is the last; so many bytes of them have come.
    Trailer(usize),
}

impl Reader {
    /// Takes the next part off `input`; `None` when nothing is left of it that is a part. A reply without
    /// content ends with no further input, so this is to be called until it returns `None`. After an error
    /// nothing on the connection can be trusted.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Part<'a>>> {
        loop {
            match self.state {
                State::Length(0) => {
                    self.state = State::Head;
                    return Ok(Some(Part::End));
                }
                _ if input.is_empty() => return Ok(None),
                State::Head => return Ok(self.head(input)?.map(Part::Head)),
                State::Close => return Ok(Some(Part::Content(std::mem::take(input)))),
                State::Length(left) => {
                    let content = take(input, left);
                    self.state = State::Length(left - content.len() as u64);
                    return Ok(Some(Part::Content(content)));
                }
                State::Chunk(left) => {
                    let content = take(input, left);
                    let left = left - content.len() as u64;
                    self.state = if left == 0 { State::ChunkEnd } else { State::Chunk(left) };
                    return Ok(Some(Part::Content(content)));
                }
                State::ChunkSize | State::ChunkEnd | State::Trailer(_) => {
                    if !self.line(input)? {
                        return Ok(None);
                    }
                    self.state = self.state.after(&self.unfinished)?;
                    self.unfinished.clear();
                    if self.state == State::Head {
                        return Ok(Some(Part::End));
                    }
                }
            }
        }
    }

    /// Whether a reply has begun and not ended. An interim reply has ended with its head.
    pub fn is_inside(&self) -> bool {
        self.is_in_body() || !self.unfinished.is_empty()
    }

    /// Whether the head has come and the body has not ended.
    pub fn is_in_body(&self) -> bool {
        self.state != State::Head
    }

    /// Whether the end of the connection ends the reply as it should.
    pub fn ends_with_connection(&self) -> bool {
        self.state == State::Close
    }

    /// A head that comes in pieces is parsed again for each of them: a server under load sends it at once,
    /// and the limit bounds the rest.
    fn head(&mut self, input: &mut &[u8]) -> Result<Option<Head>> {
        let before = self.unfinished.len();
        if before > 0 {
            self.unfinished.extend_from_slice(input);
        }
        let Some(head) = parse_head(if before > 0 { &self.unfinished } else { input })? else {
            if before == 0 {
                self.unfinished.extend_from_slice(input);
            }
            *input = &[];
            return Ok(None);
        };
        *input = &input[head.length - before..];
        self.unfinished.clear();
        if !head.is_interim() {
            self.state = match head.framing {
                Framing::Length(length) => State::Length(length),
                Framing::Chunked => State::ChunkSize,
                Framing::Close => State::Close,
            };
        }
        Ok(Some(head))
    }

    /// Whether the line has ended; then it is in `unfinished`, without its line end.
    fn line(&mut self, input: &mut &[u8]) -> Result<bool> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let piece = take(input, end.map_or(u64::MAX, |end| end as u64 + 1));
        self.unfinished.extend_from_slice(piece);
        if self.unfinished.len() > HEAD_LIMIT {
            return Err(malformed(format!("a line of more than {HEAD_LIMIT} bytes in a chunked body")));
        }
        let text = self.unfinished.strip_suffix(b"\n").unwrap_or(&self.unfinished);
        let length = text.strip_suffix(b"\r").unwrap_or(text).len();
        if end.is_some() {
            self.unfinished.truncate(length);
        }
        Ok(end.is_some())
    }
}

impl State {
    /// What follows a line in the frame of a chunked body.
    fn after(self, line: &[u8]) -> Result<Self> {
        match (self, line) {
            (Self::ChunkSize, _) => chunk_size(line).map(|size| match size {
                0 => Self::Trailer(0),
                size => Self::Chunk(size),
            }),
            (Self::ChunkEnd, b"") => Some(Self::ChunkSize),
            (Self::Trailer(_), b"") => Some(Self::Head),
            (Self::Trailer(before), line) if before + line.len() <= HEAD_LIMIT => {
                // An empty line ends them, so each of these brings the limit nearer.
                Some(Self::Trailer(before + line.len()))
            }
            (Self::Trailer(_), _) => {
                return Err(malformed(format!("more than {HEAD_LIMIT} bytes behind a chunked body")));
            }
            _ => None,
        }
        .ok_or_else(|| malformed(format!("{:?} in the frame of a chunk", String::from_utf8_lossy(line))))
    }
}

/// The hexadecimal digits before an extension, if that is what the line has.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| b"; \t".contains(byte)).next()?;
    let is_size = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    is_size.then(|| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())?
}

/// Takes `max` bytes off `input`, or as many as there are.
fn take<'a>(input: &mut &'a [u8], max: u64) -> &'a [u8] {
    let (taken, rest) = input.split_at(usize::try_from(max).map_or(input.len(), |max| max.min(input.len())));
    *input = rest;
    taken
}

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Whether another reply may follow on the connection.
    pub keeps: bool,
    /// How the end of the body was known.
    pub framing: Framing,
    /// The content.
    pub body: Vec<u8>,
    /// All bytes of the reply: head, content, and what frames it.
    pub bytes: u64,
    /// Bytes of the interim replies that came before it.
    pub interim_bytes: u64,
}

/// Collects one reply after the other from the bytes of a connection. What it keeps is bounded, whatever
/// the peer sends: a head by [`HEAD_LIMIT`], a body by a limit that the caller may set.
#[derive(Clone, Debug)]
pub struct Collector {
    reader: Reader,
    /// The final head.
    head: Option<Head>,
    content: Vec<u8>,
    received: u64,
    interim_bytes: u64,
    body_limit: u64,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            reader: Reader::default(),
            head: None,
            content: Vec::new(),
            received: 0,
            interim_bytes: 0,
            body_limit: BODY_LIMIT,
        }
    }
}

impl Collector {
    /// From now on a body may have so many bytes; [`BODY_LIMIT`] without this. A longer one is the error
    /// [`TooLong`].
    pub fn set_body_limit(&mut self, bytes: u64) {
        self.body_limit = bytes;
    }

    /// Bytes of an unfinished reply that have come, interim ones included.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether the head is whole and the body is not.
    pub fn is_in_body(&self) -> bool {
        self.reader.is_in_body()
    }

    /// Takes bytes up to the end of a reply: how many, and the reply if its end was reached. After an error
    /// nothing on the connection can be trusted.
    pub fn feed(&mut self, input: &[u8]) -> Result<(usize, Option<Reply>)> {
        let (mut rest, mut is_whole) = (input, false);
        while !is_whole && let Some(part) = self.reader.next(&mut rest)? {
            match part {
                Part::Head(head) if head.is_interim() => {
                    self.interim_bytes += head.length as u64;
                    if self.interim_bytes > INTERIM_LIMIT {
                        return Err(TooLong::Interim(INTERIM_LIMIT).into());
                    }
                }
                Part::Head(head) => {
                    if let Framing::Length(length) = head.framing
                        && length > self.body_limit
                    {
                        return Err(TooLong::Announced(length, self.body_limit).into());
                    }
                    self.head = Some(head);
                }
                Part::Content(content) => {
                    if (self.content.len() + content.len()) as u64 > self.body_limit {
                        return Err(TooLong::Sent(self.body_limit).into());
                    }
                    self.content.extend_from_slice(content);
                }
                Part::End => is_whole = true,
            }
        }
        let taken = input.len() - rest.len();
        self.received += taken as u64;
        Ok((taken, if is_whole { self.finish() } else { None }))
    }

    /// The connection has ended: the reply that ends with it, if there is one.
    pub fn end(&mut self) -> Option<Reply> {
        if self.reader.ends_with_connection() { self.finish() } else { None }
    }

    fn finish(&mut self) -> Option<Reply> {
        let next = Self { body_limit: self.body_limit, ..Self::default() };
        let Self { head, content, received, interim_bytes, .. } = std::mem::replace(self, next);
        let Head { status, keeps, framing, .. } = head?;
        Some(Reply { status, keeps, framing, body: content, bytes: received - interim_bytes, interim_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The replies on a connection whose bytes arrive in these pieces; `None` where a reply is malformed or
    /// unfinished.
    fn replies<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<Reply>> {
        let mut collector = Collector::default();
        let mut all = Vec::new();
        for piece in pieces {
            let mut rest = piece;
            while !rest.is_empty() {
                let (taken, reply) = collector.feed(rest).ok()?;
                rest = &rest[taken..];
                all.extend(reply);
            }
        }
        let is_unfinished = collector.received() > 0;
        let last = collector.end();
        if is_unfinished && last.is_none() {
            return None;
        }
        all.extend(last);
        Some(all)
    }

    fn one(bytes: &str) -> (u16, String, bool) {
        let mut all = replies([bytes.as_bytes()]).expect(bytes);
        assert_eq!(all.len(), 1, "{bytes:?}");
        let reply = all.remove(0);
        assert_eq!(reply.bytes + reply.interim_bytes, bytes.len() as u64, "{bytes:?}");
        (reply.status, String::from_utf8(reply.body).expect("text"), reply.keeps)
    }

    /// RFC 9112 section 6.3, and section 2.2 for the line ends.
    #[test]
    fn each_framing_has_its_end() {
        let rows = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", 200, "ab", true),
            ("HTTP/1.1 200 OK\nContent-Length: 2\n\nab", 200, "ab", true),
            ("HTTP/1.1 200\r\ncontent-length:2\r\nCONNECTION: x, Close\r\n\r\nab", 200, "ab", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", 200, "ab", false),
            ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab", 200, "ab", true),
            ("HTTP/1.1 200 OK\r\n\r\nab", 200, "ab", false),
            ("HTTP/1.1 200 OK\r\n\r\n", 200, "", false),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
                200,
                "ab",
                true,
            ),
            ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\na\n1\nb\n0\n\n", 200, "ab", true),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 9\r\n\r\n\
                 2;x=\"y\"\r\nab\r\n00\r\nTrailer: z\r\n\r\n",
                200,
                "ab",
                true,
            ),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", false),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab", 200, "ab", false),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, "", true),
            ("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304, "", true),
            ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 101, "", false),
            (
                "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
                404,
                "",
                true,
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 H\r\n\r\nHTTP/1.1 103 H\r\n\r\n\
                 HTTP/1.1 200 OK\r\n\r\nab",
                200,
                "ab",
                false,
            ),
        ];
        for (bytes, status, body, keeps) in rows {
            assert_eq!(one(bytes), (status, body.to_owned(), keeps), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_reply_or_no_whole_one_is_none() {
        for bytes in [
            "Hello, World!",
            "\0\0\0\0\0\0\0\0",
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nContent-Le",
            "HTTP/1.1 103 Early Hints\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\rx\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
        ] {
            assert_eq!(replies([bytes.as_bytes()]), None, "{bytes:?}");
        }
        let error = parse_head(b"SSH-2.0-OpenSSH\r\n").expect_err("no HTTP").to_string();
        assert!(error.starts_with("no HTTP/1 reply: ") && error.contains("SSH-2.0"), "{error}");
    }

    /// Protects every part from a peer that sends a head without end.
    #[test]
    fn an_endless_head_is_given_up() {
        let endless = ["HTTP/1.1 200 OK\r\n", &"X: 0123456789\r\n".repeat(3_000)].concat();
        for size in [endless.len(), 1000, HEAD_LIMIT] {
            assert_eq!(replies(endless.as_bytes().chunks(size)), None, "in pieces of {size}");
        }
    }

    fn any_reply() -> impl Strategy<Value = String> {
        let body = "[a-z\r\n]{0,20}";
        let interim =
            prop_oneof![Just(""), Just("HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n"), Just("HTTP/1.1 100 C\n\n")];
        (interim, body, 0..4usize).prop_map(|(interim, body, kind)| {
            let length = body.len();
            let rest = match kind {
                0 => format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"),
                1 => format!("HTTP/1.1 200 OK\nContent-Length: {length}\n\n{body}"),
                2 if length > 0 => format!(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                     {length:X}\r\n{body}\r\n0\r\nT: x\r\n\r\n"
                ),
                _ => "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(),
            };
            format!("{interim}{rest}")
        })
    }

    /// What a collector with this limit says of a stream that repeats `unit` behind `head`, and how many
    /// bytes it took until then. Ten times the largest limit is without end.
    fn endless(head: &str, unit: &str, limit: u64) -> (String, u64) {
        let mut collector = Collector::default();
        collector.set_body_limit(limit);
        collector.feed(head.as_bytes()).expect("a right begin");
        let block = unit.repeat(4096 / unit.len() + 1);
        let mut fed = 0;
        loop {
            assert!(fed < 10 * (limit + INTERIM_LIMIT), "it goes on taking {unit:?}");
            assert!(
                collector.content.len() as u64 <= limit
                    && collector.reader.unfinished.len() <= 2 * HEAD_LIMIT
            );
            match collector.feed(block.as_bytes()) {
                Ok((taken, _)) => assert_eq!(taken, block.len(), "{unit:?}"),
                Err(error) => return (error.to_string(), fed),
            }
            fed += block.len() as u64;
        }
    }

    /// Protects the memory and the time of every part from a peer that never ends, in each way in which a
    /// reply can have no end.
    #[test]
    fn whatever_never_ends_is_given_up_within_its_limit() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let trailer = format!("{chunked}0\r\n");
        let rows = [
            ("HTTP/1.1 200 OK\r\n\r\n", "x", "still sending after 10000 bytes"),
            (chunked, "5\r\nhello\r\n", "still sending after 10000 bytes"),
            (chunked, "1;x=y\r\na\r\n", "still sending after 10000 bytes"),
            (chunked, "0", "a line of more than"),
            (&trailer, "X: y\r\n", "behind a chunked body"),
            ("", "HTTP/1.1 100 Continue\r\n\r\n", "still no final reply after"),
            ("HTTP/1.1 200 OK\r\n", "X: y\r\n", "no HTTP/1 reply"),
            ("HTTP/1.1 200 OK\r\nX: ", "y", "no end of the head"),
        ];
        for (head, unit, expected) in rows {
            let (error, _) = endless(head, unit, 10_000);
            assert!(error.contains(expected), "{head:?} {unit:?}: {error}");
        }
    }

    /// Protects against sums that overflow: a length near the largest number is refused where there is a
    /// limit, and is counted down where there is none.
    #[test]
    fn a_length_near_the_largest_number_is_no_panic() {
        for below in 0..20 {
            let length = u64::MAX - below;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            let chunk = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n");
            let mut collector = Collector::default();
            let error = collector.feed(head.as_bytes()).expect_err("more than is kept");
            assert_eq!(error.downcast_ref(), Some(&TooLong::Announced(length, BODY_LIMIT)));
            for begin in [&head, &chunk] {
                let mut collector = Collector::default();
                collector.set_body_limit(u64::MAX);
                collector.feed(begin.as_bytes()).expect("it may come");
                assert_eq!(collector.feed(&[b'x'; 1000]).expect("it may come").0, 1000);
                assert!(collector.end().is_none() && collector.is_in_body());
            }
        }
        let over = "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n";
        assert!(parse_head(over.as_bytes()).is_err());
    }

    /// What one byte after the other leads to, which must be the same as all at once.
    fn in_two(bytes: &[u8], cut: usize) -> Option<Vec<Reply>> {
        replies([&bytes[..cut], &bytes[cut..]])
    }

    proptest! {
        /// Protects the grader from a panic: no bytes are an answer that it cannot read or refuse, and where
        /// they are cut makes no difference.
        #[test]
        fn arbitrary_bytes_are_read_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            cut in any::<proptest::sample::Index>(),
        ) {
            let cut = cut.index(bytes.len() + 1);
            prop_assert_eq!(in_two(&bytes, cut), replies([bytes.as_slice()]));
        }

        /// The same for bytes that are nearly replies: pieces of the protocol in any order.
        #[test]
        fn nearly_replies_are_read_or_refused(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "HTTP/1.1 200 OK\r\n", "HTTP/1.0 200\n", "HTTP/1.1 100 C\r\n", "HTTP/1.1 204 N\r\n", "\r\n", "\n", "\r",
                "Content-Length: 3\r\n", "Content-Length: 18446744073709551610\r\n", "Content-Length:",
                "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "3\r\n", "0\r\n", "abc", "ffffffffffffffff\r\n",
                "\0", " ", "x: y\r\n",
            ]), 0..12),
            cut in any::<proptest::sample::Index>(),
        ) {
            let bytes = pieces.concat().into_bytes();
            let cut = cut.index(bytes.len() + 1);
            prop_assert_eq!(in_two(&bytes, cut), replies([bytes.as_slice()]));
        }

        /// Every cut of every reply, not only cuts of one size.
        #[test]
        fn a_reply_cut_at_any_byte_is_the_same(reply in any_reply()) {
            let whole = replies([reply.as_bytes()]);
            for cut in 0..=reply.len() {
                prop_assert_eq!(in_two(reply.as_bytes(), cut), whole.clone(), "cut at {}", cut);
            }
        }

        /// TCP may cut a stream anywhere: no cut changes what is read.
        #[test]
        fn cuts_change_nothing(
            sent in proptest::collection::vec(any_reply(), 1..5),
            size in 1usize..40,
        ) {
            let stream = sent.concat();
            let whole = replies([stream.as_bytes()]).expect("they are right");
            prop_assert_eq!(whole.len(), sent.len());
            prop_assert_eq!(replies(stream.as_bytes().chunks(size)).expect("they are right"), whole);
        }
    }
}
