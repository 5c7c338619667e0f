//! The lines that a session's observer writes.

use access_log::observer::AccessLogBuffer;
use access_log::{Level, Log, Mode, Options};
use kit::clock::Clock;
use kit::protocol::http::{Http, Limits, Settings};
use kit::session::{Next, Session, Timeouts};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

/// Serves `input` as one turn of a connection; the peer's address, and what is in the log after it and after
/// the close.
fn serve(mode: Mode, level: Level, input: &[u8]) -> (String, [String; 2]) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    let options = Options { log: mode, log_level: level, log_file: Some(path.clone()) };
    let log = Arc::new(Log::open(&options).expect("it can be appended to"));
    let buffer = AccessLogBuffer::new(Arc::clone(&log));

    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let peer = TcpStream::connect(listener.local_addr().expect("bound")).expect("queued");
    let (socket, address) = listener.accept().expect("it is there");
    let (clock, timeouts) = (Clock::new(), Timeouts { idle_ms: 60_000, header_ms: 10_000 });
    let now = clock.last();
    let http = Http::new(Arc::new(Settings { limits: Limits::default(), root: None }));
    let mut session = Session::new(Box::new(http), timeouts, now);
    let name = buffer.open(&socket, &mut session, now);
    session.received(input, now);
    loop {
        match session.next(now) {
            Next::Read | Next::Close => break,
            Next::Write(output) => {
                let count = output.bytes().len();
                session.sent(count, now);
            }
            Next::Work(_) | Next::ShutdownWrite => {}
        }
    }
    buffer.flush();
    let after_turn = read(&path);
    buffer.close(&name, now);
    log.close();
    drop(peer);
    (address.to_string(), [after_turn, read(&path)])
}

/// The log without the times (which are 29 bytes).
fn read(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| line[29..].to_owned() + "\n").collect()
}

#[test]
fn each_exchange_is_a_line_and_a_connection_at_debug_two() {
    let requests = b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere?a=b HTTP/1.1\r\nHost: x\r\n\r\n";
    let (peer, [turn, _]) = serve(Mode::Sync, Level::Info, requests);
    let (first, second) = turn.split_once('\n').expect("two lines");
    let bytes = |line: &str| line.trim_end().rsplit(' ').next().and_then(|bytes| bytes.parse::<u64>().ok());
    assert!(first.starts_with(&format!(" INFO {peer} GET / 200 ")) && bytes(first) > Some(100), "{turn}");
    assert!(second.starts_with(&format!(" INFO {peer} GET /nowhere?a=b 404 ")), "{turn}");

    let (peer, [turn, all]) = serve(Mode::Sync, Level::Debug, requests);
    assert!(turn.starts_with(&format!(" DEBUG {peer} opened\n INFO {peer} GET / 200 ")), "{turn}");
    assert!(all.ends_with(&format!(" DEBUG {peer} closed\n")), "{all}");
}

/// Protects a reader of the log: a peer decides what is in its request, and must not write lines of its own.
#[test]
fn a_request_cannot_forge_a_line() {
    for forged in ["GET /a\nb HTTP/1.1\r\nHost: x\r\n\r\n", "GET /\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let (peer, [_, all]) = serve(Mode::Sync, Level::Info, forged.as_bytes());
        assert_eq!(all.lines().count(), 1, "{all}");
        assert!(all.starts_with(&format!(" INFO {peer} - - 400 ")), "{all}");
    }
}

#[test]
fn without_a_log_or_below_its_level_no_line_is_written() {
    for (mode, level) in [(Mode::Off, Level::Debug), (Mode::Sync, Level::Warn)] {
        let (_, written) = serve(mode, level, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(written, ["", ""], "{mode:?}");
    }
}
