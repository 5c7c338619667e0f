//! Tiny servers that are right, or wrong on purpose, inside the test.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// How the server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A thread per connection, every answer right.
    Right,
    /// Every `/bytes/N` is one byte short, by its own Content-Length.
    Short,
    /// One connection at a time, to its end.
    Serial,
    /// Accepts, and sends nothing.
    Mute,
    /// Stops listening after its first connection.
    Mortal,
}

/// Starts one on a free port. It lives as long as the test process.
pub fn serve(manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("a bound socket");
    thread::spawn(move || {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept() {
            match manner {
                Manner::Right | Manner::Short => drop(thread::spawn(move || converse(stream, manner))),
                Manner::Serial => converse(stream, manner),
                Manner::Mute => kept.push(stream),
                Manner::Mortal => return,
            }
        }
    });
    addr
}

fn converse(stream: TcpStream, manner: Manner) {
    let mut reader = BufReader::new(&stream);
    while let Some((path, close)) = request(&mut reader) {
        let body = match path.strip_prefix("/bytes/").and_then(|length| length.parse::<usize>().ok()) {
            Some(length) if manner == Manner::Short => vec![b'x'; length.saturating_sub(1)],
            Some(length) => vec![b'x'; length],
            None => b"Hello, World!".to_vec(),
        };
        if let Some(ms) = path.strip_prefix("/sleep/").and_then(|ms| ms.parse().ok()) {
            thread::sleep(Duration::from_millis(ms));
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        if (&stream).write_all(&[head.as_bytes(), &body].concat()).is_err() || close {
            return;
        }
    }
}

/// The path of the next request, and whether the connection ends after it.
fn request(reader: &mut impl BufRead) -> Option<(String, bool)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut close = false;
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            return Some((path, close));
        }
        close |= line == "Connection: close\r\n";
    }
}
