//! The request target (RFC 9112 §3.2) and the path in it (RFC 3986 §3.3).

use super::grammar::is_authority;
use super::status::Status;
use std::borrow::Cow;

/// The four forms of a request target.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// Origin-form or absolute-form: the path as it was sent, without the query.
    Path(&'a str),
    /// `host:port`, for CONNECT.
    Authority,
    /// `*`, for OPTIONS.
    Asterisk,
}

/// Tells the forms apart. `Err` says what is wrong.
pub(super) fn parse(target: &str) -> Result<Target<'_>, &'static str> {
    if target.bytes().any(|byte| byte == b'#') {
        return Err("a request target has no fragment");
    }
    if target == "*" {
        return Ok(Target::Asterisk);
    }
    if target.starts_with('/') {
        return Ok(Target::Path(without_query(target)));
    }
    if let Some((scheme, rest)) = target.split_once("://") {
        // https says that the client means another server than one without TLS (RFC 9110 §7.4).
        if !scheme.eq_ignore_ascii_case("http") {
            return Err("the request target is no http URI");
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.is_empty() || authority.starts_with(':') || !is_authority(authority.as_bytes()) {
            return Err("the request target has no valid host");
        }
        let path = without_query(path);
        return Ok(Target::Path(if path.is_empty() { "/" } else { path }));
    }
    match target.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !port.is_empty() && is_authority(target.as_bytes()) => {
            Ok(Target::Authority)
        }
        _ => Err("the request target is neither a path nor an http URI"),
    }
}

fn without_query(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// The path without its percent-encoding, if it is one that may be looked up. What it lets through has no
/// `.` or `..` segment, no empty segment but a last one, no backslash and no control character.
pub(super) fn decode(path: &str) -> Result<Cow<'_, str>, (Status, &'static str)> {
    let escaped = path.bytes().any(|byte| byte == b'%');
    let decoded = if escaped { Cow::Owned(unescape(path)?) } else { Cow::Borrowed(path) };
    if decoded.bytes().any(|byte| byte.is_ascii_control()) {
        return Err((Status::BadRequest, "a control character in the path"));
    }
    if decoded.bytes().any(|byte| byte == b'\\') {
        return Err((Status::NotFound, "no path has a backslash"));
    }
    let (inner, last) = decoded[1..].rsplit_once('/').unwrap_or(("x", &decoded[1..]));
    let is_name = |segment: &[u8]| !matches!(segment, b"" | b"." | b"..");
    let names = inner.as_bytes().split(|&byte| byte == b'/').all(is_name);
    if !names || matches!(last, "." | "..") {
        return Err((Status::NotFound, "no path has an empty segment, . or .."));
    }
    Ok(decoded)
}

fn unescape(path: &str) -> Result<String, (Status, &'static str)> {
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
            return Err((Status::BadRequest, "a percent sign without two hexadecimal digits"));
        };
        bytes.push((high * 16 + low) as u8);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| (Status::NotFound, "no path is other than UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_decides_which_part_is_the_path() {
        for (target, path) in [
            ("/", "/"),
            ("/a?b=/../", "/a"),
            ("http://h", "/"),
            ("HTTP://h:80?q", "/"),
            ("http://[::1]:80/a/b?c", "/a/b"),
        ] {
            assert_eq!(parse(target), Ok(Target::Path(path)), "{target}");
        }
        assert_eq!(parse("*"), Ok(Target::Asterisk));
        assert_eq!(parse("h:80"), Ok(Target::Authority));
        for bad in
            ["h", "h:", ":80", "**", "http://", "http:///a", "http://u@h/", "https://h/", "/a#b", "a/b", "?q"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
