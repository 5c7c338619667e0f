//! The request target (RFC 9112 §3.2) and the path in it (RFC 3986 §3.3).
//!
//! What is wrong with a target decides whether the connection can stay:
//!
//! | target | answer | why |
//! |---|---|---|
//! | none of the four forms (`foo`, `?q`, `a/b`), or a fragment in it | 400+close | not the grammar |
//! | a `%` in the path without two hexadecimal digits | 400+close | not the grammar |
//! | `http://` without a valid host, or with a user | 400+close | as a malformed Host, which it replaces |
//! | another scheme; authority-form or `*` where the method takes neither | 400 | well-formed |
//! | a control character once decoded (`%0A`, `%7F`, `%00`) | 400 | well-formed, and names no file |
//! | `..`, an empty segment, a backslash, or not UTF-8, once decoded | 404 | well-formed, and names no file |
//!
//! The rule behind it: a server should answer a message that does not match the grammar with 400 and close
//! (RFC 9112 §2.2). Servers that are lenient with such a target read it in different ways (nginx and hyper
//! cut a fragment off, h2o puts a slash before `foo` and takes `%zz` literally), so a proxy on the way may
//! have understood another request than we would. A target that matches the grammar puts nothing in doubt,
//! whatever it names: the next request begins where the body of this one ends, and only this one is refused.
//!
//! Two things pass although the grammar has no place for them, because browsers send them: visible characters
//! that ought to be encoded (`|`, `{`, a backslash), and a stray `%` in a query, which nothing here decodes.

use super::grammar::is_authority;
use super::status::Status;
use std::borrow::Cow;

/// The four forms of a request target, of which two have a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// Origin-form or absolute-form.
    Path {
        /// Path and query as they were sent: visible ASCII that begins with exactly one slash.
        sent: &'a str,
        /// The path without its percent-encoding. It begins with a slash and has no `.` or `..` segment, no
        /// empty segment but a last one, no backslash and no control character.
        path: Cow<'a, str>,
    },
    /// `host:port`, for CONNECT.
    Authority,
    /// `*`, for OPTIONS.
    Asterisk,
}

/// What is wrong with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It does not match the grammar: nothing of this message can be trusted. 400, and the connection closes.
    Malformed(&'static str),
    /// It is well-formed and names nothing that this server has. The connection stays.
    NoSuchName(Status, &'static str),
}

/// Tells the forms apart and decodes the path. The caller has seen that all of it is visible ASCII.
pub(super) fn parse(target: &str) -> Result<Target<'_>, Fault> {
    if target.bytes().any(|byte| byte == b'#') {
        return Err(Fault::Malformed("a request target has no fragment"));
    }
    if target == "*" {
        return Ok(Target::Asterisk);
    }
    if target.starts_with('/') {
        return with_path(target);
    }
    if let Some((scheme, rest)) = target.split_once("://")
        && is_scheme(scheme)
    {
        // https says that the client means another server than one without TLS (RFC 9110 §7.4).
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(Fault::NoSuchName(Status::BadRequest, "the request target is no http URI"));
        }
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.is_empty() || authority.starts_with(':') || !is_authority(authority.as_bytes()) {
            return Err(Fault::Malformed("the request target has no valid host"));
        }
        // An empty path is that of the root (RFC 9110 §4.2.3), which is never redirected: drop its query.
        return with_path(if rest.starts_with('/') { rest } else { "/" });
    }
    match target.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !port.is_empty() && is_authority(target.as_bytes()) => {
            Ok(Target::Authority)
        }
        // Among them `host:`, which the grammar allows and RFC 9112 §3.2.3 forbids.
        _ => Err(Fault::Malformed("the request target is neither a path nor an http URI")),
    }
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// `sent` begins with a slash.
fn with_path(sent: &str) -> Result<Target<'_>, Fault> {
    let path = sent.split_once('?').map_or(sent, |(path, _query)| path);
    let escaped = path.bytes().any(|byte| byte == b'%');
    let path = if escaped { Cow::Owned(unescape(path)?) } else { Cow::Borrowed(path) };
    if path.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(Fault::NoSuchName(Status::BadRequest, "a control character in the path"));
    }
    let no_such_path = |why| Err(Fault::NoSuchName(Status::NotFound, why));
    if path.bytes().any(|byte| byte == b'\\') {
        return no_such_path("no path has a backslash");
    }
    let (inner, last) = path[1..].rsplit_once('/').unwrap_or(("x", &path[1..]));
    let is_name = |segment: &[u8]| !matches!(segment, b"" | b"." | b"..");
    let names = inner.as_bytes().split(|&byte| byte == b'/').all(is_name);
    if !names || matches!(last, "." | "..") {
        return no_such_path("no path has an empty segment, . or ..");
    }
    Ok(Target::Path { sent, path })
}

/// The path without its percent-encoding.
fn unescape(path: &str) -> Result<String, Fault> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |i: usize| tail.get(i).and_then(|&byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err(Fault::Malformed("a percent sign without two hexadecimal digits"));
        };
        bytes.push((high * 16 + low) as u8);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| Fault::NoSuchName(Status::NotFound, "no path is other than UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_decides_which_part_is_the_path() {
        for (target, sent, path) in [
            ("/", "/", "/"),
            ("/a?b=/../%zz", "/a?b=/../%zz", "/a"),
            ("/%61/?b", "/%61/?b", "/a/"),
            ("http://h", "/", "/"),
            ("HTTP://h:80?q", "/", "/"),
            ("http://[::1]:80/a/b?c", "/a/b?c", "/a/b"),
        ] {
            assert_eq!(parse(target), Ok(Target::Path { sent, path: path.into() }), "{target}");
        }
        assert_eq!(parse("*"), Ok(Target::Asterisk));
        assert_eq!(parse("h:80"), Ok(Target::Authority));
    }

    /// Protects the table at the top: what closes the connection and what does not.
    #[test]
    fn what_does_not_match_the_grammar_is_told_from_what_names_nothing() {
        for bad in [
            "h",
            "h:",
            ":80",
            "**",
            "a/b",
            "?q",
            "http://",
            "http:///a",
            "http://:80/",
            "http://u@h/",
            "://h/",
            "1a://h/",
            "/a#b",
            "/#",
            "http://h/#",
            "#",
            "*#",
            "/%",
            "/%4",
            "/%zz",
            "/%4g",
            "/../%zz",
        ] {
            assert!(matches!(parse(bad), Err(Fault::Malformed(_))), "{bad}");
        }
        for none in [
            "https://h/",
            "ftp://h/x",
            "/%0A",
            "/%7F",
            "/%00",
            "/..",
            "//",
            "//h/",
            "/%2fh",
            "/\\h",
            "/%5ch",
            "/%ff",
        ] {
            assert!(matches!(parse(none), Err(Fault::NoSuchName(..))), "{none}");
        }
    }
}
