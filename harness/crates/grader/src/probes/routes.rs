//! What the probes ask for: a server of another make must answer these, or they say nothing about it.

use super::client::{Client, LIMIT, get, get_and_close, post_echo};
use super::probe::PLAIN;
use super::profile::{self, PROGRAM};
use super::subject::{Subject, Target};
use super::verdict::{Fault, Kind, Outcome, Verdict};
use std::thread;
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

/// How long a server may leave a first client without an answer, and one that comes after it.
const PATIENCE: [Duration; 2] = [LIMIT, Duration::from_secs(1)];

/// How many clients ask after the first one.
const MORE_CLIENTS: usize = 3;

/// Whether a server answers at all. `first` has connected already.
///
/// It may forget some of its clients, which is not all that can be said of it. So where one is not answered
/// another one connects, and those before it stay: a listener that accepts one connection for each event
/// comes to a client only when the next one arrives.
fn must_answer(subject: &Subject<'_>, first: Client, [at_first, later]: [Duration; 2]) -> Verdict {
    let mut clients = vec![first];
    for number in 0..=MORE_CLIENTS {
        if number > 0 {
            clients.push(subject.connect()?);
        }
        if let Some(client) = clients.last_mut() {
            client.send(&get_and_close("/"))?;
        }
        let limit = if number == 0 { at_first } else { later };
        if let Some(client) = first_answered(&mut clients, limit) {
            return client.reply()?.must_be_hello();
        }
    }
    Err(Fault::hang(format!("no reply to any of {} clients within {at_first:?}", clients.len())))
}

/// The first of several clients for which something comes within `limit`.
fn first_answered(clients: &mut [Client], limit: Duration) -> Option<&mut Client> {
    let start = Instant::now();
    loop {
        if let Some(at) = clients.iter().position(Client::has_answer) {
            return clients.get_mut(at);
        }
        if start.elapsed() >= limit {
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a connection serves for one request alone, though nobody has asked for that.
fn closes_after_a_reply(subject: &Subject<'_>) -> Result<bool, Fault> {
    let mut client = subject.connect()?;
    client.ask(&get("/"))?.must_be_hello()?;
    if client.end_within(Duration::from_millis(100)).is_ok() {
        return Ok(true);
    }
    // One that is slow to close does not answer again all the same.
    match client.ask(&get("/")) {
        Ok(_) => Ok(false),
        Err(fault) => Ok(matches!(fault.kind, Kind::Closed | Kind::Reset)),
    }
}

/// Starts the server once and asks for each route, so that what would fail in every probe is said once.
pub fn first_look(target: &Target) -> Result<FirstLook, Failure> {
    let start = |target| {
        let mut subject =
            Subject::start(target, &PLAIN).map_err(|fault| Failure::NotStarted(fault.detail))?;
        match subject.connect() {
            Ok(client) => Ok((subject, client)),
            Err(fault) => {
                let words = format!("nothing accepts connections on {}: {}", subject.addr, fault.detail);
                Err(match subject.end() {
                    Some(end) => Failure::Silent(end),
                    None => Failure::NotStarted(words),
                })
            }
        }
    };
    let (mut subject, first) = start(target)?;
    let begun = Instant::now();
    let served = must_answer(&subject, first, PATIENCE);
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
        // Each of the others would cost as much, and a probe tells as well; unless it was the machine, or
        // only the first reply that was slow.
        let again = Instant::now();
        if subject.must_serve().is_err() || again.elapsed() > FirstLook::SLOW {
            return Ok(look);
        }
    }
    look.closes = closes_after_a_reply(&subject).unwrap_or(false);
    if look.closes && subject.end().is_some() {
        // That was another fault, and the probes say which.
        look.closes = false;
        (subject, _) = start(target)?;
    }
    let others = Route::ALL.into_iter().skip(1).filter(|route| profile::current().has(*route));
    for route in others {
        // One that is answered wrongly, or not at all, is there, and the probes say what is wrong with it.
        let reply = subject.connect().and_then(|mut client| client.ask(&route.request()));
        match reply {
            Ok(reply) if reply.status != profile::current().status(route) => {
                look.missing.push((route, format!("status {}", reply.status)))
            }
            Ok(_) => {}
            Err(_) if subject.end().is_some() => (subject, _) = start(target)?,
            Err(_) => {}
        }
    }
    Ok(look)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};

    /// Serves what these closures make of its connections, on a free port.
    fn serve(each: impl FnOnce(TcpListener) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        thread::spawn(move || each(listener));
        addr
    }

    fn answer(mut stream: &TcpStream) {
        let mut request = [0; 1024];
        if stream.read(&mut request).is_ok_and(|length| length > 0) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!");
        }
    }

    /// Protects a server that accepts one connection for each event, and so comes to each client when the
    /// next one is there: it answers, and the probe that is about that says what is wrong with it.
    #[test]
    fn a_server_that_is_one_client_behind_answers() {
        let addr = serve(|listener| {
            let (mut last, _) = listener.accept().unwrap();
            while let Ok((next, _)) = listener.accept() {
                answer(&last);
                last = next;
            }
        });
        let target = Target::Address(addr);
        let subject = Subject::start(&target, &PLAIN).unwrap();
        // Nothing can come for the first one, and the second one is waited for as long as it takes.
        let patience = [Duration::from_millis(50), Duration::from_secs(60)];
        must_answer(&subject, subject.connect().unwrap(), patience).unwrap();
    }

    /// Protects those whose server never answers from waiting longer than was said.
    #[test]
    fn a_server_that_never_answers_is_left_soon() {
        let addr = serve(|listener| {
            let kept: Vec<_> = listener.incoming().collect();
            drop(kept);
        });
        let target = Target::Address(addr);
        let subject = Subject::start(&target, &PLAIN).unwrap();
        let patience = [Duration::from_millis(40), Duration::from_millis(20)];
        let fault = must_answer(&subject, subject.connect().unwrap(), patience).unwrap_err();
        assert_eq!(fault.outcome, Outcome::Hang, "{fault:?}");
        let whole = PATIENCE[0] + PATIENCE[1] * MORE_CLIENTS as u32;
        assert!(whole < Duration::from_secs(15), "of the 60 s that a grade of it may take");
    }

    /// Protects servers that close after each reply, and do so late on a busy machine: that is one fault, and
    /// not one in each probe that asks twice.
    #[test]
    fn one_that_is_slow_to_close_closes_as_well() {
        for (requests, closes) in [(1, true), (2, false)] {
            let addr = serve(move |listener| {
                for stream in listener.incoming().flatten() {
                    (0..requests).for_each(|_| answer(&stream));
                    thread::sleep(Duration::from_millis(300));
                }
            });
            let target = Target::Address(addr);
            let subject = Subject::start(&target, &PLAIN).unwrap();
            assert_eq!(closes_after_a_reply(&subject).unwrap(), closes, "{requests}");
        }
    }

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
