//! What goes over the wire is read and written alike by every part: the generator, the driver, the grader and
//! the benchmark, as a user starts them.

use records::Record;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use test_support::server::RIGHT;
use test_support::{Finished, LONG, Place, Run, measured, program};

const HARNESS: &str = env!("CARGO_BIN_EXE_harness");
/// One short point of a benchmark.
const POINT: &str = "--concurrency 2 --duration 1 --rounds 1 --quick";

/// A server for the rest of the test process. `answer` gets the head of a request and the stream; the
/// connection stays open where the client does not want it closed and `answer` returns true.
fn serve(at: &str, answer: impl Fn(&str, &mut TcpStream) -> bool + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((at, 0)).expect("a port");
    let addr = listener.local_addr().expect("an address");
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let lines = BufReader::new(stream.try_clone().expect("a descriptor")).lines();
                let mut head = String::new();
                for line in lines.map_while(Result::ok) {
                    head += &format!("{line}\n");
                    if !line.is_empty() {
                        continue;
                    }
                    let keeps = head.contains(" HTTP/1.1\n") && !head.contains("\nConnection: close\n");
                    if !answer(&head, &mut stream) || !keeps {
                        return;
                    }
                    head.clear();
                }
            });
        }
    });
    addr
}

fn harness(place: &Place, words: &str) -> Finished {
    place.start(&words.split_whitespace().collect::<Vec<_>>()).wait(LONG)
}

fn succeeded(finished: &Finished) {
    assert!(finished.status.success(), "{finished:?}");
}

/// The point of a benchmark that was measured.
fn the_point(place: &Place) -> Record {
    let records = place.records();
    let points: Vec<&Record> = measured(&records).collect();
    assert_eq!(points.len(), 1, "{records:#?}");
    points[0].clone()
}

/// A probe and a benchmark that read replies otherwise than the generator would call a server broken that it
/// can measure.
#[test]
fn every_part_reads_the_same_replies() {
    const HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
    const BARE: &[u8] = b"HTTP/1.1 200 OK\nContent-Length: 13\n\nHello, World!";
    let rows: [(&str, &[&[u8]]); 4] = [
        ("interim, one segment", &[&[HINTS, RIGHT].concat()]),
        ("interim, apart", &[HINTS, HINTS, RIGHT]),
        ("bare LF", &[BARE]),
        ("interim and bare LF", &[b"HTTP/1.1 100 Continue\n\n", BARE]),
    ];
    for (name, parts) in rows {
        let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        let addr = serve("127.0.0.1", move |_, stream| {
            let mut parts = parts.iter();
            parts.next().is_some_and(|first| stream.write_all(first).is_ok())
                && parts.all(|part| {
                    thread::sleep(Duration::from_millis(20));
                    stream.write_all(part).is_ok()
                })
        });
        let place = Place::new();
        let load = harness(&place, &format!("load http://{addr}/ -c 2 -d 0.3"));
        succeeded(&load);
        assert!(load.stdout.contains("no errors"), "{name}: {load:?}");
        succeeded(&harness(&place, &format!("grade --addr {addr} --only connect-burst")));
        let bench = place.bench(&format!("--target http://{addr}/ --tools builtin --keep-alive on {POINT}"));
        succeeded(&bench);
        assert!(the_point(&place).figures().is_some_and(|figures| figures.errors == 0), "{name}");
    }
}

/// A reply without Content-Length is no fault of a server that is not of this lab.
#[test]
fn a_target_need_not_announce_its_lengths() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\na page\r\n0\r\n\r\n".as_slice();
    for (reply, keeps) in [(chunked, true), (b"HTTP/1.1 200 OK\r\n\r\na page".as_slice(), false)] {
        let addr = serve("127.0.0.1", move |_, stream| stream.write_all(reply).is_ok() && keeps);
        let place = Place::new();
        let kept = if keeps { "on" } else { "off" };
        succeeded(
            &place.bench(&format!("--target http://{addr}/ --tools builtin --keep-alive {kept} {POINT}")),
        );
        let record = the_point(&place);
        assert!(record.figures().is_some_and(|figures| figures.errors == 0 && figures.requests > 10));
        assert_eq!(record.served().body_bytes, 6);
    }
}

/// A silent server is called so, not by the name of an errno.
#[test]
fn a_silent_target_is_said_in_words() {
    let addr = serve("127.0.0.1", |_, _| {
        thread::sleep(LONG);
        false
    });
    let place = Place::new();
    let finished = place.bench(&format!("--target http://{addr}/ --tools builtin {POINT}"));
    let line = finished.complaint();
    assert!(line.contains("did not answer within 5s") && !line.contains("os error"), "{line}");
}

/// A busy machine may not let a server run for a while: that is no reason to refuse it.
#[test]
fn a_server_that_is_slow_to_begin_is_measured() {
    let first = Mutex::new(None);
    let addr = serve("127.0.0.1", move |head, stream| {
        // The looks at one reply ask for the end of the connection; the load does not.
        if !head.contains("Connection: close") {
            let begun = *first.lock().expect("nobody panics").get_or_insert_with(std::time::Instant::now);
            thread::sleep(Duration::from_millis(1500).saturating_sub(begun.elapsed()));
        }
        stream.write_all(RIGHT).is_ok()
    });
    let place = Place::new();
    succeeded(&place.bench(&format!("--target http://{addr}/ --tools builtin --keep-alive on {POINT}")));
    assert!(the_point(&place).figures().is_some_and(|figures| figures.requests > 10 && figures.errors == 0));
}

/// A server of several names has a site for each, and another one for an address.
#[test]
fn every_tool_asks_a_target_by_its_name() {
    let addr = serve("127.0.0.1", |head, stream| {
        let named = head
            .lines()
            .any(|line| line.strip_prefix("Host: ").is_some_and(|host| host.starts_with("localhost")));
        let reply = if named { RIGHT } else { b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" };
        stream.write_all(reply).is_ok()
    });
    let url = format!("http://localhost:{}/", addr.port());
    for (tool, kept) in [("builtin", "on"), ("webbench", "off"), ("ab", "off"), ("wrk", "on")] {
        let place = Place::new();
        let finished = place.bench(&format!("--target {url} --tools {tool} --keep-alive {kept} {POINT}"));
        if finished.stderr.contains("apt-get install") {
            continue; // it is not on this machine
        }
        succeeded(&finished);
        let record = the_point(&place);
        assert_eq!(record.key.server, format!("localhost:{}", addr.port()));
        assert!(
            record.figures().is_some_and(|figures| figures.requests > 10 && figures.errors == 0),
            "{tool}"
        );
    }
    let place = Place::new();
    let load = harness(&place, &format!("load http://{addr}/ --host localhost -c 1 -d 0.2"));
    succeeded(&load);
    assert!(load.stdout.contains("no errors"), "{load:?}");
    assert!(
        !harness(&place, &format!("load http://{addr}/ -c 1 -d 0.2")).status.success(),
        "it is another site"
    );
}

/// Runs a command where the name `manifold` has these addresses. `None` where no namespace is allowed.
fn with_hosts(place: &Place, addrs: &[&str], command: &str) -> Option<Finished> {
    let hosts = place.path("hosts");
    let lines: Vec<String> = addrs.iter().map(|addr| format!("{addr} manifold\n")).collect();
    fs::write(&hosts, lines.concat()).expect("written");
    let inside = |then: &str| {
        let mut command = place.command("unshare");
        let script = format!("mount --bind '{}' /etc/hosts || exit 99\n{then}", hosts.display());
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
        command
    };
    let allowed = inside("").output().is_ok_and(|output| output.status.success());
    allowed.then(|| Run::start(inside(&format!("exec {command}"))).wait(LONG))
}

/// `localhost` is often two addresses, and a server may listen on one of them only.
#[test]
fn every_address_of_a_name_is_tried() {
    const ADDRS: [&str; 3] = ["::1", "127.0.0.1", "127.0.0.2"];
    let webbench = program("webbench").display().to_string();
    // In whatever order the resolver sorts them, for one of these servers another address comes first.
    for at in ["127.0.0.1", "127.0.0.2"] {
        let port = serve(at, |_, stream| stream.write_all(RIGHT).is_ok()).port();
        let commands = [
            format!("{HARNESS} load http://manifold:{port}/ -c 2 -d 0.2"),
            format!("{webbench} -t 1 http://manifold:{port}/"),
            format!("{HARNESS} grade --addr manifold:{port} --only connect-burst"),
            format!(
                "{HARNESS} bench-all --out out --target http://manifold:{port}/ \
                 --tools builtin --keep-alive on {POINT}"
            ),
        ];
        for command in commands {
            let place = Place::new();
            let command = command.replace("--out out", &format!("--out '{}'", place.out().display()));
            let Some(finished) = with_hosts(&place, &ADDRS, &command) else { return };
            assert!(finished.status.success(), "{command} at {at}: {finished:?}");
        }
    }
    // Nobody listens: each address is in the one line that says so.
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    for command in [
        format!("{HARNESS} load http://manifold:{port}/ -d 0.2"),
        format!("{webbench} -t 1 http://manifold:{port}/"),
        format!("{HARNESS} grade --addr manifold:{port}"),
        format!("{HARNESS} bench-all --target http://manifold:{port}/ --tools builtin"),
    ] {
        let place = Place::new();
        let Some(finished) = with_hosts(&place, &ADDRS[1..], &command) else { return };
        assert!(!finished.status.success(), "{command}: {finished:?}");
        let line = finished.stderr.lines().last().unwrap_or_default();
        for addr in &ADDRS[1..] {
            assert!(line.contains(&format!("{addr}:{port}: connection refused")), "{command}: {line}");
        }
    }
}

/// A literal IPv6 host has its brackets, and the port beside them.
#[test]
fn a_literal_ipv6_host_is_a_valid_host() {
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let hosts = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&hosts);
    let addr = serve("::1", move |head, stream| {
        let host = head.lines().find_map(|line| line.strip_prefix("Host: ")).unwrap_or_default();
        seen.lock().expect("nobody panics").push(host.to_owned());
        stream.write_all(RIGHT).is_ok()
    });
    let place = Place::new();
    succeeded(&harness(&place, &format!("load http://{addr}/ -c 1 -d 0.2")));
    succeeded(&place.bench(&format!("--target http://{addr}/ --tools builtin --keep-alive on {POINT}")));
    let hosts = hosts.lock().expect("nobody panics");
    assert!(hosts.len() > 10 && hosts.iter().all(|host| *host == addr.to_string()), "{:?}", &hosts[..3]);
    drop(hosts);
    assert!(
        Command::new(program("webbench"))
            .args(["-t", "1", &format!("http://{addr}/")])
            .status()
            .is_ok_and(|s| s.success())
    );
}
