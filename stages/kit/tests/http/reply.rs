//! A reader of replies that knows nothing of kit and forgives nothing.

use crate::stage::DATE;

/// One reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The value of a field, if it is there.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// All the replies in `wire`. `to_head`: they answer HEAD requests. Panics at whatever RFC 9112 or the
/// rules of this server forbid.
pub(crate) fn parse(mut wire: &[u8], to_head: bool) -> Vec<Reply> {
    let mut replies = Vec::new();
    while !wire.is_empty() {
        let end = wire.windows(4).position(|four| four == b"\r\n\r\n").expect("a head that ends");
        let head = std::str::from_utf8(&wire[..end]).expect("a head in ASCII");
        wire = &wire[end + 4..];
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap().strip_prefix("HTTP/1.1 ").expect("a status line");
        let (code, reason) = status_line.split_once(' ').expect("a reason phrase");
        assert!(code.len() == 3 && !reason.is_empty(), "{status_line}");
        let status: u16 = code.parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no field: {line:?}")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let count = |name: &str| headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).count();
        for (name, _) in &headers {
            assert_eq!(count(name), 1, "{name} twice in {head}");
        }
        let mut reply = Reply { status, headers, body: Vec::new() };
        assert_eq!(reply.header("Date").map(str::as_bytes), Some(DATE.as_slice()), "{head}");
        assert_eq!(reply.header("Server"), Some("c10k-lab"), "{head}");
        if let Some(location) = reply.header("Location") {
            let one_slash = location.starts_with('/') && !location[1..].starts_with(['/', '\\']);
            assert!(one_slash && location.bytes().all(|byte| byte.is_ascii_graphic()), "{head}");
        }
        let bodiless = status < 200 || status == 204 || status == 304;
        match reply.header("Content-Length") {
            None => assert!(bodiless, "no length: {head}"),
            Some(length) => {
                assert!(!bodiless, "a length where there is no body: {head}");
                let length: usize = length.parse().expect("a decimal length");
                if !to_head {
                    assert!(length <= wire.len(), "{} of {length} bytes came: {head}", wire.len());
                    let (body, rest) = wire.split_at(length);
                    reply.body = body.to_vec();
                    wire = rest;
                }
            }
        }
        replies.push(reply);
    }
    replies
}
