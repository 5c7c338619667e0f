//! One reading of replies: bytes in, in any pieces; heads and bodies out. No socket and no clock.
//!
//! It accepts what a client may accept: a bare LF ends a line (RFC 9112 section 2.2), any number of interim
//! replies comes before the final one (RFC 9110 section 15.2), and the end of a body is known by a length, by
//! chunks or by the end of the connection (RFC 9112 section 6.3).

use httparse::{EMPTY_HEADER, Header, ParserConfig, Response, Status};
use std::mem::MaybeUninit;
use std::ops::Range;

/// A longer head is no reply of a server that works.
pub const HEAD_LIMIT: usize = 16 * 1024;
const HEADERS_LIMIT: usize = 128;

/// What is no reply, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(String);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no HTTP/1 reply: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

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

/// What a head says.
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
pub fn parse_head(input: &[u8]) -> Result<Option<Head>, Malformed> {
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

fn malformed(what: impl Into<String>) -> Malformed {
    Malformed(what.into())
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

/// A part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Bytes of the input that are dealt with.
    pub taken: usize,
    /// Those of them that are content.
    pub content: Range<usize>,
    /// Whether the body has ended.
    pub is_whole: bool,
}

/// Finds the content and the end of a body.
#[derive(Clone, Copy, Debug)]
pub struct Body(State);

#[derive(Clone, Copy, Debug)]
enum State {
    /// So many bytes are left.
    Length(u64),
    Chunk(Chunk),
    Close,
}

/// Where a chunked body is (RFC 9112 section 7.1).
#[derive(Clone, Copy, Debug)]
enum Chunk {
    /// In the digits of a size, of which the first has come or not.
    Size { size: u64, has_digit: bool },
    /// In the rest of the line, after the size.
    Extension { size: u64 },
    /// After the CR of that line.
    SizeEnd { size: u64 },
    /// So many bytes of the chunk are left.
    Content(u64),
    /// The line end after a chunk; its CR has come or not.
    ContentEnd { has_cr: bool },
    /// In a line of the trailer, which is empty so far or not.
    Trailer { is_empty: bool },
}

impl Body {
    /// At the beginning of a body.
    pub fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunk(Chunk::Size { size: 0, has_digit: false }),
            Framing::Close => State::Close,
        })
    }

    /// Takes the next part off `input`; to be called again with what is left of it, until the body is whole
    /// or nothing is left. A body without content is whole with no input.
    pub fn next(&mut self, input: &[u8]) -> Result<Piece, Malformed> {
        match &mut self.0 {
            State::Length(left) => {
                let taken = take(left, input.len());
                Ok(Piece { taken, content: 0..taken, is_whole: *left == 0 })
            }
            State::Close => Ok(Piece { taken: input.len(), content: 0..input.len(), is_whole: false }),
            State::Chunk(chunk) => chunk.next(input),
        }
    }

    /// Whether the end of the connection ends the body as it should.
    pub fn ends_with_connection(&self) -> bool {
        matches!(self.0, State::Close)
    }
}

impl Chunk {
    fn next(&mut self, input: &[u8]) -> Result<Piece, Malformed> {
        for (at, &byte) in input.iter().enumerate() {
            if let Self::Content(left) = self {
                let taken = take(left, input.len() - at);
                if *left == 0 {
                    *self = Self::ContentEnd { has_cr: false };
                }
                return Ok(Piece { taken: at + taken, content: at..at + taken, is_whole: false });
            }
            *self = match (*self, byte) {
                (Self::Size { size, .. }, digit) if digit.is_ascii_hexdigit() => {
                    let digit = char::from(digit).to_digit(16).map_or(0, u64::from);
                    let size = size.checked_mul(16).and_then(|size| size.checked_add(digit));
                    let size = size.ok_or_else(|| malformed("a chunk size beyond 64 bits"))?;
                    Self::Size { size, has_digit: true }
                }
                (
                    Self::Size { size, has_digit: true } | Self::Extension { size } | Self::SizeEnd { size },
                    b'\n',
                ) => {
                    if size == 0 {
                        Self::Trailer { is_empty: true }
                    } else {
                        Self::Content(size)
                    }
                }
                (Self::Size { size, has_digit: true } | Self::Extension { size }, b'\r') => {
                    Self::SizeEnd { size }
                }
                (Self::Size { size, has_digit: true }, b';' | b' ' | b'\t') => Self::Extension { size },
                (Self::Extension { size }, _) => Self::Extension { size },
                (Self::ContentEnd { has_cr: false }, b'\r') => Self::ContentEnd { has_cr: true },
                (Self::ContentEnd { .. }, b'\n') => Self::Size { size: 0, has_digit: false },
                (Self::Trailer { is_empty: true }, b'\n') => {
                    return Ok(Piece { taken: at + 1, content: at..at, is_whole: true });
                }
                (Self::Trailer { .. }, b'\n') => Self::Trailer { is_empty: true },
                (Self::Trailer { is_empty }, b'\r') => Self::Trailer { is_empty },
                (Self::Trailer { .. }, _) => Self::Trailer { is_empty: false },
                _ => return Err(malformed(format!("byte {:?} in the frame of a chunk", char::from(byte)))),
            };
        }
        Ok(Piece { taken: input.len(), content: 0..0, is_whole: false })
    }
}

/// Takes as much of `left` as there is.
fn take(left: &mut u64, there: usize) -> usize {
    let taken = usize::try_from(*left).map_or(there, |left| left.min(there));
    *left -= taken as u64;
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

/// Collects one reply after the other from the bytes of a connection.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    /// The beginning of a head.
    start: Vec<u8>,
    /// The final head, and where its body is.
    inside: Option<(Head, Body)>,
    content: Vec<u8>,
    bytes: u64,
    interim_bytes: u64,
}

impl Collector {
    /// Bytes of an unfinished reply that have come, interim ones included.
    pub fn received(&self) -> u64 {
        self.bytes + self.interim_bytes
    }

    /// Whether the head is whole and the body is not.
    pub fn is_in_body(&self) -> bool {
        self.inside.is_some()
    }

    /// Takes bytes up to the end of a reply: how many, and the reply if its end was reached. After an error
    /// nothing on the connection can be trusted.
    pub fn feed(&mut self, input: &[u8]) -> Result<(usize, Option<Reply>), Malformed> {
        let mut at = 0;
        while self.inside.is_none() {
            let before = self.start.len();
            self.start.extend_from_slice(&input[at..]);
            let Some(head) = parse_head(&self.start)? else {
                self.bytes = self.start.len() as u64;
                return Ok((input.len(), None));
            };
            at += head.length - before;
            self.start.clear();
            if head.is_interim() {
                self.interim_bytes += head.length as u64;
                self.bytes = 0;
            } else {
                self.bytes = head.length as u64;
                let body = Body::new(head.framing);
                self.inside = Some((head, body));
            }
        }
        while let Some((_, body)) = &mut self.inside {
            let piece = body.next(&input[at..])?;
            self.content.extend_from_slice(&input[at..][piece.content]);
            self.bytes += piece.taken as u64;
            at += piece.taken;
            if piece.is_whole {
                return Ok((at, self.finish()));
            }
            if at == input.len() {
                break;
            }
        }
        Ok((at, None))
    }

    /// The connection has ended: the reply that ends with it, if there is one.
    pub fn end(&mut self) -> Option<Reply> {
        match &self.inside {
            Some((_, body)) if body.ends_with_connection() => self.finish(),
            _ => None,
        }
    }

    fn finish(&mut self) -> Option<Reply> {
        let Self { inside, content, bytes, interim_bytes, .. } = std::mem::take(self);
        let (head, _) = inside?;
        let Head { status, keeps, framing, .. } = head;
        Some(Reply { status, keeps, framing, body: content, bytes, interim_bytes })
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

    proptest! {
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
