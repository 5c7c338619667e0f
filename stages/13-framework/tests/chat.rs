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
fn enter(stage: &Stage, number: usize, witness: &TcpStream) -> TcpStream {
    let mut stream = stage.connect();
    stream.write_all(b"hello\n").unwrap();
    assert_eq!(line_of(witness), format!("guest {number}: hello\n"));
    let others = number - 1;
    let greeting = format!("* You are guest {number}. Others here: {others}. They see what you send.\n");
    assert_eq!(line_of(&stream), greeting);
    stream
}

fn browser(stage: &Stage) -> WebSocket<TcpStream> {
    client(format!("ws://{}/", stage.address), stage.connect()).expect("the server upgrades").0
}

/// Protects the room: a line reaches everybody but whoever said it, with a name and whatever they speak, and
/// split lines are whole again; and a client that breaks the rules of WebSocket is told so.
#[test]
fn lines_reach_everybody_else_over_tcp_and_websocket() {
    let stage = Stage::start(&["--app", "chat", "--workers", "2"]);
    let mut socket = browser(&stage);
    let greeting = socket.read().unwrap();
    assert_eq!(greeting, Message::text("* You are guest 1. Others here: 0. They see what you send."));
    let mut first = stage.connect();
    first.write_all(b"GET me ").unwrap();
    thread::sleep(Duration::from_millis(20));
    first.write_all(b"a beer\n").unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("guest 2: GET me a beer"));
    assert!(line_of(&first).starts_with("* You are guest 2."));
    let mut second = enter(&stage, 3, &first);
    assert_eq!(socket.read().unwrap(), Message::text("guest 3: hello"));
    socket.send(Message::text("hello, 你好")).unwrap();
    for stream in [&first, &second] {
        assert_eq!(line_of(stream), "guest 1: hello, 你好\n");
    }
    second.write_all(b"one\r\ntwo\n").unwrap();
    for said in ["one", "two"] {
        assert_eq!(line_of(&first), format!("guest 3: {said}\n"));
        assert_eq!(socket.read().unwrap(), Message::text(format!("guest 3: {said}")));
    }
    // It has heard itself: never.
    first.write_all(b"end\n").unwrap();
    assert_eq!(line_of(&second), "guest 2: end\n");
    assert_eq!(socket.read().unwrap(), Message::text("guest 2: end"));
    // A frame without a mask (RFC 6455 §5.1).
    socket.get_mut().write_all(&[0x81, 1, b'x']).unwrap();
    let Message::Close(Some(close)) = socket.read().unwrap() else { panic!("no close") };
    assert_eq!(u16::from(close.code), 1002);
    // The limit counts for a line that comes whole, too.
    first.write_all(&[vec![b'x'; 5_000], vec![b'\n']].concat()).unwrap();
    assert_eq!(first.read(&mut [0]).unwrap_or(0), 0);
    let (status, stderr) = stage.terminate();
    assert!(status.success());
    let dropped = ["it does not keep to RFC 6455", "its line is too long"];
    assert_eq!(stderr, dropped.map(|why| format!("a client was dropped: {why}\n")).concat());
}

/// Protects the room from what is no chat: a page of another site cannot post into it, and a client that does
/// not show what it speaks is closed in time, whereas one that has come in may be silent. A browser gets the
/// page.
#[test]
fn a_request_is_no_line_and_silence_is_for_those_who_are_in() {
    let stage = Stage::start(&["--app", "chat", "--header-timeout", "0.1", "--idle-timeout", "0.1"]);
    let mut witness = stage.connect();
    witness.write_all(b"\n").unwrap();
    assert!(line_of(&witness).starts_with("* You are guest 1."));
    let ask = |request: String| {
        let mut stream = stage.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    };
    let head = format!("Host: {}\r\nConnection: close\r\n", stage.address);
    let fields = "Origin: http://site.example\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n";
    assert!(ask(format!("POST / HTTP/1.1\r\n{head}{fields}\r\nevil\n")).starts_with("HTTP/1.1 405 "));
    assert!(ask(format!("GET / HTTP/1.1\r\n{head}\r\n")).ends_with("</script>\n"));
    assert!(ask("GET / HTTP/1.1\r\nHost".to_owned()).starts_with("HTTP/1.1 408 "));
    for half in ["half a line", ""] {
        assert_eq!(ask(half.to_owned()), "");
    }
    enter(&stage, 2, &witness);
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
