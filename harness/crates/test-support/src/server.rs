//! Servers with a fault, inside the test.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What every stage answers to `GET /`.
pub const RIGHT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!";
/// The same length, and it is no greeting.
pub const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n\r\nHello, World!";

/// What becomes of a connection after a reply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Then {
    /// Whatever the client asked for.
    AsAsked,
    /// It is closed.
    Close,
}

/// The reply to a request.
pub type Answer = (&'static [u8], Then);

/// A server with a thread per connection, for the rest of the test process.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    answered: Arc<AtomicU64>,
}

impl Server {
    /// `answer` gets the number of the request, from 0, counted over all connections.
    pub fn start(answer: impl Fn(u64) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let (answer, answered) = (Arc::new(answer), Arc::new(AtomicU64::new(0)));
        let server = Self { addr, answered: Arc::clone(&answered) };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, answered) = (Arc::clone(&answer), Arc::clone(&answered));
                thread::spawn(move || serve(&stream, &*answer, &answered));
            }
        });
        server
    }

    /// What a client asks for.
    pub fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    /// Requests that have come.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

fn serve(mut stream: &TcpStream, answer: &dyn Fn(u64) -> Answer, answered: &AtomicU64) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let mut close = false;
    loop {
        line.clear();
        match reader.read_line(&mut line) {
            Ok(1..) => {}
            _ => return,
        }
        let header = line.trim_end().to_ascii_lowercase();
        match header.as_str() {
            "connection: close" => close = true,
            "connection: keep-alive" => close = false,
            // ab
            first if first.ends_with(" http/1.0") => close = true,
            "" => {
                let (reply, then) = answer(answered.fetch_add(1, Ordering::Relaxed));
                if stream.write_all(reply).is_err() || close || then == Then::Close {
                    return;
                }
                close = false;
            }
            _ => {}
        }
    }
}
