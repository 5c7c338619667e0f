//! Where a head ends, for a head that did not come in one piece, or that httparse refuses.
//!
//! The verdict on a head may depend on its bytes alone, never on how the network cut them. httparse sees a
//! whole head or says "partial"; called again for each byte of a head that arrives byte by byte, it would
//! start anew each time. So this scanner looks at each byte once, line by line, and reaches its verdict at
//! the earliest line end (in the method: the earliest byte) where the head is wrong or over a limit.
//!
//! What httparse and the limits accept, the scanner accepts: tests/http/cuts.rs holds the two together.

use super::grammar::{is_field, is_target, is_token};
use super::limits::Limits;
use super::status::{Reject, Status};

/// How far a head has been looked at. All positions count from the head's first byte.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// Bytes looked at.
    seen: u32,
    /// Where the line that `seen` is in begins.
    line: u32,
    /// Where the header section begins; 0 while in the request line.
    fields: u32,
    /// Header lines so far.
    lines: u16,
    /// The N of HTTP/1.N.
    minor: u8,
    /// The blank behind the method was seen.
    past_method: bool,
    /// The method is HEAD: a reply has no body, not even one that says what is wrong.
    pub(super) head_only: bool,
}

/// A whole head.
#[derive(Clone, Copy, Debug)]
pub(super) struct CompleteHead {
    /// Its length.
    pub(super) length: usize,
    /// Where the N of HTTP/1.N stands.
    pub(super) digit: usize,
    /// The N of HTTP/1.N.
    pub(super) minor: u8,
}

impl Scan {
    /// Whether no byte of a head has come yet.
    pub(super) fn is_new(&self) -> bool {
        self.seen == 0
    }

    /// Looks at the bytes of `head` that are new. `None`: the head is not complete.
    pub(super) fn advance(&mut self, head: &[u8], limits: &Limits) -> Result<Option<CompleteHead>, Reject> {
        if self.fields == 0 && !self.request_line(head, limits)? {
            return Ok(None);
        }
        let max = self.fields as usize + limits.max_header_bytes as usize;
        while let Some(line) = self.next_line(head, max) {
            if line.is_empty() {
                // The request line ends in LF or CR LF, and the digit stands before that.
                let digit = self.fields as usize - 2 - usize::from(head[self.fields as usize - 2] == b'\r');
                return Ok(Some(CompleteHead { length: self.seen as usize, digit, minor: self.minor }));
            }
            self.lines += 1;
            if self.lines > limits.max_header_lines {
                return Err(Reject { status: Status::HeaderFieldsTooLarge, why: "too many header lines" });
            }
            check_field(line)?;
        }
        if head.len() >= max {
            return Err(Reject {
                status: Status::HeaderFieldsTooLarge,
                why: "the header section is too long",
            });
        }
        Ok(None)
    }

    /// Takes the request line. Returns whether it is complete.
    fn request_line(&mut self, head: &[u8], limits: &Limits) -> Result<bool, Reject> {
        let max = limits.max_request_line as usize;
        if !self.past_method {
            // Byte by byte: a TLS ClientHello has no line end to wait for.
            let seen = self.seen as usize;
            if let Some(end) = head[seen..head.len().min(max)].iter().position(|&byte| !is_token(byte)) {
                if head[seen + end] != b' ' || seen + end == 0 {
                    return Err(Reject::bad("the request does not begin with a method and a space"));
                }
                self.past_method = true;
                self.head_only = head.starts_with(b"HEAD ");
            }
        }
        match self.next_line(head, max) {
            Some(line) => {
                self.minor = check_request_line(line)?;
                self.fields = self.seen;
                Ok(true)
            }
            None if head.len() >= max => {
                Err(Reject { status: Status::UriTooLong, why: "the request line is too long" })
            }
            None => Ok(false),
        }
    }

    /// The next line without its line end, if that stands among the first `max` bytes of the head.
    fn next_line<'a>(&mut self, head: &'a [u8], max: usize) -> Option<&'a [u8]> {
        let end = head.len().min(max);
        let seen = self.seen as usize;
        let Some(feed) = head[seen..end].iter().position(|&byte| byte == b'\n') else {
            self.seen = end as u32;
            return None;
        };
        let line = &head[self.line as usize..seen + feed];
        self.seen = (seen + feed + 1) as u32;
        self.line = self.seen;
        // A bare LF is a line end too (RFC 9112 §2.2); a CR anywhere else is not.
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// `METHOD target HTTP/1.N`: the N.
fn check_request_line(line: &[u8]) -> Result<u8, Reject> {
    let mut words = line.splitn(3, |&byte| byte == b' ');
    let (_method, target, version) = (words.next(), words.next(), words.next());
    let Some(version) = version else {
        return Err(Reject::bad("the request line has no HTTP version"));
    };
    if !target.is_some_and(|target| !target.is_empty() && target.iter().copied().all(is_target)) {
        return Err(Reject::bad("the request target has bytes that are not visible ASCII"));
    }
    // httparse returns `Version` for HTTP/1.2, HTTP/2.0 and XTTP/1.1 alike; our answers differ.
    match version {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'0'..=b'9'] => Ok(minor - b'0'),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(Reject {
            status: Status::VersionNotSupported,
            why: "this server speaks HTTP/1.1 and HTTP/1.0",
        }),
        _ => Err(Reject::bad("the request line does not end in an HTTP version")),
    }
}

/// One header line (RFC 9112 §5.1).
fn check_field(line: &[u8]) -> Result<(), Reject> {
    if matches!(line[0], b' ' | b'\t') {
        return Err(Reject::bad("a header line begins with a space"));
    }
    let name = line.iter().take_while(|&&byte| is_token(byte)).count();
    match line.get(name) {
        Some(b':') if name > 0 => {}
        Some(b' ' | b'\t') => return Err(Reject::bad("space before the colon")),
        _ => return Err(Reject::bad("a header line has no valid name and colon")),
    }
    if line[name + 1..].iter().copied().all(is_field) {
        Ok(())
    } else {
        Err(Reject::bad("a control character in a header value"))
    }
}
