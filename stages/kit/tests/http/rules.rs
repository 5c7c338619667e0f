//! What is answered when. One [`Row`] for each row of the rules, under the rule's own words.

mod framing;
mod semantics;

use crate::reply::{self, Reply};
use crate::site::Site;
use crate::stage::{Stage, converse};
use nix::errno::Errno;

/// How a conversation stands after the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Open.
    Open,
    /// Over: close at once.
    Close,
    /// Over, and the peer may still be sending.
    Linger,
}

/// One input and what must come of it.
pub(crate) struct Case {
    pub(crate) input: Vec<u8>,
    statuses: Vec<u16>,
    pub(crate) end: End,
    /// Field and value that the last reply must have; `None`: must not have.
    fields: Vec<(&'static str, Option<String>)>,
    body: Option<String>,
    /// The deadline passes behind the input.
    pub(crate) expires: bool,
    /// What opening a file fails with.
    pub(crate) open_fails: Option<Errno>,
}

/// One rule.
pub(crate) struct Row {
    pub(crate) rule: &'static str,
    pub(crate) cases: Vec<Case>,
}

impl Case {
    fn has(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, Some(value.into())));
        self
    }

    fn lacks(mut self, name: &'static str) -> Self {
        self.fields.push((name, None));
        self
    }

    fn body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    fn expires(mut self) -> Self {
        self.expires = true;
        self
    }

    fn open_fails(mut self, errno: Errno) -> Self {
        self.open_fails = Some(errno);
        self
    }

    fn check(&self, site: &Site, rule: &str) {
        let mut stage = Stage::new(&site.settings);
        stage.open_fails = self.open_fails;
        stage.feed(&self.input);
        if self.expires {
            stage.expire();
        }
        let shown = format!("{rule}\n{}\n{}", self.input.escape_ascii(), stage.wire().escape_ascii());
        let replies = reply::parse(stage.wire(), self.input.starts_with(b"HEAD "));
        assert_eq!(replies.iter().map(|reply| reply.status).collect::<Vec<_>>(), self.statuses, "{shown}");
        let end = match stage.seen().closed {
            None => End::Open,
            Some(false) => End::Close,
            Some(true) => End::Linger,
        };
        assert_eq!(end, self.end, "{shown}");
        // That it closes is said exactly where it closes.
        let says_close = |reply: &Reply| reply.header("Connection") == Some("close");
        for (i, reply) in replies.iter().enumerate() {
            let is_last = i + 1 == replies.len();
            let closes = is_last && end != End::Open && !(self.expires && end == End::Close);
            assert_eq!(says_close(reply), closes, "{shown}");
        }
        if let Some(last) = replies.last() {
            for (name, value) in &self.fields {
                assert_eq!(last.header(name), value.as_deref(), "{name}: {shown}");
            }
            if let Some(body) = &self.body {
                assert_eq!(&String::from_utf8_lossy(&last.body), body, "{shown}");
            }
        }
    }
}

fn case(input: impl Into<Vec<u8>>, statuses: &[u16], end: End) -> Case {
    let (input, statuses) = (input.into(), statuses.to_vec());
    Case { input, statuses, end, fields: Vec::new(), body: None, expires: false, open_fails: None }
}

/// The connection stays open.
fn open(input: impl Into<Vec<u8>>, statuses: &[u16]) -> Case {
    case(input, statuses, End::Open)
}

/// "400+close" and its like.
fn fatal(input: impl Into<Vec<u8>>, status: u16) -> Case {
    case(input, &[status], End::Linger)
}

fn row(rule: &'static str, cases: impl IntoIterator<Item = Case>) -> Row {
    Row { rule, cases: cases.into_iter().collect() }
}

/// A GET of the path, with more header lines.
fn get(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n")
}

/// A POST to `/echo` with these header lines and this body.
fn post(lines: &str, body: &str) -> String {
    format!("POST /echo HTTP/1.1\r\nHost: x\r\n{lines}\r\n{body}")
}

/// All rows.
pub(crate) fn table(site: &Site) -> Vec<Row> {
    let seen = converse(&site.settings, [get("/small.txt", "").as_bytes()]);
    let replies = reply::parse(&seen.wire, false);
    let etag = replies[0].header("ETag").expect("a file has an entity tag");
    framing::rows().into_iter().chain(semantics::rows(etag)).collect()
}

#[test]
fn each_rule_is_kept() {
    let site = Site::new();
    for Row { rule, cases } in table(&site) {
        for case in cases {
            case.check(&site, rule);
        }
    }
}

#[test]
fn the_headers_of_head_are_those_of_get() {
    let site = Site::new();
    for path in
        ["/", "/bytes/3", "/bytes/70000", "/sleep/1", "/small.txt", "/big.bin", "/docs", "/nowhere", "/%zz"]
    {
        let of = |method: &str| {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n");
            let wire = converse(&site.settings, [request.as_bytes()]).wire;
            let end = wire.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
            (wire[..end].to_vec(), wire.len() > end)
        };
        let (get, has_body) = of("GET");
        assert!(has_body, "{path}");
        assert_eq!(of("HEAD"), (get, false), "{path}");
    }
}
