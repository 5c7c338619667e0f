//! Small servers that are broken in one way each, for looking at what the grader says of them:
//!
//! `./lab grade-cmd 'target/debug/examples/broken closes $PORT' --only keep-alive`
//!
//! A thread per connection, and nothing that a reader of the stages does not know.

use nix::libc;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::socket::{SetSockOpt, sockopt};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

/// Each way, with the probe that finds it.
const MODES: &[(&str, &str)] = &[
    ("right", ""),
    ("short-body", "keep-alive: every /bytes/N is a byte short"),
    ("closes", "keep-alive: closes after each reply"),
    ("status-500", "keep-alive: answers 500"),
    ("chunked", "keep-alive: sends chunks"),
    ("endless", "keep-alive: a body of no length that never ends"),
    ("huge-length", "keep-alive: announces 18446744073709551610 bytes"),
    ("mute", "keep-alive: reads, and answers nothing"),
    ("first-only", "pipelined-pair: forgets what came behind the first request"),
    ("no-half-close", "half-close: takes the end of input for the end of the connection"),
    ("drops-rest", "slow-reader: writes once, and drops what did not fit"),
    ("lenient", "malformed: answers everything with 200"),
    ("serial", "two-clients: one connection at a time"),
    ("spins", "idle-cpu: a thread that polls without a pause"),
    ("leaks", "no-leaks: keeps a duplicate of each descriptor"),
    ("deaf", "sigterm-idle: ignores SIGTERM"),
    ("default-signal", "sigterm-idle: is ended by SIGTERM's default action"),
    ("ended-by-sigpipe", "sigpipe-send: SIGPIPE has its default action"),
    ("spins-at-the-end", "drain-spin: polls without a pause from SIGTERM until its end, 2 s later"),
    ("dies", "keep-alive: ends at its first request"),
    ("any-option", "bad-option: takes every option"),
    ("walks-out", "file-outside-root: takes any path below --root"),
    ("short-range", "file-range: takes the last position for not included"),
    ("closes-no-file", "leak-on-file: never closes a file"),
];

/// The directory whose files are served, if there is one.
static ROOT: OnceLock<PathBuf> = OnceLock::new();

extern "C" fn leave(_: libc::c_int) {
    // SAFETY: _exit is async-signal-safe (signal-safety(7)).
    unsafe { libc::_exit(0) }
}

extern "C" fn spin(_: libc::c_int) {
    // SAFETY: alarm is async-signal-safe (signal-safety(7)). The default action of SIGALRM ends the process.
    unsafe { libc::alarm(2) };
    loop {
        std::hint::spin_loop();
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (mode, port) = match &args[..] {
        [mode, port, ..] if MODES.iter().any(|(name, _)| name == mode) => (mode.as_str(), port),
        _ => {
            MODES.iter().for_each(|(mode, way)| eprintln!("{mode:<16}{way}"));
            eprintln!("usage: broken MODE PORT");
            std::process::exit(2);
        }
    };
    match &args[2..] {
        [] => {}
        [option, root] if option == "--root" => drop(ROOT.set(root.into())),
        [option, ..] if mode != "any-option" => {
            eprintln!("broken: unexpected option {option}");
            std::process::exit(2);
        }
        _ => {}
    }
    let handler = match mode {
        "deaf" => SigHandler::SigIgn,
        "default-signal" => SigHandler::SigDfl,
        "spins-at-the-end" => SigHandler::Handler(spin),
        _ => SigHandler::Handler(leave),
    };
    // SAFETY: each handler makes one system call.
    unsafe { signal(Signal::SIGTERM, handler) }.expect("a signal of the kernel's");
    if mode == "ended-by-sigpipe" {
        // SAFETY: there is no handler.
        unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.expect("a signal of the kernel's");
    }
    let listener =
        port.parse().ok().and_then(|port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    let Some(listener) = listener else {
        eprintln!("broken: cannot listen on port {port}");
        std::process::exit(1);
    };
    let mode: &'static str = Box::leak(mode.to_owned().into_boxed_str());
    if mode == "spins" {
        thread::spawn(|| {
            loop {
                std::hint::spin_loop();
            }
        });
    }
    for stream in listener.incoming().flatten() {
        match mode {
            "serial" => converse(stream, mode),
            "leaks" => {
                std::mem::forget(stream.try_clone());
                thread::spawn(move || converse(stream, mode));
            }
            _ => drop(thread::spawn(move || converse(stream, mode))),
        }
    }
}

/// A request: its first line and headers, and its body.
struct Request {
    line: String,
    closes: bool,
    range: Option<String>,
    body: Vec<u8>,
}

/// Takes the first request off the buffer. `Err` for what is none.
fn take(buffer: &mut Vec<u8>) -> Result<Option<Request>, ()> {
    let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let line = head.lines().next().unwrap_or_default().to_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let length: usize = length.map_or(Ok(0), str::parse).map_err(|_| ())?;
    if !line.ends_with(" HTTP/1.1") {
        return Err(());
    }
    if buffer.len() < end + 4 + length {
        return Ok(None);
    }
    let body = buffer[end + 4..end + 4 + length].to_vec();
    buffer.drain(..end + 4 + length);
    let range = head.lines().find_map(|line| line.strip_prefix("Range: ")).map(ToOwned::to_owned);
    Ok(Some(Request { line, closes: head.contains("Connection: close"), range, body }))
}

fn converse(mut stream: TcpStream, mode: &str) {
    let (mut buffer, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let length = stream.read(&mut piece).unwrap_or(0);
        if length == 0 {
            return;
        }
        buffer.extend_from_slice(&piece[..length]);
        if mode == "no-half-close" && has_ended(&stream) {
            return;
        }
        if mode == "lenient" {
            buffer.clear();
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!").is_err() {
                return;
            }
        }
        loop {
            let closes = match take(&mut buffer) {
                Ok(None) => break,
                Ok(Some(request)) => answer(&mut stream, &request, mode).is_err() || request.closes,
                Err(()) => {
                    let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
                    true
                }
            };
            if closes || mode == "closes" {
                let _ = stream.shutdown(Shutdown::Write);
                return;
            }
            if mode == "first-only" {
                buffer.clear();
            }
        }
    }
}

/// Whether the peer has ended its side, looked at a moment later.
fn has_ended(stream: &TcpStream) -> bool {
    thread::sleep(Duration::from_millis(300));
    let _ = stream.set_nonblocking(true);
    let ended = matches!(stream.peek(&mut [0]), Ok(0));
    let _ = stream.set_nonblocking(false);
    ended
}

/// What is sent of a file: the status line's end with the headers, and the bytes.
fn part(root: &Path, request: &Request, mode: &str) -> Option<(String, Vec<u8>)> {
    let path = request.line.split(' ').nth(1)?.strip_prefix('/')?;
    let is_route =
        path.is_empty() || ["bytes/", "sleep/", "echo"].iter().any(|route| path.starts_with(route));
    if is_route {
        return None;
    }
    let leads_out = path.starts_with('/') || path.split('/').any(|part| part == "..");
    let mut whole = Vec::new();
    let file = File::open(root.join(path)).ok().filter(|_| !leads_out || mode == "walks-out");
    let Some(mut file) = file.filter(|file| file.metadata().is_ok_and(|found| found.is_file())) else {
        return Some(("404 Not Found\r\n".to_owned(), Vec::new()));
    };
    file.read_to_end(&mut whole).ok()?;
    if mode == "closes-no-file" {
        std::mem::forget(file);
    }
    let Some(range) = request.range.as_deref().and_then(|range| range.strip_prefix("bytes=")) else {
        return Some(("200 OK\r\n".to_owned(), whole));
    };
    let (first, last) = range.split_once('-')?;
    let length = whole.len();
    let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), last) => (first, last.unwrap_or(length).min(length - 1)),
        (Err(_), last) => (length - last.ok()?.min(length), length - 1),
    };
    if first >= length {
        return Some((
            format!("416 Range Not Satisfiable\r\nContent-Range: bytes */{length}\r\n"),
            Vec::new(),
        ));
    }
    let end = if mode == "short-range" { last.max(first + 1) } else { last + 1 };
    let head = format!("206 Partial Content\r\nContent-Range: bytes {first}-{last}/{length}\r\n");
    Some((head, whole[first..end].to_vec()))
}

fn answer(stream: &mut TcpStream, request: &Request, mode: &str) -> std::io::Result<()> {
    if let Some((head, body)) = ROOT.get().and_then(|root| part(root, request, mode)) {
        let head = format!("HTTP/1.1 {head}Content-Length: {}\r\n\r\n", body.len());
        return stream.write_all(&[head.as_bytes(), &body].concat());
    }
    let path = request.line.split(' ').nth(1).unwrap_or("/");
    if let Some(ms) = path.strip_prefix("/sleep/").and_then(|ms| ms.parse().ok()) {
        thread::sleep(Duration::from_millis(ms));
    }
    let mut body = match path.strip_prefix("/bytes/").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => (0..length).map(|i| b'0' + (i % 64) as u8).collect(),
        None if path == "/echo" => request.body.clone(),
        None => b"Hello, World!".to_vec(),
    };
    let mut status = "200 OK";
    match mode {
        "mute" => return Ok(()),
        "dies" => std::process::exit(3),
        "short-body" if path.starts_with("/bytes/") => drop(body.pop()),
        "status-500" => status = "500 Internal Server Error",
        "endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            loop {
                stream.write_all(&[b'x'; 4096])?;
            }
        }
        "huge-length" => {
            return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551610\r\n\r\nHello");
        }
        "chunked" => {
            let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", body.len(), String::from_utf8_lossy(&body));
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            return stream.write_all((head.to_owned() + &chunk).as_bytes());
        }
        _ => {}
    }
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
    let reply = [head.as_bytes(), &body].concat();
    if mode == "drops-rest" {
        // The send buffer is small, and a write that does not block takes what fits.
        sockopt::SndBuf.set(stream, &(64 * 1024))?;
        stream.set_nonblocking(true)?;
        let _ = stream.write(&reply)?;
        return stream.set_nonblocking(false);
    }
    if mode == "ended-by-sigpipe" {
        // The standard library writes with MSG_NOSIGNAL.
        let mut rest = &reply[..];
        while !rest.is_empty() {
            rest = &rest[nix::unistd::write(&*stream, rest)?..];
        }
        return Ok(());
    }
    stream.write_all(&reply)
}
