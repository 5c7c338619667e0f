//! Clients beside the load: idle ones, which hold a connection and send nothing, and slow ones, which ask for
//! much and read it slowly. They have a thread of their own and add nothing to the counts of the load.

use super::settings::Settings;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Read, Result, Write};
use std::time::{Duration, Instant};

/// More than the kernel's buffers on both sides hold, so that the server must wait for the reader.
const SLOW_PATH: &str = "/bytes/67108864";
/// How often a slow client reads, and how much.
const PAUSE: Duration = Duration::from_millis(100);
const PIECE: usize = 4 * 1024;
/// Connections begun in one turn.
const RAMP: usize = 1000;

/// What became of the clients beside the load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bystanders {
    /// Idle clients that were connected at the end.
    pub idle_open: u64,
    /// Slow clients that were connected at the end.
    pub slow_open: u64,
    /// Bytes that the slow clients have read.
    pub slow_bytes: u64,
    /// Connections that the server, or the network, has ended.
    pub ended: u64,
}

struct Client {
    is_slow: bool,
    socket: Option<TcpStream>,
    /// Its connection is established, and a slow client has sent its request.
    is_open: bool,
}

pub(super) fn run(settings: &Settings) -> Result<Bystanders> {
    let mut counts = Bystanders::default();
    let (idle, slow) = (settings.args.idle, settings.args.slow);
    if idle + slow == 0 {
        return Ok(counts);
    }
    let request = settings.target.request(SLOW_PATH, false);
    let client = |number| Client { is_slow: number < slow, socket: None, is_open: false };
    let mut clients: Vec<Client> = (0..idle + slow).map(client).collect();
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut next_turn = Instant::now();
    while Instant::now() < settings.end && !settings.is_stopped() {
        let now = Instant::now();
        if now >= next_turn {
            next_turn = now + PAUSE;
            connect(&mut clients, &poll, settings)?;
            for client in clients.iter_mut().filter(|client| client.is_slow && client.is_open) {
                match client.socket.as_mut().and_then(read_piece) {
                    Some(count) => counts.slow_bytes += count,
                    None => client.end(&mut counts),
                }
            }
        }
        let pause = next_turn.min(settings.end).saturating_duration_since(Instant::now());
        match poll.poll(&mut events, Some(pause)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome?,
        }
        for event in &events {
            let client = &mut clients[event.token().0];
            let Some(stream) = &mut client.socket else { continue };
            if event.is_error() || (!client.is_slow && event.is_read_closed()) {
                client.end(&mut counts);
            } else if !client.is_open && event.is_writable() {
                client.is_open = true;
                // A request is shorter than any send buffer: it leaves whole.
                if client.is_slow && stream.write_all(&request).is_err() {
                    client.end(&mut counts);
                }
            }
        }
    }
    let open = |is_slow| clients.iter().filter(|client| client.is_open && client.is_slow == is_slow).count();
    (counts.idle_open, counts.slow_open) = (open(false) as u64, open(true) as u64);
    Ok(counts)
}

/// Begins connections for those that have none, some in every turn.
fn connect(clients: &mut [Client], poll: &Poll, settings: &Settings) -> Result<()> {
    let without = clients.iter_mut().enumerate().filter(|(_, client)| client.socket.is_none());
    for (at, client) in without.take(RAMP) {
        // What fails is tried again in the next turn.
        if let Ok(mut stream) = TcpStream::connect(settings.addr) {
            poll.registry().register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE)?;
            client.socket = Some(stream);
        }
    }
    Ok(())
}

impl Client {
    /// Its connection is over; in the next turn it begins another one.
    fn end(&mut self, counts: &mut Bystanders) {
        (self.socket, self.is_open) = (None, false);
        counts.ended += 1;
    }
}

/// How many bytes were read; `None` at the end.
fn read_piece(stream: &mut TcpStream) -> Option<u64> {
    match stream.read(&mut [0; PIECE]) {
        Ok(0) => None,
        Ok(count) => Some(count as u64),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Some(0),
        Err(_) => None,
    }
}
