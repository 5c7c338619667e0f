//! The bytes of a reply.
//!
//! Written by hand, piece by piece: the formatting machinery would cost more than the parsing. The functions
//! are marked `inline` so that the compiler knows the length of each piece and copies it with a few moves
//! instead of a call.

use super::status::Status;
use crate::clock::LoopContext;
use crate::write_buffer::WriteBuffer;
use httpdate::HttpDate;
use std::io::Write;
use std::time::SystemTime;

/// How a request wants its reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// The request is HEAD: all headers, no body.
    pub(super) head_only: bool,
    /// The request is HTTP/1.0: that the connection stays must be said.
    pub(super) http_1_0: bool,
    /// The connection stays.
    pub(super) keep_alive: bool,
}

impl Manner {
    /// The manner at this time: a server that is draining keeps no connection.
    pub(super) fn when(self, now: &LoopContext) -> Self {
        Self { keep_alive: self.keep_alive && !now.draining, ..self }
    }
}

/// A head that is being written.
pub(super) struct Reply<'a> {
    bytes: &'a mut Vec<u8>,
}

impl<'a> Reply<'a> {
    /// Begins a head. Every reply has Server and Date.
    // Left to the compiler, it became a call, and the status no constant: 50 instructions more a request.
    #[inline(always)]
    pub(super) fn start(out: &'a mut WriteBuffer, now: &LoopContext, status: Status) -> Self {
        out.begin_reply(status.line(), now);
        let bytes = out.writer();
        bytes.reserve(256);
        bytes.extend_from_slice(status.head().as_bytes());
        let mut date = [0; 31];
        date[..29].copy_from_slice(&now.date);
        date[29..].copy_from_slice(b"\r\n");
        bytes.extend_from_slice(&date);
        Self { bytes }
    }

    /// Begins the head of an application's reply, of which no observer is told.
    pub(super) fn start_own(out: &'a mut WriteBuffer, now: &LoopContext, status: &str, fields: &str) -> Self {
        out.end_reply(now);
        let bytes = out.writer();
        for piece in ["HTTP/1.1 ", status, "\r\nServer: c10k-lab\r\nDate: "] {
            bytes.extend_from_slice(piece.as_bytes());
        }
        bytes.extend_from_slice(&now.date);
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(fields.as_bytes());
        Self { bytes }
    }

    /// Adds a field; `name` with its colon and blank.
    #[inline]
    pub(super) fn field(self, name: &'static str, value: &[u8]) -> Self {
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(b"\r\n");
        self
    }

    /// Adds a field whose value is a time.
    pub(super) fn time(self, name: &'static str, time: SystemTime) -> Self {
        self.bytes.extend_from_slice(name.as_bytes());
        write!(self.bytes, "{}\r\n", HttpDate::from(time)).expect("a vector takes every write");
        self
    }

    /// Adds Content-Length.
    #[inline]
    pub(super) fn length(self, length: u64) -> Self {
        self.bytes.extend_from_slice(b"Content-Length: ");
        self.amount(length)
    }

    /// Ends a line with a number.
    #[inline]
    fn amount(self, number: u64) -> Self {
        let digit = |number: u64| b'0' + number as u8;
        match number {
            0..10 => self.bytes.extend_from_slice(&[digit(number), b'\r', b'\n']),
            10..100 => self.bytes.extend_from_slice(&[digit(number / 10), digit(number % 10), b'\r', b'\n']),
            _ => {
                self.bytes.extend_from_slice(decimal(number, &mut [0; 20]));
                self.bytes.extend_from_slice(b"\r\n");
            }
        }
        self
    }

    /// Ends the head. Returns what a body is appended to.
    #[inline]
    pub(super) fn end(self, manner: Manner) -> &'a mut Vec<u8> {
        match (manner.keep_alive, manner.http_1_0) {
            (false, _) => self.bytes.extend_from_slice(b"Connection: close\r\n\r\n"),
            (true, true) => self.bytes.extend_from_slice(b"Connection: keep-alive\r\n\r\n"),
            (true, false) => self.bytes.extend_from_slice(b"\r\n"),
        }
        self.bytes
    }
}

/// `100 Continue`, an interim response: the client waits for it before it sends a body.
pub(super) fn send_continue(out: &mut WriteBuffer, now: &LoopContext) {
    Reply::start(out, now, Status::Continue).bytes.extend_from_slice(b"\r\n");
}

/// The fields of a 200 up to the number of Content-Length, in one piece.
pub(super) const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\nContent-Length: ";
/// [`TEXT`] for bytes of any kind.
pub(super) const BYTES: &str = "Content-Type: application/octet-stream\r\nContent-Length: ";

/// 200 with a text that was put together from pieces.
pub(super) fn text(out: &mut WriteBuffer, now: &LoopContext, manner: Manner, pieces: [&[u8]; 3]) {
    let length = pieces.iter().map(|piece| piece.len() as u64).sum();
    content(out, now, manner, TEXT, length);
    if !manner.head_only {
        pieces.iter().for_each(|piece| out.extend(piece));
    }
}

/// The head of a 200 with a body of `length` bytes, and what the caller appends the body to. `fields`:
/// [`TEXT`] or [`BYTES`].
// Inlined so that the fields are a constant, and for `/` the length too.
#[inline(always)]
pub(super) fn content<'a>(
    out: &'a mut WriteBuffer,
    now: &LoopContext,
    manner: Manner,
    fields: &'static str,
    length: u64,
) -> &'a mut Vec<u8> {
    let reply = Reply::start(out, now, Status::Ok);
    reply.bytes.extend_from_slice(fields.as_bytes());
    reply.amount(length).end(manner)
}

/// An error or a redirect: its status, a field if it needs one, and a body of one line that says why.
pub(super) fn plain(
    out: &mut WriteBuffer,
    now: &LoopContext,
    status: Status,
    manner: Manner,
    field: Option<(&'static str, &[u8])>,
    why: &str,
) {
    let line = status.line();
    let mut reply = Reply::start(out, now, status)
        .field("Content-Type: ", b"text/plain; charset=utf-8")
        .length((line.len() + why.len() + 3) as u64);
    if let Some((name, value)) = field {
        reply = reply.field(name, value);
    }
    reply.end(manner);
    if !manner.head_only {
        for piece in [line, ": ", why, "\n"] {
            out.extend(piece.as_bytes());
        }
    }
}

/// The number in digits, at the end of the buffer.
#[inline]
pub(super) fn decimal(number: u64, digits: &mut [u8; 20]) -> &[u8] {
    to_base::<10>(number, digits)
}

/// The number in hexadecimal digits, at the end of the buffer.
pub(super) fn hexadecimal(number: u64, digits: &mut [u8; 20]) -> &[u8] {
    to_base::<16>(number, digits)
}

fn to_base<const BASE: u64>(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[(number % BASE) as usize];
        number /= BASE;
        if number == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_number_in_digits_reads_back() {
        for number in [0, 9, 10, 13, 99, 100, 65_536, u64::MAX] {
            assert_eq!(super::decimal(number, &mut [0; 20]), number.to_string().as_bytes());
            assert_eq!(super::hexadecimal(number, &mut [0; 20]), format!("{number:x}").as_bytes());
        }
    }
}
