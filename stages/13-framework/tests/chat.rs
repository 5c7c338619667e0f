//! The chat, seen from outside.

mod stage;

use stage::{LIMIT, Stage};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket, client::client};

fn line_of(stream: &TcpStream) -> String {
    let mut line = String::new();
    BufReader::with_capacity(1, stream).read_line(&mut line).expect("a line");
    line
}

/// A client is in the room once it has said something: until then the server does not know what it speaks.
fn enter(stage: &Stage, name: &str, witness: &TcpStream) -> TcpStream {
    let mut stream = stage.connect();
    stream.write_all(format!("{name} is here\n").as_bytes()).unwrap();
    assert_eq!(line_of(witness), format!("{name} is here\n"));
    stream
}

fn browser(stage: &Stage) -> WebSocket<TcpStream> {
    client(format!("ws://{}/", stage.address), stage.connect()).expect("the server upgrades").0
}

/// Protects the room: a line reaches everybody but whoever said it, whatever they speak, and split lines are
/// whole again.
#[test]
fn lines_reach_everybody_else_over_tcp_and_websocket() {
    let stage = Stage::start(&["--app", "chat", "--workers", "2"]);
    let mut socket = browser(&stage);
    let mut first = stage.connect();
    first.write_all(b"first is he").unwrap();
    thread::sleep(Duration::from_millis(20));
    first.write_all(b"re\n").unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("first is here"));
    let mut second = enter(&stage, "second", &first);
    assert_eq!(socket.read().unwrap(), Message::text("second is here"));
    socket.send(Message::text("hello, 你好")).unwrap();
    for stream in [&first, &second] {
        assert_eq!(line_of(stream), "hello, 你好\n");
    }
    second.write_all(b"one\r\ntwo\n").unwrap();
    for said in ["one", "two"] {
        assert_eq!(line_of(&first), format!("{said}\n"));
        assert_eq!(socket.read().unwrap(), Message::text(said));
    }
    // It has heard itself: never.
    first.write_all(b"end\n").unwrap();
    assert_eq!(line_of(&second), "end\n");
    socket.close(None).unwrap();
    while socket.read().is_ok() {}
    let (status, _) = stage.terminate();
    assert!(status.success());
}

/// Protects a reader of another site: its page cannot speak here in the reader's name. And a browser gets the
/// page.
#[test]
fn only_pages_of_the_same_origin_may_join() {
    let stage = Stage::start(&["--app", "chat"]);
    let ask = |rest: &str| {
        let mut stream = stage.connect();
        stream
            .write_all(format!("GET / HTTP/1.1\r\nHost: {}\r\n{rest}\r\n", stage.address).as_bytes())
            .unwrap();
        let mut reply = [0; 12];
        stream.read_exact(&mut reply).unwrap();
        String::from_utf8(reply.to_vec()).unwrap()
    };
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert_eq!(ask(""), "HTTP/1.1 200");
    assert_eq!(ask(upgrade), "HTTP/1.1 101");
    assert_eq!(ask(&format!("{upgrade}Origin: http://{}\r\n", stage.address)), "HTTP/1.1 101");
    assert_eq!(ask(&format!("{upgrade}Origin: http://elsewhere.example\r\n")), "HTTP/1.1 400");
    assert_eq!(ask("Upgrade: h2c\r\n"), "HTTP/1.1 400");
}

/// A thousand clients, of which one never reads. Protects the others: each line reaches all of them while the
/// one is stuck, and none is said before they have the one a little before it; and the server's memory: what
/// waits for the one is bounded, and it is dropped, with the reason on stderr.
#[test]
fn one_that_never_reads_is_dropped_and_slows_nobody() {
    const CLIENTS: usize = 1_000;
    const LINES: usize = 96;
    /// How many lines the slowest reader of this test may be behind: far less than the server lets wait.
    const BEHIND: usize = 8;
    let line = format!("{}\n", "x".repeat(3_999));
    framework::capacity::capacity().expect("the limit on descriptors can be raised");
    let stage = Stage::start(&["--app", "chat", "--workers", "2"]);
    let mut speaker = stage.connect();
    let come_in = || {
        let mut stream = stage.connect();
        stream.write_all(b"\n").unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    };
    let mut silent = come_in();
    let others: Vec<TcpStream> = (2..CLIENTS).map(|_| come_in()).collect();
    let mut buffer = vec![0; 64 * 1024];
    // How many of these bytes somebody has heard since the last look. The end would be one too.
    let mut heard = |mut stream: &TcpStream, byte: u8| match stream.read(&mut buffer) {
        Ok(0) => panic!("somebody who reads was dropped"),
        Ok(count) => buffer[..count].iter().filter(|&&one| one == byte).count(),
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => panic!("{error}"),
    };
    // Until everybody is in the room, the silent one included.
    let begin = Instant::now();
    let mut absent: Vec<&TcpStream> = others.iter().collect();
    while !absent.is_empty() || silent.peek(&mut [0]).is_err() {
        assert!(begin.elapsed() < LIMIT, "{} are not there", absent.len());
        speaker.write_all(b"who is there?\n").unwrap();
        thread::sleep(Duration::from_millis(20));
        absent.retain(|stream| heard(stream, b'?') == 0);
    }
    let mut received = vec![0; others.len()];
    for number in 1..=LINES + BEHIND {
        // A limit for each line: what all of them take together says how busy the machine is.
        let begin = Instant::now();
        if number <= LINES {
            speaker.write_all(line.as_bytes()).unwrap();
        }
        while received.iter().any(|&bytes| bytes < (number - number.min(BEHIND)) * 3_999) {
            assert!(begin.elapsed() < LIMIT, "line {number} does not come");
            for (stream, received) in others.iter().zip(&mut received) {
                *received += heard(stream, b'x');
            }
        }
    }
    assert!(received.iter().all(|&bytes| bytes == LINES * 3_999), "each has heard each line once");
    // What had left before it was dropped is there still; the rest was never sent.
    silent.set_nonblocking(false).unwrap();
    let mut bytes = Vec::new();
    let _ = silent.read_to_end(&mut bytes);
    assert!(bytes.len() < LINES * line.len(), "{} bytes: it was not dropped", bytes.len());
    let (status, stderr) = stage.terminate();
    assert!(status.success());
    assert_eq!(stderr.trim_end(), "a client was dropped: it does not read");
}
