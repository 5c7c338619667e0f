//! Plain heads, parsed in one pass.
//!
//! Nearly every head that a client sends is *plain*: it is ASCII without control characters, its lines end in
//! CR LF, one blank or none follows each colon, no value is empty or has blanks around it, and the version is
//! 1.0 or 1.1. Such a head needs none of
//! httparse's care, and to look at each byte once takes a third of its instructions. What is not plain is
//! httparse's, so this parser accepts nothing that httparse does not accept, and reads it in the same way: a
//! test below holds the two together.

use super::grammar::{TARGET, TOKEN, span};
use httparse::{Header, Request};
use std::mem::MaybeUninit;

/// Room for header lines.
type Lines<'b> = [MaybeUninit<Header<'b>>];

/// What is at the front of the input.
#[derive(Debug)]
pub(super) enum Found<'h, 'b> {
    /// A plain head of this length.
    Head(usize, Request<'h, 'b>),
    /// A head that the input ends in. httparse would find no whole head either.
    Cut,
    /// Something for httparse, and the room for its header lines.
    Other(&'h mut Lines<'b>),
}

/// Looks for a plain head at the front of `input`. It has at most as many header lines as `lines` has room
/// for.
#[inline(always)]
pub(super) fn parse<'h, 'b>(input: &'b [u8], lines: &'h mut Lines<'b>) -> Found<'h, 'b> {
    match scan(input, lines) {
        Ok(Plain { length, method, path, version, count }) => {
            // SAFETY: `scan` has written so many of them.
            let headers = unsafe { lines[..count].assume_init_mut() };
            let request = Request { method: Some(method), path: Some(path), version: Some(version), headers };
            Found::Head(length, request)
        }
        Err(NotPlain::Cut) => Found::Cut,
        Err(NotPlain::Other) => Found::Other(lines),
    }
}

/// A plain head, but for its header lines, of which there are `count`.
struct Plain<'b> {
    length: usize,
    method: &'b str,
    path: &'b str,
    version: u8,
    count: usize,
}

/// See [`Found`].
enum NotPlain {
    Cut,
    Other,
}

#[allow(clippy::redundant_guards, reason = "a pattern is compared byte by byte")]
#[inline(always)]
fn scan<'b>(input: &'b [u8], lines: &mut Lines<'b>) -> Result<Plain<'b>, NotPlain> {
    // Arrays are compared with `==`: word by word.
    let (method, rest) = match input.split_first_chunk() {
        Some((get, rest)) if get == b"GET " => ("GET", rest),
        _ => word(input, TOKEN)?,
    };
    let (path, rest) = word(rest, TARGET)?;
    let (version, mut rest) = match rest.split_first_chunk() {
        Some((version, rest)) if version == b"HTTP/1.1\r\n" => (1, rest),
        Some((version, rest)) if version == b"HTTP/1.0\r\n" => (0, rest),
        _ => return Err(NotPlain::Other),
    };
    let mut count = 0;
    loop {
        if let Some((end, behind)) = rest.split_first_chunk()
            && end == b"\r\n"
        {
            return Ok(Plain { length: input.len() - behind.len(), method, path, version, count });
        }
        let name = span(rest, TOKEN);
        let (name, behind) = rest.split_at(name);
        let value = match behind {
            [b':', b' ', value @ ..] | [b':', value @ ..] => value,
            [] => return Err(NotPlain::Cut),
            _ => return Err(NotPlain::Other),
        };
        let (value, behind) = value.split_at(value_end(value));
        rest = match behind.split_first_chunk() {
            Some((end, rest)) if end == b"\r\n" => rest,
            None => return Err(NotPlain::Cut),
            Some(_) => return Err(NotPlain::Other),
        };
        let (Some(line), [first, .., last] | [first @ last]) = (lines.get_mut(count), value) else {
            return Err(NotPlain::Other);
        };
        if name.is_empty() || *first == b' ' || *last == b' ' {
            return Err(NotPlain::Other);
        }
        // SAFETY: the bytes of a token are ASCII.
        let name = unsafe { std::str::from_utf8_unchecked(name) };
        line.write(Header { name, value });
        count += 1;
    }
}

/// The word of bytes of this class, which are all ASCII, at the front, and what follows the blank behind it.
#[inline]
fn word(input: &[u8], class: u8) -> Result<(&str, &[u8]), NotPlain> {
    match input.split_at(span(input, class)) {
        ([], [_, ..]) => Err(NotPlain::Other),
        (word, [b' ', rest @ ..]) => {
            debug_assert!(word.is_ascii());
            // SAFETY: both classes that this is called with have nothing but ASCII.
            Ok((unsafe { std::str::from_utf8_unchecked(word) }, rest))
        }
        (_, []) => Err(NotPlain::Cut),
        _ => Err(NotPlain::Other),
    }
}

/// Where the first byte stands that is neither a blank nor visible ASCII, or the end. It looks at eight bytes
/// at once.
#[inline]
fn value_end(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    let (words, tail) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // A byte borrows from the one above it, or carries to it, only where it is found itself, so the
        // lowest bit that is set is right.
        let below_blank = word.wrapping_sub(ONES * 0x20);
        let above_tilde = word.wrapping_add(ONES);
        let found = (word | below_blank | above_tilde) & HIGH;
        if found != 0 {
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let found = tail.iter().position(|&byte| !matches!(byte, b' '..=b'~'));
    words.len() * 8 + found.unwrap_or(tail.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uninit<'b>() -> [MaybeUninit<Header<'b>>; 4] {
        [const { MaybeUninit::uninit() }; 4]
    }

    /// Holds this parser against httparse. Returns whether the head was plain.
    fn check(input: &[u8]) -> bool {
        let (mut ours, mut theirs) = (uninit(), uninit());
        let mut request = Request::new(&mut []);
        let expected = httparse::ParserConfig::default().parse_request_with_uninit_headers(
            &mut request,
            input,
            &mut theirs,
        );
        match parse(input, &mut ours) {
            Found::Head(length, head) => {
                assert_eq!(expected, Ok(httparse::Status::Complete(length)), "{input:?}");
                let parts = |head: &Request<'_, '_>| format!("{head:?}");
                assert_eq!(parts(&head), parts(&request), "{input:?}");
                true
            }
            Found::Cut => {
                assert!(!matches!(expected, Ok(httparse::Status::Complete(_))), "{input:?}");
                false
            }
            Found::Other(_) => false,
        }
    }

    #[test]
    fn what_clients_send_is_plain() {
        for plain in [
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "POST /echo HTTP/1.1\r\nHost:a\r\nContent-Length: 5\r\n\r\nhello",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\nX: ~, b c\r\n\r\n",
        ] {
            assert!(check(plain.as_bytes()), "{plain}");
            for cut in 1..plain.find("\r\n\r\n").expect("a head") + 4 {
                assert!(!check(&plain.as_bytes()[..cut]), "{cut} bytes of {plain}");
            }
        }
    }

    /// Each of these is right, wrong or too long, and httparse must say which.
    #[test]
    fn what_is_not_plain_is_left_to_httparse() {
        for other in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\u{e4} HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:  a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a \r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: \r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\x7fb\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: \u{e4}\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
            "GET / HTTP/1.1\r\n: a\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\r\na:1\r\nb:1\r\nc:1\r\nd:1\r\ne:1\r\n\r\n",
            " / HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            assert!(!check(other.as_bytes()), "{other:?}");
        }
    }

    proptest! {
        /// Whatever the bytes are, a head that is plain is what httparse reads.
        #[test]
        fn a_plain_head_is_what_httparse_reads(
            pieces in prop::collection::vec(
                prop_oneof![
                    4 => prop::sample::select(vec![
                        "GET ", "/", " ", "HTTP/1.1", "\r\n", "Host: a", "X:", "x: abcdefgh", "\n", "\t", ":",
                        "GET / HTTP/1.1\r\n", "A: b\r\n",
                    ]).prop_map(|text| text.as_bytes().to_vec()),
                    1 => prop::collection::vec(any::<u8>(), 1..12),
                ],
                0..12,
            ),
        ) {
            check(&pieces.concat());
        }

        /// Every byte, wherever it stands in a value of any length.
        #[test]
        fn a_value_ends_where_it_is_no_longer_plain(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let expected = text.iter().position(|byte| !matches!(byte, b' '..=b'~')).unwrap_or(text.len());
            prop_assert_eq!(value_end(&text), expected);
        }
    }
}
