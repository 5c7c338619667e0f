//! Load that a page may start: bounded, against this server, from a thread of its own.
//!
//! It is for looking, not for measuring: it shares the machine with the server. `./lab load` measures.

use super::actions::{Refused, within};
use httparse::{EMPTY_HEADER, Response, Status};
use kit::stderr::log_stderr;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// What may be asked for.
const CLIENTS: std::ops::RangeInclusive<u64> = 1..=64;
const RATES: std::ops::RangeInclusive<u64> = 1..=5_000;
const SECONDS: std::ops::RangeInclusive<u64> = 1..=60;
const PATHS: [&str; 4] = ["/", "/bytes/4096", "/spin/200", "/sleep/20"];
/// A client that waits longer for its reply has failed.
const LIMIT: Duration = Duration::from_secs(15);
/// Between two looks at what is due.
const PAUSE: Duration = Duration::from_millis(2);

/// What a page asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    clients: u64,
    /// Requests per second, all clients together.
    rate: u64,
    seconds: u64,
    path: String,
}

/// The one load that there may be at a time.
pub(super) struct Load {
    allowed: bool,
    progress: Arc<Progress>,
}

/// How far it is. Relaxed, but for `running`, which one thread at a time may set: a swap, whatever its
/// ordering.
#[derive(Default)]
struct Progress {
    running: AtomicBool,
    stop: AtomicBool,
    /// Requests per second that were asked for.
    rate: AtomicU64,
    /// For how long it has sent, in ms.
    ms: AtomicU64,
    sent: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
}

impl Load {
    /// None runs.
    pub(super) fn new(allowed: bool) -> Self {
        Self { allowed, progress: Arc::default() }
    }

    /// Whether the server was started with `--dashboard-load`.
    pub(super) fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// For a page.
    pub(super) fn state(&self) -> Value {
        let progress = &self.progress;
        json!({
            "running": progress.running.load(Relaxed),
            "rate": progress.rate.load(Relaxed),
            "ms": progress.ms.load(Relaxed),
            "sent": progress.sent.load(Relaxed),
            "answered": progress.answered.load(Relaxed),
            "failed": progress.failed.load(Relaxed),
        })
    }

    /// Starts the thread, unless there is one. `server` is where the server listens.
    pub(super) fn start(&self, order: Order, server: SocketAddrV4) -> Result<(), Refused> {
        if !self.allowed {
            let text = "the server was started without --dashboard-load";
            return Err(("403 Forbidden", text.to_owned()));
        }
        within("clients", order.clients, CLIENTS)?;
        within("rate", order.rate, RATES)?;
        within("seconds", order.seconds, SECONDS)?;
        if !PATHS.contains(&order.path.as_str()) {
            return Err(("400 Bad Request", format!("path: allowed is {}", PATHS.join(", "))));
        }
        if self.progress.running.swap(true, Relaxed) {
            return Err(("409 Conflict", "a load is running".to_owned()));
        }
        let progress = Arc::clone(&self.progress);
        progress.stop.store(false, Relaxed);
        progress.rate.store(order.rate, Relaxed);
        for count in [&progress.ms, &progress.sent, &progress.answered, &progress.failed] {
            count.store(0, Relaxed);
        }
        let run = move || {
            if let Err(error) = progress.run(&order, target(server)) {
                log_stderr(format_args!("the load has ended: {error}"));
            }
            progress.running.store(false, Relaxed);
        };
        thread::Builder::new().name("load".to_owned()).spawn(run).map(|_| ()).map_err(|error| {
            self.progress.running.store(false, Relaxed);
            ("503 Service Unavailable", format!("there is no thread for it: {error}"))
        })
    }

    /// Ends it soon, if it runs.
    pub(super) fn stop(&self) {
        self.progress.stop.store(true, Relaxed);
    }
}

impl Progress {
    /// Requests as they are due, at most one at a time from each client. What could not be sent in time is
    /// left out: a server that was held up is not flooded afterwards.
    fn run(&self, order: &Order, target: SocketAddrV4) -> io::Result<()> {
        let request = format!("GET {} HTTP/1.1\r\nHost: {target}\r\n\r\n", order.path);
        let clients = (0..order.clients).map(|_| Client::connect(target)).collect::<io::Result<Vec<_>>>();
        let mut clients = clients?;
        let (begun, mut turn) = (Instant::now(), 0);
        let mut handled = 0;
        while begun.elapsed() < Duration::from_secs(order.seconds) && !self.stop.load(Relaxed) {
            let due = (begun.elapsed().as_secs_f64() * order.rate as f64) as u64 - handled;
            handled += due;
            for _ in 0..due {
                if clients.is_empty() {
                    return Err(io::Error::other("all of its clients have failed"));
                }
                turn = (turn + 1) % clients.len();
                let client = &mut clients[turn];
                // One that still waits has its turn later.
                let outcome = client.poll().and_then(|ended| {
                    self.answered.fetch_add(u64::from(ended), Relaxed);
                    client.send(request.as_bytes())
                });
                match outcome {
                    Ok(sent) => {
                        self.sent.fetch_add(u64::from(sent), Relaxed);
                    }
                    Err(_) => {
                        self.failed.fetch_add(1, Relaxed);
                        clients.swap_remove(turn);
                    }
                }
            }
            self.ms.store(begun.elapsed().as_millis() as u64, Relaxed);
            sleep(PAUSE);
        }
        self.drain(&mut clients);
        Ok(())
    }

    /// Waits for the replies that are on their way.
    fn drain(&self, clients: &mut Vec<Client>) {
        while !clients.is_empty() && !self.stop.load(Relaxed) {
            clients.retain_mut(|client| match client.poll() {
                Ok(ended) => {
                    self.answered.fetch_add(u64::from(ended), Relaxed);
                    client.waits.is_some()
                }
                Err(_) => {
                    self.failed.fetch_add(1, Relaxed);
                    false
                }
            });
            sleep(PAUSE);
        }
    }
}

/// One client: a connection with at most one request on its way.
struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    /// Since when a reply is awaited.
    waits: Option<Instant>,
}

impl Client {
    fn connect(target: SocketAddrV4) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&target.into(), Duration::from_secs(2))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, input: Vec::new(), waits: None })
    }

    /// Sends a request, unless a reply is awaited. Returns whether it did.
    fn send(&mut self, request: &[u8]) -> io::Result<bool> {
        if self.waits.is_some() {
            return Ok(false);
        }
        // It fits into the socket's buffer, since nothing else is in it.
        self.stream.write_all(request)?;
        self.waits = Some(Instant::now());
        Ok(true)
    }

    /// Reads what has come. Returns whether a reply has ended with it.
    fn poll(&mut self) -> io::Result<bool> {
        let Some(since) = self.waits else { return Ok(false) };
        let mut piece = [0; 8 * 1024];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.input.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if is_whole(&self.input)? {
            self.input.clear();
            self.waits = None;
            return Ok(true);
        }
        if since.elapsed() > LIMIT { Err(ErrorKind::TimedOut.into()) } else { Ok(false) }
    }
}

/// Where to ask a server that listens here: one on all interfaces is asked over the loopback.
fn target(server: SocketAddrV4) -> SocketAddrV4 {
    let ip = if server.ip().is_unspecified() { Ipv4Addr::LOCALHOST } else { *server.ip() };
    SocketAddrV4::new(ip, server.port())
}

/// Whether a reply is there with all of its body. One that is not 200 is an error.
fn is_whole(input: &[u8]) -> io::Result<bool> {
    let mut headers = [EMPTY_HEADER; 32];
    let mut reply = Response::new(&mut headers);
    match reply.parse(input).map_err(io::Error::other)? {
        Status::Partial => Ok(false),
        Status::Complete(_) if reply.code != Some(200) => Err(io::Error::other("a reply is not 200")),
        Status::Complete(head) => {
            let length =
                reply.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
            let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
            let length: usize = length.ok_or_else(|| io::Error::other("a reply has no length"))?;
            Ok(input.len() >= head + length)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects `--addr 127.0.0.2:8080`: the load is sent where the server listens.
    #[test]
    fn the_load_goes_to_the_address_of_the_server() {
        let target = |server: &str| target(server.parse().unwrap()).to_string();
        assert_eq!(target("127.0.0.2:8080"), "127.0.0.2:8080");
        assert_eq!(target("0.0.0.0:8080"), "127.0.0.1:8080");
    }
}
