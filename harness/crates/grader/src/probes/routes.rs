//! What the probes ask for: a server of another make must answer these, or they say nothing about it.

use super::client::{get, get_and_close, post_echo};
use super::probe::PLAIN;
use super::profile::{self, PROGRAM};
use super::subject::{Subject, Target};
use super::verdict::Outcome;
use std::time::{Duration, Instant};

/// A route of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// `GET /`
    Hello,
    /// `GET /bytes/N`
    Bytes,
    /// `GET /sleep/MS`
    Sleep,
    /// `POST /echo`
    Echo,
    /// A page that a process of its own makes. The lab has none.
    Program,
}

impl Route {
    /// All of them, with the first one first: without it nothing can be asked.
    pub const ALL: [Self; 5] = [Self::Hello, Self::Bytes, Self::Sleep, Self::Echo, Self::Program];

    /// What is asked for and what must be answered, by the profile.
    pub fn words(self) -> String {
        profile::current().words(self)
    }

    /// What a profile calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Bytes => "bytes",
            Self::Sleep => "sleep",
            Self::Echo => "echo",
            Self::Program => "program",
        }
    }

    fn request(self) -> Vec<u8> {
        match self {
            Self::Hello => get_and_close("/"),
            Self::Bytes => get_and_close("/bytes/100"),
            Self::Sleep => get_and_close("/sleep/1"),
            Self::Echo => post_echo(b"echo"),
            Self::Program => get_and_close(PROGRAM),
        }
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

/// Why a server cannot be graded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It does not start, or nothing accepts connections.
    NotStarted(String),
    /// It does not answer `GET /`.
    Silent(String),
}

impl Failure {
    /// The reason.
    pub fn reason(&self) -> &str {
        match self {
            Self::NotStarted(reason) | Self::Silent(reason) => reason,
        }
    }
}

/// What a server was seen to do before any probe.
#[derive(Debug, Default)]
pub struct FirstLook {
    /// Routes that it does not answer, each with what came instead.
    pub missing: Vec<(Route, String)>,
    /// How long the reply to `GET /` took.
    pub answered_after: Duration,
    /// It closes the connection after a reply, though nobody has asked for it.
    pub closes: bool,
}

impl FirstLook {
    /// A reply that takes longer than this makes every probe slow.
    const SLOW: Duration = Duration::from_secs(1);

    /// Whether it answers so late that bounds of the probes may be too short for it.
    pub fn is_slow(&self) -> bool {
        self.answered_after > Self::SLOW
    }
}

/// Starts the server once and asks for each route, so that what would fail in every probe is said once.
pub fn first_look(target: &Target) -> Result<FirstLook, Failure> {
    let start = |target| {
        let mut subject =
            Subject::start(target, &PLAIN).map_err(|fault| Failure::NotStarted(fault.detail))?;
        match subject.connect() {
            Ok(_) => Ok(subject),
            Err(fault) => {
                let words = format!("nothing accepts connections on {}: {}", subject.addr, fault.detail);
                Err(match subject.end() {
                    Some(end) => Failure::Silent(end),
                    None => Failure::NotStarted(words),
                })
            }
        }
    };
    let mut subject = start(target)?;
    let begun = Instant::now();
    let mut served = subject.must_serve();
    for _ in 0..3 {
        // It may forget some of its clients, which is not all that can be said of it.
        if !served.as_ref().is_err_and(|fault| fault.outcome == Outcome::Hang) {
            break;
        }
        let again = subject.connect().and_then(|mut client| {
            client.send(&get_and_close("/"))?;
            client.reply_within(Duration::from_secs(1))?.must_be_hello()
        });
        served = again.or(served);
    }
    if let Err(fault) = served {
        let (request, reply) = profile::current().first_request();
        let silent = format!("it does not answer {request}{reply}: {}", fault.detail);
        return Err(Failure::Silent(match subject.end() {
            Some(end) => format!("it does not answer {request}: {end}"),
            None if fault.outcome == Outcome::Hang => {
                format!("it answered nothing to {request}: {}", fault.detail)
            }
            None => silent,
        }));
    }
    let mut look = FirstLook { missing: Vec::new(), answered_after: begun.elapsed(), closes: false };
    if look.is_slow() {
        // Each of the others would cost as much, and a probe tells as well.
        return Ok(look);
    }
    let twice = subject.connect().and_then(|mut client| {
        client.ask(&get("/"))?.must_be_hello()?;
        Ok(client.end_within(Duration::from_millis(100)).is_ok())
    });
    look.closes = twice.unwrap_or(false);
    let others = Route::ALL.into_iter().skip(1).filter(|route| profile::current().has(*route));
    for route in others {
        // One that is answered wrongly, or not at all, is there, and the probes say what is wrong with it.
        let reply = subject.connect().and_then(|mut client| client.ask(&route.request()));
        match reply {
            Ok(reply) if reply.status != profile::current().status(route) => {
                look.missing.push((route, format!("status {}", reply.status)))
            }
            Ok(_) => {}
            Err(_) if subject.end().is_some() => subject = start(target)?,
            Err(_) => {}
        }
    }
    Ok(look)
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
            ("GET /bytes/9", SMALL_BODY),
        ] {
            assert_eq!(longest_body(requests.as_bytes()), expected, "{requests:?}");
        }
    }
}
