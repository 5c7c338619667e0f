//! The clients of a run: each does what its scenario says, and keeps what it sent and received, with times.

use crate::scenario::Step;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a reply is awaited. A server that does not answer is shown so.
const REPLY_LIMIT: Duration = Duration::from_secs(2);
/// How long a connection may take: strace slows a server, but the kernel alone connects.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How much of what was sent or received is kept.
const KEPT: usize = 40;

/// What one client did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientLog {
    /// `A`.
    pub(crate) letter: char,
    /// Its port, which the server sees.
    pub(crate) port: u16,
    /// In the order in which it happened.
    pub(crate) moments: Vec<Moment>,
}

/// Something that happened to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moment {
    /// µs since 1970: the clock of strace's `-ttt`.
    pub(crate) at: i64,
    /// What happened.
    pub(crate) what: What,
}

/// What happens to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// It calls connect(2).
    Connects,
    /// It is connected, as far as its kernel knows.
    Connected,
    /// It sends these bytes, with which so many requests become whole.
    Sends { bytes: u64, requests: usize, text: String },
    /// It has received so many bytes, in which so many replies begin.
    Receives { bytes: u64, replies: usize, text: String },
    /// The server has closed the connection, or reset it.
    Ended,
    /// It closes its connection.
    Closes,
}

/// What all clients of a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Played {
    /// In the order of their letters.
    pub(crate) clients: Vec<ClientLog>,
    /// When the last step was over, µs since 1970.
    pub(crate) end: i64,
}

impl ClientLog {
    /// `client A`.
    pub(crate) fn name(&self) -> String {
        format!("client {}", self.letter)
    }

    /// The `Host` of its requests, by which a connection is known in a trace.
    pub(crate) fn host(&self) -> String {
        host(self.letter)
    }
}

/// The `Host` of a client's requests.
fn host(letter: char) -> String {
    format!("client-{}", letter.to_ascii_lowercase())
}

/// Does the steps one after the other.
pub(crate) fn drive(addr: SocketAddr, steps: &[Step]) -> Result<Played> {
    let mut clients: BTreeMap<char, Client> = BTreeMap::new();
    for step in steps {
        match *step {
            Step::Connect(letter) => {
                let client = Client::connect(addr, letter).with_context(|| format!("client {letter}"))?;
                ensure!(clients.insert(letter, client).is_none(), "client {letter} connects twice");
            }
            Step::Pause(ms) => thread::sleep(Duration::from_millis(ms)),
            Step::Get(letter, path) => one(&mut clients, letter)?.send(&request(letter, path, 0), 1),
            Step::Padded(letter, path, length) => {
                one(&mut clients, letter)?.send(&request(letter, path, length), 1)
            }
            Step::Await(letter, replies) => one(&mut clients, letter)?.wait(replies),
            Step::Close(letter) => one(&mut clients, letter)?.close(),
        }
    }
    let end = now();
    Ok(Played { clients: clients.into_values().map(Client::end).collect(), end })
}

fn one(clients: &mut BTreeMap<char, Client>, letter: char) -> Result<&mut Client> {
    clients.get_mut(&letter).with_context(|| format!("client {letter} is not connected"))
}

/// A request with a field that makes it at least so long.
fn request(letter: char, path: &str, length: usize) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", host(letter));
    let room = length.saturating_sub(head.len() + 2);
    match room.checked_sub("X-Padding: \r\n".len()) {
        None => format!("{head}\r\n"),
        Some(room) => format!("{head}X-Padding: {}\r\n\r\n", "x".repeat(room)),
    }
}

/// The clock that strace prints with `-ttt`, in µs.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

struct Client {
    stream: TcpStream,
    shared: Arc<Shared>,
    reader: thread::JoinHandle<()>,
}

/// What a client and its reader keep.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    log: ClientLog,
    replies: usize,
    is_over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, at: i64, what: What) {
        let mut state = self.lock();
        match what {
            What::Receives { replies, .. } => state.replies += replies,
            What::Ended | What::Closes => state.is_over = true,
            _ => {}
        }
        state.log.moments.push(Moment { at, what });
        self.changed.notify_all();
    }
}

impl Client {
    fn connect(addr: SocketAddr, letter: char) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let begun = now();
        let stream = TcpStream::connect_timeout(&addr, CONNECT_LIMIT).context("cannot connect")?;
        let connected = now();
        // A request that is sent in two parts must not wait for an acknowledgement.
        stream.set_nodelay(true)?;
        (shared.lock().log.letter, shared.lock().log.port) = (letter, stream.local_addr()?.port());
        shared.add(begun, What::Connects);
        shared.add(connected, What::Connected);
        let (from, into) = (stream.try_clone()?, Arc::clone(&shared));
        let reader = thread::spawn(move || receive(from, &into));
        Ok(Self { stream, shared, reader })
    }

    fn send(&mut self, text: &str, requests: usize) {
        let what = What::Sends { bytes: text.len() as u64, requests, text: beginning(text.as_bytes()) };
        // Before the call: the server may have read the bytes before it returns.
        self.shared.add(now(), what);
        // That the server has closed is its own moment.
        let _ = self.stream.write_all(text.as_bytes());
    }

    /// Waits until so many replies have begun, the connection is over, or the limit is reached.
    fn wait(&self, replies: usize) {
        let is_waiting = |state: &mut State| state.replies < replies && !state.is_over;
        let state = self.shared.lock();
        drop(self.shared.changed.wait_timeout_while(state, REPLY_LIMIT, is_waiting));
    }

    fn close(&mut self) {
        self.shared.add(now(), What::Closes);
        // The reader has a copy of the descriptor, so a mere close would send nothing.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// The log as it is now. What the end of the run brings is no part of it.
    fn end(self) -> ClientLog {
        let log = self.shared.lock().log.clone();
        let _ = self.stream.shutdown(Shutdown::Both);
        let _ = self.reader.join();
        log
    }
}

fn receive(mut stream: TcpStream, shared: &Shared) {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(length) if length > 0 => {
                let (at, bytes) = (now(), &buffer[..length]);
                let replies = bytes.windows(7).filter(|window| window == b"HTTP/1.").count();
                let text = reply(bytes);
                shared.add(at, What::Receives { bytes: length as u64, replies, text });
            }
            _ => {
                let at = now();
                if !shared.lock().is_over {
                    shared.add(at, What::Ended);
                }
                return;
            }
        }
    }
}

/// What tells replies from each other: the first line of each body, as far as they came along; else the first
/// line of all.
fn reply(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let bodies = text.split("HTTP/1.").filter_map(|reply| reply.split_once("\r\n\r\n")).map(|(_, body)| body);
    let lines = bodies.map(|body| beginning(body.as_bytes())).filter(|line| !line.is_empty());
    let lines = lines.collect::<Vec<_>>().join(" + ");
    if lines.is_empty() { beginning(bytes) } else { lines }
}

/// The first line, or the beginning of it.
fn beginning(bytes: &[u8]) -> String {
    let line = bytes.split(|&byte| byte == b'\r' || byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(&line[..line.len().min(KEPT)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_request_is_as_long_as_it_is_told() {
        assert_eq!(request('A', "/", 0), "GET / HTTP/1.1\r\nHost: client-a\r\n\r\n");
        for length in [60, 100, 150] {
            let text = request('B', "/", length);
            assert_eq!((text.len(), text.ends_with("\r\n\r\n")), (length, true), "{text}");
        }
    }

    /// Protects the picture of every server: what happened is in the log, in order, on one clock.
    #[test]
    fn a_client_keeps_what_it_did_and_what_came() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("a client");
            let mut bytes = [0; 512];
            let length = socket.read(&mut bytes).expect("a request");
            socket.write_all(b"HTTP/1.1 200 OK\r\n\r\nx").expect("it listens");
            length as u64
        });
        let begun = now();
        let steps = [Step::Connect('A'), Step::Get('A', "/x"), Step::Await('A', 1), Step::Await('A', 2)];
        let Played { clients: logs, end } = drive(addr, &steps).expect("it can be reached");
        let bytes = server.join().expect("it ends");
        let (moments, text) = (&logs[0].moments, |text: &str| text.to_owned());
        let whats: Vec<What> = moments.iter().map(|moment| moment.what.clone()).collect();
        let expected = [
            What::Connects,
            What::Connected,
            What::Sends { bytes, requests: 1, text: text("GET /x HTTP/1.1") },
            What::Receives { bytes: 20, replies: 1, text: text("x") },
            What::Ended,
        ];
        assert_eq!(whats, expected);
        assert!(
            moments.is_sorted_by_key(|moment| moment.at) && begun <= moments[0].at && moments[4].at <= end
        );
    }

    #[test]
    fn a_reply_is_told_by_its_body() {
        let texts =
            ["HTTP/1.1 200 OK\r\nA: b\r\n\r\nHello\n", "HTTP/1.1 200 OK\r\nA", "HTTP/1.1 204 X\r\n\r\n"];
        assert_eq!(texts.map(|text| reply(text.as_bytes())), ["Hello", "HTTP/1.1 200 OK", "HTTP/1.1 204 X"]);
    }

    #[test]
    fn a_client_that_nobody_connected_is_an_error() {
        let addr = ([127, 0, 0, 1], 1).into();
        assert!(drive(addr, &[Step::Close('A')]).is_err_and(|error| error.to_string().contains("client A")));
    }
}
