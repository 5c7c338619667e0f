//! The bytes of a reply.
//!
//! Written by hand, piece by piece: the formatting machinery would cost more than the parsing. The functions
//! are marked `inline` so that the compiler knows the length of each piece and copies it with a few moves
//! instead of a call.

use super::status::Status;
use crate::clock::LoopContext;
use crate::write_buffer::WriteBuffer;

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
        bytes.extend_from_slice(b"HTTP/1.1 ");
        bytes.extend_from_slice(status.line().as_bytes());
        bytes.extend_from_slice(b"\r\nServer: c10k-lab\r\nDate: ");
        bytes.extend_from_slice(&now.date);
        bytes.extend_from_slice(b"\r\n");
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

    /// Adds Content-Length.
    #[inline]
    pub(super) fn length(self, length: u64) -> Self {
        let mut digits = [0; 20];
        self.field("Content-Length: ", decimal(length, &mut digits))
    }

    /// Ends the head.
    #[inline]
    pub(super) fn end(self, manner: Manner) {
        self.bytes.extend_from_slice(match (manner.keep_alive, manner.http_1_0) {
            (false, _) => b"Connection: close\r\n\r\n".as_slice(),
            (true, true) => b"Connection: keep-alive\r\n\r\n",
            (true, false) => b"\r\n",
        });
    }
}

/// `100 Continue`, an interim response: the client waits for it before it sends a body.
pub(super) fn send_continue(out: &mut WriteBuffer, now: &LoopContext) {
    Reply::start(out, now, Status::Continue).bytes.extend_from_slice(b"\r\n");
}

/// 200 with a text that was put together from pieces.
#[inline]
pub(super) fn text(out: &mut WriteBuffer, now: &LoopContext, manner: Manner, pieces: [&[u8]; 3]) {
    let length = pieces.iter().map(|piece| piece.len() as u64).sum();
    content(out, now, manner, "text/plain; charset=utf-8", length);
    if !manner.head_only {
        pieces.iter().for_each(|piece| out.extend(piece));
    }
}

/// The head of a 200 with a body of `length` bytes, which the caller appends.
#[inline]
pub(super) fn content(
    out: &mut WriteBuffer,
    now: &LoopContext,
    manner: Manner,
    media_type: &'static str,
    length: u64,
) {
    Reply::start(out, now, Status::Ok)
        .field("Content-Type: ", media_type.as_bytes())
        .length(length)
        .end(manner);
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
pub(super) fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
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
        }
    }
}
