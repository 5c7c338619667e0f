//! How long the body of a request is (RFC 9112 §6).

use super::grammar::{decimal, is_token, trim};
use super::status::{Reject, Status};

/// How the end of the body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is no body.
    Empty,
    /// So many bytes; never 0.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// What Content-Length and Transfer-Encoding have said so far.
#[derive(Debug, Default)]
pub(super) struct Declared {
    length: Option<u64>,
    codings: Option<Codings>,
}

/// The transfer codings, in order over all lines.
#[derive(Clone, Copy, Debug)]
struct Codings {
    last_is_chunked: bool,
    unknown: bool,
}

impl Declared {
    /// One Content-Length line. A number too large for 64 bits is only a body over the limit.
    pub(super) fn content_length(&mut self, value: &[u8]) -> Result<(), Reject> {
        let Some(length) = decimal(trim(value)) else {
            return Err(Reject::bad("Content-Length is not a plain decimal"));
        };
        if self.length.replace(length).is_some() {
            // Even if they agree: an intermediary may have read such a request in another way.
            return Err(Reject::bad("Content-Length is given twice"));
        }
        Ok(())
    }

    /// One Transfer-Encoding line: `coding *( "," coding )`.
    pub(super) fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Reject> {
        let mut rest = value;
        loop {
            let coding;
            let parameters;
            (coding, parameters, rest) = split_coding(rest)?;
            let codings = self.codings.get_or_insert(Codings { last_is_chunked: false, unknown: false });
            if codings.last_is_chunked {
                return Err(Reject::bad("chunked is not the last transfer coding, or is there twice"));
            }
            if coding.eq_ignore_ascii_case(b"chunked") {
                if parameters {
                    return Err(Reject::bad("chunked takes no parameters"));
                }
                codings.last_is_chunked = true;
            } else {
                codings.unknown = true;
            }
            match rest {
                [] => return Ok(()),
                [_comma, tail @ ..] => rest = tail,
            }
        }
    }

    /// The verdict. `http_1_0`: the request is HTTP/1.0.
    #[inline]
    pub(super) fn framing(&self, http_1_0: bool) -> Result<Framing, Reject> {
        match (self.length, self.codings) {
            (None | Some(0), None) => Ok(Framing::Empty),
            (Some(length), None) => Ok(Framing::Length(length)),
            // The two contradict each other: the classic way to smuggle a request.
            (Some(_), Some(_)) => Err(Reject::bad("both Content-Length and Transfer-Encoding")),
            (None, Some(_)) if http_1_0 => Err(Reject::bad("Transfer-Encoding in an HTTP/1.0 request")),
            (None, Some(codings)) if !codings.last_is_chunked => {
                Err(Reject::bad("the last transfer coding is not chunked"))
            }
            (None, Some(codings)) if codings.unknown => {
                Err(Reject { status: Status::NotImplemented, why: "unknown transfer coding" })
            }
            (None, Some(_)) => Ok(Framing::Chunked),
        }
    }
}

/// Splits `coding *( OWS ";" OWS token BWS "=" BWS ( token / quoted-string ) ) OWS` off the front: the
/// coding, whether it has parameters, and what is behind, which is empty or begins with a comma.
fn split_coding(list: &[u8]) -> Result<(&[u8], bool, &[u8]), Reject> {
    const MALFORMED: Reject = Reject::bad("malformed Transfer-Encoding");
    let (coding, mut rest) = split_token(skip_blanks(list)).ok_or(MALFORMED)?;
    let mut parameters = false;
    loop {
        rest = skip_blanks(rest);
        match rest {
            [] | [b',', ..] => return Ok((coding, parameters, rest)),
            [b';', tail @ ..] => {
                parameters = true;
                let (_name, tail) = split_token(skip_blanks(tail)).ok_or(MALFORMED)?;
                let tail = skip_blanks(tail).strip_prefix(b"=").ok_or(MALFORMED)?;
                rest = skip_value(skip_blanks(tail)).ok_or(MALFORMED)?;
            }
            _ => return Err(MALFORMED),
        }
    }
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()..]
}

fn split_token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    match text.iter().take_while(|&&byte| is_token(byte)).count() {
        0 => None,
        end => Some(text.split_at(end)),
    }
}

/// What is behind a token or a quoted string.
fn skip_value(text: &[u8]) -> Option<&[u8]> {
    let [b'"', quoted @ ..] = text else {
        return split_token(text).map(|(_, rest)| rest);
    };
    let mut rest = quoted;
    loop {
        match rest {
            [b'"', tail @ ..] => return Some(tail),
            [b'\\', _, tail @ ..] | [_, tail @ ..] => rest = tail,
            [] => return None,
        }
    }
}
