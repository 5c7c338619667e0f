//! What the probes ask for: a server of another make must answer these, or they say nothing about it.

use super::PLAIN;
use super::client::{get_and_close, post_echo};
use super::subject::{Subject, Target};
use super::verdict::{Fault, Verdict};
use anyhow::{Result, anyhow, bail};

/// A route, and the check of one reply.
type Route = (&'static str, fn(&mut Subject<'_>) -> Verdict);

const ROUTES: [Route; 4] = [
    ("GET / with the 13 bytes `Hello, World!`", |subject| subject.must_serve()),
    ("GET /bytes/N with N bytes", |subject| ask(subject, &get_and_close("/bytes/100"), 100)),
    ("GET /sleep/MS after MS milliseconds", |subject| {
        subject.connect()?.ask(&get_and_close("/sleep/1"))?.must_be_ok()
    }),
    ("POST /echo with the body that it received", |subject| ask(subject, &post_echo(b"echo"), 4)),
];

fn ask(subject: &mut Subject<'_>, request: &[u8], length: usize) -> Verdict {
    let reply = subject.connect()?.ask(request)?;
    reply.must_be_ok()?;
    match reply.body.len() == length {
        true => Ok(()),
        false => Err(Fault::wrong(format!("{} bytes instead of {length}", reply.body.len()))),
    }
}

/// The longest body of a small reply, be it a page that explains an error, in bytes.
pub(crate) const SMALL_BODY: u64 = 64 * 1024;
/// That of a reply to a request for something that is no route of the lab.
const UNKNOWN: u64 = 80 << 20;

/// The longest body that a reply to one of these requests may have beside what the request itself holds, in
/// bytes. Where a body holds what looks like a request it is too large, and harmlessly so.
pub(crate) fn longest_body(requests: &[u8]) -> u64 {
    let mut longest = SMALL_BODY;
    let starts = requests.windows(2).enumerate().filter(|(_, pair)| *pair == b" /").map(|(at, _)| at + 1);
    for start in starts {
        let path = &requests[start..];
        // An unfinished one has no reply, or comes again with its rest.
        let Some(end) = path.iter().position(|byte| b" \r\n".contains(byte)) else { continue };
        let path = &path[..end];
        longest = longest.max(match path.strip_prefix(b"/bytes/") {
            Some(digits) => {
                let length = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
                length.map_or(UNKNOWN, |length| length.saturating_add(SMALL_BODY))
            }
            None if matches!(path, b"/" | b"/echo") || path.starts_with(b"/sleep/") => SMALL_BODY,
            None => UNKNOWN,
        });
    }
    longest
}

/// The routes that a server does not answer, each with what came instead. An error if it cannot be asked at
/// all: nothing accepts connections, or it ends by itself.
pub fn missing_routes(target: &Target) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    let mut subject = start(target)?;
    for (at, (route, check)) in ROUTES.into_iter().enumerate() {
        let Err(fault) = check(&mut subject) else { continue };
        let end = subject.end();
        if let (0, Some(end)) = (at, &end) {
            bail!("{end}");
        }
        missing.push(format!("{route}: {}", end.as_ref().unwrap_or(&fault.detail)));
        if end.is_some() {
            subject = start(target)?;
        }
    }
    Ok(missing)
}

/// The server, which accepts connections.
fn start(target: &Target) -> Result<Subject<'_>> {
    let mut subject = Subject::start(target, &PLAIN).map_err(|fault| anyhow!(fault.detail))?;
    if subject.connect().is_err() {
        let addr = subject.addr;
        bail!("{}", subject.end().unwrap_or_else(|| format!("nothing accepts connections on {addr}")));
    }
    Ok(subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the memory from a server that sends without end, and a server of other routes from being
    /// called endless.
    #[test]
    fn a_reply_is_as_long_as_its_request_allows() {
        for (requests, expected) in [
            ("GET / HTTP/1.1\r\n\r\n", SMALL_BODY),
            ("GET /bytes/16777216 HTTP/1.1\r\n\r\nGET /bytes/5 HTTP/1.1\r\n\r\n", SMALL_BODY + 16_777_216),
            ("POST /echo HTTP/1.1\r\n\r\n", SMALL_BODY),
            ("GET /sleep/5000 HTTP/1.1\r\n\r\n", SMALL_BODY),
            ("GET /index.html HTTP/1.1\r\n\r\n", UNKNOWN),
            ("GET /bytes/999999999999999999999999 HTTP/1.1\r\n\r\n", UNKNOWN),
            ("GET /bytes/18446744073709551615 HTTP/1.1\r\n\r\n", u64::MAX),
            ("GET /byt", SMALL_BODY),
        ] {
            assert_eq!(longest_body(requests.as_bytes()), expected, "{requests:?}");
        }
    }
}
