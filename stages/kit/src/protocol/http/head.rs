//! The head at the front of the input, parsed where it lies.

use super::grammar::is_target;
use super::limits::{Limits, MAX_LINES};
use super::plain::{self, Found};
use httparse::{Header, ParserConfig, Request, Status};
use std::mem::MaybeUninit;

/// Room for the header lines of one head. It is not initialised: to fill a hundred entries takes twice as
/// long as to parse a head.
pub(super) type Lines<'b> = [MaybeUninit<Header<'b>>; MAX_LINES];

/// Room for the header lines of one head.
#[inline]
pub(super) fn lines<'b>() -> Lines<'b> {
    [const { MaybeUninit::uninit() }; MAX_LINES]
}

/// The head at the front of `input` and its length, if it is complete, httparse approves of it and it is
/// within the limits. If not, [`super::scan`] finds out why.
// Inlined, since a head is ten words that a call would move twice.
#[inline(always)]
pub(super) fn parse<'h, 'b>(
    input: &'b [u8],
    lines: &'h mut Lines<'b>,
    limits: &Limits,
) -> Option<(usize, Request<'h, 'b>)> {
    let lines = &mut lines[..usize::from(limits.max_header_lines)];
    match plain::parse(input, lines) {
        Found::Head(length, request) => is_within(&input[..length], limits).then_some((length, request)),
        Found::Cut => None,
        Found::Other(lines) => parse_any(input, lines, limits),
    }
}

/// [`parse`] for a head that is not plain.
#[cold]
fn parse_any<'h, 'b>(
    input: &'b [u8],
    lines: &'h mut [MaybeUninit<Header<'b>>],
    limits: &Limits,
) -> Option<(usize, Request<'h, 'b>)> {
    let mut request = Request::new(&mut []);
    let parsed = ParserConfig::default().parse_request_with_uninit_headers(&mut request, input, lines);
    let Ok(Status::Complete(length)) = parsed else { return None };
    // httparse lets UTF-8 pass in a target.
    let visible = request.path?.bytes().all(is_target);
    (visible && is_within(&input[..length], limits)).then_some((length, request))
}

/// Whether a whole head is within the limits on its two parts.
fn is_within(head: &[u8], limits: &Limits) -> bool {
    let (line, fields) = (limits.max_request_line as usize, limits.max_header_bytes as usize);
    if head.len() <= line.min(fields) {
        return true;
    }
    let request_line = head.iter().position(|&byte| byte == b'\n').map_or(head.len(), |feed| feed + 1);
    request_line <= line && head.len() - request_line <= fields
}

/// The length of the empty lines at the front (RFC 9112 §2.2).
pub(super) fn empty_lines(input: &[u8]) -> usize {
    // Most often there is none.
    if !matches!(input, [b'\r' | b'\n', ..]) {
        return 0;
    }
    let mut rest = input;
    while let [b'\r', b'\n', tail @ ..] | [b'\n', tail @ ..] = rest {
        rest = tail;
    }
    input.len() - rest.len()
}
