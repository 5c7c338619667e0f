//! Clients beside the load: idle ones, which hold a connection and send nothing, and slow ones, which ask for
//! much and read it slowly. They have a thread of their own and add nothing to the counts of the load.

use super::settings::Settings;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Read, Result, Write};
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// What is to be sent; empty for an idle client.
    request: Vec<u8>,
    socket: Option<(TcpStream, State)>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Connecting,
    Open,
}

pub(super) fn run(settings: &Settings, idle: u32, slow: u32, stop: &AtomicBool) -> Result<Bystanders> {
    let mut counts = Bystanders::default();
    if idle + slow == 0 {
        return Ok(counts);
    }
    let request = settings.target.request(SLOW_PATH, false);
    let slow = (0..slow).map(|_| request.clone());
    let requests = slow.chain((0..idle).map(|_| Vec::new()));
    let mut clients: Vec<Client> = requests.map(|request| Client { request, socket: None }).collect();
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut next_turn = Instant::now();
    while Instant::now() < settings.end && !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        if now >= next_turn {
            next_turn = now + PAUSE;
            connect(&mut clients, &poll, settings)?;
            clients.iter_mut().filter(|client| !client.request.is_empty()).for_each(|client| {
                if let Some((stream, State::Open)) = &mut client.socket {
                    match read_piece(stream) {
                        Some(count) => counts.slow_bytes += count,
                        None => drop_client(client, &mut counts),
                    }
                }
            });
        }
        let pause = next_turn.min(settings.end).saturating_duration_since(Instant::now());
        match poll.poll(&mut events, Some(pause)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome?,
        }
        for event in &events {
            let client = &mut clients[event.token().0];
            let Some((stream, state)) = &mut client.socket else { continue };
            let is_idle = client.request.is_empty();
            if event.is_error() || (is_idle && event.is_read_closed()) {
                drop_client(client, &mut counts);
            } else if *state == State::Connecting && event.is_writable() {
                // A request is shorter than any send buffer: it leaves whole.
                *state = State::Open;
                if !is_idle && stream.write_all(&client.request).is_err() {
                    drop_client(client, &mut counts);
                }
            }
        }
    }
    for client in &clients {
        let is_open = matches!(client.socket, Some((_, State::Open)));
        *(if client.request.is_empty() { &mut counts.idle_open } else { &mut counts.slow_open }) +=
            u64::from(is_open);
    }
    Ok(counts)
}

/// Begins connections for those that have none, some in every turn.
fn connect(clients: &mut [Client], poll: &Poll, settings: &Settings) -> Result<()> {
    let without = clients.iter_mut().enumerate().filter(|(_, client)| client.socket.is_none());
    for (at, client) in without.take(RAMP) {
        // What fails is tried again in the next turn.
        if let Ok(mut stream) = TcpStream::connect(settings.addr) {
            poll.registry().register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE)?;
            client.socket = Some((stream, State::Connecting));
        }
    }
    Ok(())
}

fn drop_client(client: &mut Client, counts: &mut Bystanders) {
    client.socket = None;
    counts.ended += 1;
}

/// `None` at the end.
fn read_piece(stream: &mut TcpStream) -> Option<u64> {
    match stream.read(&mut [0; PIECE]) {
        Ok(0) => None,
        Ok(count) => Some(count as u64),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Some(0),
        Err(_) => None,
    }
}
