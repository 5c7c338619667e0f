//! Options of the stage's command line that change how it serves.

mod stage;

use stage::{LIMIT, Stage, children, read_line};
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn get(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    read_line(stream)
}

/// `--processes` and `--busy-message`: the limit on connections is one for all processes, a client above it
/// is told so and disconnected, and has its turn when another one leaves; and the end of one process is not
/// the end of the server.
#[test]
fn processes_share_the_limit_and_a_client_above_it_is_told() {
    let options = ["--processes", "2", "--workers", "2", "--max-connections", "3"];
    let stage = Stage::start(&[&options[..], &["--busy-message", "busy, come again"]].concat());
    let first: HashSet<u32> = children(stage.pid()).into_iter().collect();
    assert_eq!(first.len(), 2);
    let mut held: Vec<TcpStream> = (0..3).map(|_| stage.connect()).collect();
    for stream in &mut held {
        assert_eq!(get(stream), "HTTP/1.1 200 OK\r\n");
    }
    for _ in 0..8 {
        let mut text = String::new();
        stage.connect().read_to_string(&mut text).unwrap();
        assert_eq!(text, "busy, come again");
    }
    held.clear();
    let begun = Instant::now();
    // Whoever is told to come again does. Told so, it may not get as far as its request.
    let mut line = String::new();
    while line != "HTTP/1.1 200 OK\r\n" {
        assert!(begun.elapsed() < LIMIT, "nobody has left: {line}");
        std::thread::sleep(Duration::from_millis(10));
        let mut stream = stage.connect();
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        line.clear();
        let _ = BufReader::with_capacity(1, stream).read_line(&mut line);
    }
    let (status, stderr) = stage.terminate();
    assert!(status.success() && stderr.is_empty(), "{stderr}");
    assert!(
        first.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()),
        "a child is left"
    );
}
