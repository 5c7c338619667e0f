//! A log line that was accepted is written; one that was not is counted.

mod common;

use common::{LIMIT, Server, lines, read_hellos, request};
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// How many lines a log tells to be lost.
fn told_lost(lines: &[String]) -> usize {
    let told = lines.iter().filter_map(|line| line.strip_suffix(" lines were lost"));
    told.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum()
}

fn options<'a>(mode: &'a str, file: &'a tempfile::NamedTempFile) -> Vec<&'a str> {
    vec!["--workers", "2", "--log", mode, "--log-file", file.path().to_str().unwrap()]
}

#[test]
fn each_answered_request_has_its_line_after_sigterm() {
    for mode in ["sync", "async"] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut server = Server::start(&options(mode, &file));
        const CLIENTS: usize = 8;
        const EACH: usize = 500;
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut stream = server.connect();
                    for _ in 0..EACH / 10 {
                        // Ten in one write: their replies leave in one, too.
                        stream.write_all(request("/", false).repeat(10).as_bytes()).unwrap();
                        read_hellos(&mut stream, 10);
                    }
                });
            }
        });
        assert!(server.terminate().success());
        let lines = lines(file.as_file());
        let hellos =
            lines.iter().filter(|line| line.contains(" INFO ") && line.contains(" GET / 200 ")).count();
        assert_eq!(hellos + told_lost(&lines), CLIENTS * EACH, "{mode}");
    }
}

/// One peer asks 30,000 times in one breath: more lines than a buffer of the log takes at once.
#[test]
fn a_greedy_pipeliner_is_logged_like_everybody_else() {
    const REQUESTS: usize = 30_000;
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut server = Server::start(&options("async", &file));
    let mut stream = server.connect();
    let mut writer = stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || writer.write_all(request("/", false).repeat(REQUESTS).as_bytes()).unwrap());
        let (mut received, mut buffer) = (0, [0; 65_536]);
        let reply = server.ask("/").len() - "Connection: close\r\n".len();
        while received < REQUESTS * reply {
            match stream.read(&mut buffer).unwrap() {
                0 => panic!("it ended after {received} bytes"),
                count => received += count,
            }
        }
    });
    server.terminate();
    let lines = lines(file.as_file());
    assert_eq!((lines.len(), told_lost(&lines)), (REQUESTS + 1, 0));
}

/// The signal comes in the midst of it: a client that got a reply has a line, and the request that is in
/// flight too. Others have a line without having seen the reply, which is no loss.
#[test]
fn sigterm_under_load_loses_no_line() {
    for mode in ["sync", "async"] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut server = Server::start(&options(mode, &file));
        let under_way = Barrier::new(5);
        let answered: usize = thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let (mut stream, mut replies, mut buffer) = (server.connect(), 0, [0; 4096]);
                        while stream.write_all(request("/bytes/5", false).as_bytes()).is_ok() {
                            match stream.read(&mut buffer) {
                                Ok(1..) => replies += 1,
                                _ => break,
                            }
                            if replies == 100 {
                                under_way.wait();
                            }
                        }
                        replies
                    })
                })
                .collect();
            under_way.wait();
            server.signal(Signal::SIGTERM);
            clients.into_iter().map(|client| client.join().unwrap()).sum()
        });
        assert!(server.child.wait().unwrap().success());
        let lines = lines(file.as_file());
        let noted = lines.iter().filter(|line| line.contains(" GET /bytes/5 200 ")).count();
        assert!(
            noted + told_lost(&lines) >= answered && answered >= 400,
            "{mode}: {noted} lines, {answered} replies"
        );
    }
}

/// A request that sleeps for longer than the drain lasts must not take the lines of the others with it.
#[test]
fn the_log_is_written_though_a_loop_does_not_end() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut server = Server::start(&options("async", &file));
    let mut sleeper = server.connect();
    sleeper.write_all(request("/sleep/30000", false).as_bytes()).unwrap();
    // Round-robin: the next one is with the other loop.
    let mut other = server.connect();
    other.write_all(request("/", false).as_bytes()).unwrap();
    read_hellos(&mut other, 1);
    let start = Instant::now();
    assert!(server.terminate().success());
    assert!(start.elapsed() < Duration::from_secs(10), "the drain is 2 s: {:?}", start.elapsed());
    assert_eq!(lines(file.as_file()).iter().filter(|line| line.contains(" GET / 200 ")).count(), 1);
}

/// The same at the limit on connections: a client waits for the place of the one that sleeps, so accepting
/// does not end.
#[test]
fn the_log_is_written_though_a_client_still_waits_to_be_accepted() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut server = Server::start(&[&options("async", &file)[..], &["--max-connections", "1"]].concat());
    server.ask("/");
    let mut sleeper = server.connect();
    sleeper.write_all(request("/sleep/30000", false).as_bytes()).unwrap();
    let _waiting = server.connect();
    assert!(server.terminate().success());
    assert_eq!(lines(file.as_file()).iter().filter(|line| line.contains(" GET / 200 ")).count(), 1);
}

/// A log that is looked at while the server runs is not older than a few seconds.
#[test]
fn a_line_is_written_after_a_while_though_its_buffer_is_not_full() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let server = Server::start(&options("async", &file));
    server.ask("/");
    let start = Instant::now();
    while lines(file.as_file()).is_empty() {
        assert!(start.elapsed() < LIMIT, "no line after {LIMIT:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_level_leaves_out_what_is_below_it() {
    for (level, requests, connections) in [("warn", 0, 0), ("info", 1, 0), ("debug", 1, 2)] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut server = Server::start(&[&options("async", &file)[..], &["--log-level", level]].concat());
        server.ask("/");
        server.terminate();
        let lines = lines(file.as_file());
        let count = |what| lines.iter().filter(|line| line.contains(what)).count();
        assert_eq!((count(" INFO "), count(" DEBUG ")), (requests, connections), "{level}: {lines:?}");
    }
}

/// A peer decides what is in its request, and must not write lines of its own.
#[test]
fn a_request_cannot_forge_a_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut server = Server::start(&options("sync", &file));
    for forged in ["GET /a\nb HTTP/1.1\r\nHost: x\r\n\r\n", "GET /\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = server.connect();
        stream.write_all(forged.as_bytes()).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    server.terminate();
    let lines = lines(file.as_file());
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains(" - - 400 ")), "{lines:?}");
}

/// `ulimit -f`: a write beyond it raises SIGXFSZ, which would end the server. The file is full, and that is
/// all: each request is answered, and each line is in the file or is counted on stderr.
#[test]
fn a_limit_on_the_size_of_files_costs_lines_that_are_counted_and_not_the_server() {
    const REQUESTS: usize = 100;
    for mode in ["sync", "async"] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut server = Server::start_with_limit("-f 2", &options(mode, &file));
        let mut stream = server.connect();
        for _ in 0..REQUESTS / 10 {
            stream.write_all(request("/", false).repeat(10).as_bytes()).unwrap();
            read_hellos(&mut stream, 10);
        }
        let mut stderr = server.child.stderr.take().expect("stderr is piped");
        assert!(server.terminate().success(), "{mode}");
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        let lost =
            text.trim_end().strip_prefix("log: ").and_then(|text| text.strip_suffix(" lines were lost"));
        let lost: usize = lost.expect("stderr says what was lost").parse().unwrap();
        let written = std::fs::read_to_string(file.path()).unwrap();
        // The last line may be cut.
        let whole = written.matches('\n').count();
        assert!(whole > 0 && lost > 0, "{mode}: {whole} lines are written and {lost} are lost");
        // An attempt to say in the file how many were lost may have gone wrong too, but has no line.
        assert_eq!(whole + lost, REQUESTS, "{mode}: {written}");
    }
}
