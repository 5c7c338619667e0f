//! A log line that was accepted is written; one that was not is counted.

mod common;

use common::{PATIENCE, Server, lines, read_hellos, request};
use loop_per_thread::log::buffered::{Buffered, Sizes};
use nix::sys::signal::Signal;
use std::fs::File;
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

/// The signal comes in the midst of it: whoever got a reply has a line, and the request that is in flight too. Others have a
/// line without having seen the reply, which is no loss.
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

/// A log that is looked at while the server runs is not older than a few seconds.
#[test]
fn a_line_is_written_after_a_while_though_its_buffer_is_not_full() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let server = Server::start(&options("async", &file));
    server.ask("/");
    let start = Instant::now();
    while lines(file.as_file()).is_empty() {
        assert!(start.elapsed() < PATIENCE, "no line after {PATIENCE:?}");
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

/// Nobody reads the pipe: appending must not wait, memory must not grow, and each line is there in the end or is counted.
#[test]
fn a_stuck_file_costs_lines_that_are_counted_and_never_time() {
    const LINES: usize = 50_000;
    let (reader, writer) = nix::unistd::pipe().unwrap();
    let sizes = Sizes { buffer: 4096, buffers: 4, patience: Duration::from_millis(10) };
    let log = Buffered::new(File::from(writer), sizes).unwrap();
    for number in 0..LINES {
        log.append(format!("line {number}\n").as_bytes());
    }
    // The pipe holds 64 KiB, and the buffers 16 KiB: the rest is lost. Now somebody reads.
    let reading = thread::spawn(move || {
        let mut text = String::new();
        File::from(reader).read_to_string(&mut text).unwrap();
        text
    });
    let untold = log.close();
    drop(log);
    let lines: Vec<String> = reading.join().unwrap().lines().map(str::to_owned).collect();
    let written: Vec<usize> =
        lines.iter().filter_map(|line| line.strip_prefix("line ")?.parse().ok()).collect();
    assert!(written.is_sorted(), "out of order");
    assert_eq!(untold, 0);
    assert_eq!(written.len() + told_lost(&lines), LINES);
    assert!(written.len() < LINES / 2 && written.len() > 1_000, "{} lines", written.len());
}

/// All buffers are full, the last one nearly, and the writer has not run yet when the end comes: there is no empty buffer to
/// swap the last one for, and its lines must not be forgotten.
#[test]
fn the_end_takes_the_last_buffer_too() {
    for _ in 0..200 {
        let file = tempfile::tempfile().unwrap();
        let sizes = Sizes { buffer: 12, buffers: 4, patience: Duration::from_secs(60) };
        let log = Buffered::new(file.try_clone().unwrap(), sizes).unwrap();
        for number in 10..25 {
            log.append(format!("{number}\n").as_bytes());
        }
        assert_eq!(log.close(), 0);
        // Where the writer was quick to take a buffer that was not full, the last ones had no room.
        let lines = lines(&file);
        let written = lines.iter().filter(|line| line.len() == 2).count();
        assert_eq!(written + told_lost(&lines), 15, "{lines:?}");
    }
}

/// Lines that are longer than a buffer, or come after the end, are counted and do no harm.
#[test]
fn what_does_not_fit_and_what_comes_too_late_is_counted() {
    let file = tempfile::tempfile().unwrap();
    let sizes = Sizes { buffer: 64, buffers: 2, patience: Duration::from_secs(60) };
    let log = Buffered::new(file.try_clone().unwrap(), sizes).unwrap();
    log.append(&[b'x'; 65]);
    log.append(b"one\n");
    log.append(format!("{}\n", "y".repeat(100)).as_bytes());
    assert_eq!(log.close(), 0);
    log.append(b"late\nlater\n");
    assert_eq!(log.close(), 2);
    let lines = lines(&file);
    assert_eq!(lines[0], "one");
    assert_eq!((lines.len(), told_lost(&lines)), (2, 1), "{lines:?}");
}

/// What cannot be written at all is told by the return value: the file is a full disk.
#[test]
fn a_full_disk_is_told_of() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        eprintln!("skipped: there is no /dev/full");
        return;
    };
    let log = Buffered::new(full, Sizes::default()).unwrap();
    log.append(b"one\ntwo\n");
    assert_eq!(log.close(), 2);
}
