//! The CGI application, seen from outside: programs are scripts of the shell.

mod stage;

use stage::{LIMIT, Stage, children};
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

fn script(directory: &Path, name: &str, body: &str) {
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

fn stage(directory: &Path, options: &[&str]) -> Stage {
    let root = directory.to_str().unwrap();
    Stage::start(&[&["--app", "cgi", "--root", root, "--workers", "1"], options].concat())
}

fn ask(stage: &Stage, request: &str) -> String {
    let mut stream = stage.connect();
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

fn get(stage: &Stage, path: &str) -> String {
    ask(stage, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Own: mine\r\n\r\n"))
}

/// Protects both sides: a program gets what CGI promises and nothing of the server's own environment, the
/// client gets the program's document in the server's framing, and no zombie is left.
#[test]
fn a_program_answers_and_sees_nothing_but_its_request() {
    let directory = tempfile::tempdir().unwrap();
    script(directory.path(), "env", "printf 'Content-Type: text/plain\\n\\n'; env");
    script(
        directory.path(),
        "echo",
        "printf 'Content-Type: text/plain\\r\\nStatus: 201 Made\\r\\n\\r\\n'; cat",
    );
    let stage = stage(directory.path(), &[]);
    let reply = get(&stage, "/cgi-bin/env/more?a=b");
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    for line in ["GATEWAY_INTERFACE=CGI/1.1", "PATH_INFO=/more", "QUERY_STRING=a=b", "HTTP_X_OWN=mine"] {
        assert!(reply.lines().any(|has| has == line), "{line} is missing in {reply}");
    }
    // Cargo gives its tests, and they their server, variables of this name.
    assert!(!reply.contains("CARGO") && !reply.contains("HOME="), "{reply}");
    let body = "x".repeat(60_000);
    let post = |method| {
        format!("{method} /cgi-bin/echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let reply = ask(&stage, &post("POST"));
    assert!(reply.starts_with("HTTP/1.1 201 Made\r\n") && reply.ends_with(&format!("\r\n\r\n{body}")));
    let reply = ask(&stage, &post("HEAD"));
    assert!(reply.contains("Content-Length: 60000\r\n") && reply.ends_with("\r\n\r\n"), "{reply}");
    assert!(reply.contains("\r\nDate: "), "{reply}");
    for (path, status) in [("/cgi-bin/none", "404"), ("/cgi-bin/..%2fenv", "404"), ("/", "404")] {
        assert!(get(&stage, path).starts_with(&format!("HTTP/1.1 {status} ")), "{path}");
    }
    fs::write(directory.path().join("text"), "no program").unwrap();
    fs::set_permissions(directory.path().join("text"), Permissions::from_mode(0o644)).unwrap();
    assert!(get(&stage, "/cgi-bin/text").starts_with("HTTP/1.1 403 "));
    // The rules of HTTP are those of every stage, and what is refused without a program keeps the connection.
    for (request, codes) in [
        ("GET /cgi-bin/env HTTP/1.1\r\n\r\n", &["400"][..]),
        (
            "GET /x HTTP/1.1\r\nHost: x\r\n\r\nGET http://x/cgi-bin/env HTTP/1.1\r\nHost: y\r\n\r\n",
            &["404", "200"],
        ),
        ("PUT /cgi-bin/env HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/2.0\r\n\r\n", &["405", "505"]),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", &["400"]),
        ("POST /cgi-bin/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", &["413"]),
    ] {
        let reply = ask(&stage, request);
        let found: Vec<&str> = reply
            .split("HTTP/1.1 ")
            .filter_map(|reply| reply.get(..3))
            .filter(|code| code.parse::<u16>().is_ok())
            .collect();
        assert_eq!(found, codes, "{request}: {reply}");
    }
    let start = Instant::now();
    while !children(stage.pid()).is_empty() {
        assert!(start.elapsed() < LIMIT, "a zombie is left");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(stage.terminate().0.success());
}

/// Protects the server from its programs: too slow, too long, a child that outlives its parent and holds the
/// output, also out of its group, and no reply at all. One loop serves them all at once, and nobody waits for
/// the slow ones. And the machine from programs whose server was killed: they end with it.
#[test]
fn a_program_has_limits_and_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    for (name, body) in [
        ("slow", "sleep 60; true"),
        ("orphan", "sleep 60 & printf 'A: b\\n\\n'"),
        ("away", "setsid sleep 10 & printf 'A: b\\n\\n'"),
        ("endless", "printf 'A: b\\n\\n'; exec yes"),
        ("mute", "exit 3"),
        ("quick", "printf 'A: b\\n\\nquick'"),
    ] {
        script(directory.path(), name, body);
    }
    let stage = stage(directory.path(), &["--cgi-time", "1.5", "--cgi-output", "100000"]);
    let start = Instant::now();
    std::thread::scope(|scope| {
        let stage = &stage;
        let slow = ["slow", "orphan", "away"];
        let slow = slow.map(|name| scope.spawn(move || get(stage, &format!("/cgi-bin/{name}"))));
        assert!(get(stage, "/cgi-bin/quick").ends_with("\r\n\r\nquick"));
        assert!(get(stage, "/cgi-bin/mute").starts_with("HTTP/1.1 502 "));
        assert!(get(stage, "/cgi-bin/endless").starts_with("HTTP/1.1 502 "));
        for reply in slow {
            assert!(reply.join().unwrap().starts_with("HTTP/1.1 504 "));
        }
    });
    assert!(start.elapsed() >= Duration::from_millis(1_500), "{:?}", start.elapsed());
    // What has left its group runs on, and its reply does not wait for it.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    while !children(stage.pid()).is_empty() {
        assert!(start.elapsed() < LIMIT, "a program is left");
        std::thread::sleep(Duration::from_millis(10));
    }
    let _client = {
        let mut stream = stage.connect();
        stream.write_all(b"GET /cgi-bin/slow HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        stream
    };
    let program = loop {
        if let Some(pid) = children(stage.pid()).first() {
            break *pid;
        }
        assert!(start.elapsed() < LIMIT, "no program starts");
    };
    // Until it is the program, and no copy of the server.
    let runs = || fs::read(format!("/proc/{program}/cmdline")).unwrap_or_default();
    while !runs().ends_with(b"slow\0") {
        assert!(start.elapsed() < LIMIT, "the program does not start");
    }
    drop(stage);
    // One that has ended has no command line, whoever may wait for it.
    while !runs().is_empty() {
        assert!(start.elapsed() < LIMIT, "the program outlives its server");
        std::thread::sleep(Duration::from_millis(10));
    }
}
