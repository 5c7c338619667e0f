//! What a client still gets when the server is told to stop.

mod common;

use common::{Server, request};
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

const STAGE: &str = env!("CARGO_BIN_EXE_stage-01");

/// More than the client's kernel takes before the client reads, less than the server's kernel takes: the rest
/// waits in the server's send buffer, and its thread has written all.
const LARGE: usize = 400_000;

/// Long enough for the server to write all of it. If it is not, the test passes nevertheless.
const SETTLE: Duration = Duration::from_millis(200);

/// How many bytes of the first reply's body arrive. An error ends the reading: what follows the reply may be
/// a reset, since the client goes on sending.
fn body(mut stream: TcpStream) -> usize {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        all.extend_from_slice(&buffer[..count]);
    }
    let head = all.windows(4).position(|window| window == b"\r\n\r\n").map_or(all.len(), |at| at + 4);
    (all.len() - head).min(LARGE)
}

#[test]
fn what_was_sent_before_the_signal_is_answered() {
    common::what_was_sent_before_the_signal_is_answered(STAGE, 1);
}

/// Protects downloads: a client that has sent its next requests, or is told that none will be answered and
/// sends them all the same, still gets all of the reply that the kernel holds for it.
#[test]
fn a_reply_in_the_kernel_arrives_whole_though_the_client_goes_on_sending() {
    for header in ["", "Connection: close\r\n"] {
        let mut server = Server::start(STAGE, &[]);
        let mut stream = server.ask(&format!("/bytes/{LARGE}"), header);
        sleep(SETTLE);
        server.signal(Signal::SIGTERM);
        for _ in 0..20 {
            // It fails once the server has reset the connection.
            let _ = stream.write_all(request("/", "").as_bytes());
            sleep(Duration::from_millis(5));
        }
        assert_eq!(body(stream), LARGE, "{header:?}");
        assert_eq!(server.child.wait().expect("it is ours").code(), Some(0));
    }
}

/// Protects a client that waits behind one that has all it asked for and does not close.
#[test]
fn a_connection_that_only_lingers_keeps_no_request_waiting() {
    let mut server = Server::start(STAGE, &[]);
    // A bad request is answered, and then the server drops what still arrives, for two seconds.
    let mut lingering = server.ask("/ two spaces", "");
    let mut reply = [0; 12];
    lingering.read_exact(&mut reply).expect("a reply");
    assert_eq!(&reply, b"HTTP/1.1 400");
    let mut waiting = server.ask("/", "");
    let start = Instant::now();
    server.signal(Signal::SIGTERM);
    let mut reply = String::new();
    waiting.read_to_string(&mut reply).expect("no reset");
    assert!(reply.ends_with("\r\n\r\nHello, World!"), "{reply:?}");
    assert_eq!(server.child.wait().expect("it is ours").code(), Some(0));
    assert!(start.elapsed() < Duration::from_millis(1_500), "{:?}", start.elapsed());
}
