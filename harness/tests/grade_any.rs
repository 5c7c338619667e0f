//! `./lab grade` for courses: any server, whatever it does and however it was written, within a time that was
//! said before, with nothing left behind, in the formats of others.

use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use test_support::manner::{Manner, serve};
use test_support::server::{RIGHT, Server, Then};
use test_support::{Finished, LONG, Place, Run, program};

/// Whether a tool is here; if not, the test is skipped, and says so.
pub(crate) fn has(tool: &str) -> bool {
    let is_here = Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_here {
        eprintln!("skipped: there is no {tool}");
    }
    is_here
}

fn start(place: &Place, args: &[&str]) -> Run {
    let mut command = place.command(program("harness"));
    command.arg("grade").args(args);
    Run::start(command)
}

fn grade(place: &Place, args: &[&str]) -> Finished {
    start(place, args).wait(2 * LONG)
}

/// The outcome of each probe.
pub(crate) fn outcomes(record: &str) -> Vec<(String, String, String)> {
    let record: Value = serde_json::from_str(record).unwrap();
    let probes = record["probes"].as_array().unwrap().iter();
    let text = |probe: &Value, key: &str| probe[key].as_str().unwrap().to_owned();
    probes.map(|probe| (text(probe, "probe"), text(probe, "outcome"), text(probe, "detail"))).collect()
}

/// Whether a floor runs, and not only a process in whose command line it is named.
fn serves(place: &Place) -> bool {
    place
        .running()
        .iter()
        .any(|(_, line)| line.split(' ').next().is_some_and(|name| name.ends_with("/floor")))
}

fn floor() -> String {
    format!("{} --addr 127.0.0.1:$PORT", program("floor").display())
}

/// Protects machines on which a grade is stopped: whatever ends it, nothing that it has started is alive, be
/// it behind a wrapper or a daemon; and the status says how it ended.
#[test]
fn nothing_is_left_behind_when_the_grader_ends() {
    let command = format!("cd / && setsid sleep 600 & {} | cat", floor());
    for (signal, status) in
        [(Signal::SIGINT, Some(130)), (Signal::SIGTERM, Some(143)), (Signal::SIGKILL, None)]
    {
        let place = Place::new();
        let mut run = start(&place, &["--cmd", &command, "--only", "idle-cpu,sigterm-idle,keep-alive"]);
        run.wait_until("a server", || serves(&place));
        let ended = run.signal_and_wait(signal);
        assert_eq!(ended.status.code(), status, "{ended:?}");
        assert_eq!(place.left_behind(LONG), Vec::<String>::new(), "{signal}");
    }
}

/// Protects those who interrupt a long grade: they see what is known.
#[test]
fn an_interrupted_grade_shows_what_has_ended() {
    let place = Place::new();
    let command = format!("sleep 0.2; {}", floor());
    let mut run = start(&place, &["--cmd", &command, "--repeat", "1000", "--only", "keep-alive,idle-cpu"]);
    std::thread::sleep(Duration::from_millis(1_500));
    run.wait_until("a server", || serves(&place));
    let ended = run.signal_and_wait(Signal::SIGINT);
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    assert!(ended.stderr.contains("interrupted: ") && ended.took < Duration::from_secs(10), "{ended:?}");
}

/// Protects servers that are started in the ways of a course: by a script, by make, behind tee. The process
/// that listens is signalled and looked at, so the outcomes are those of the server itself.
#[test]
fn a_wrapper_is_not_judged_in_place_of_its_server() {
    let place = Place::new();
    let only = "keep-alive,sigterm-idle,idle-cpu";
    let expected = |args: &[&str]| {
        let record = grade(&place, &[&["--only", only, "--json", "-"], args].concat());
        let found = outcomes(&record.stdout).into_iter().map(|(probe, outcome, _)| (probe, outcome));
        found.collect::<Vec<_>>()
    };
    let itself = expected(&["--cmd", &floor()]);
    let script = place.program("start", &format!("echo starting\n{}\necho over", floor()));
    let makefile = place.path("Makefile");
    fs::write(&makefile, format!("run:\n\t@{}\n", floor().replace("$PORT", "$$PORT"))).unwrap();
    let mut wrappers = vec![
        format!("cd / && {}", floor()),
        format!("LANG=C {}", floor()),
        format!("{} # $PORT", script.display()),
        format!("{} 2>&1 | tee {}", floor(), place.path("log").display()),
    ];
    if has("make") {
        wrappers.push(format!("make -f {} run # $PORT", makefile.display()));
    }
    for wrapper in wrappers {
        assert_eq!(expected(&["--cmd", &wrapper]), itself, "{wrapper}");
    }
    assert_eq!(place.left_behind(LONG), Vec::<String>::new());
}

/// Protects a server that says much before it refuses an option: its pipe is read, so it ends, and what is
/// wrong is what it printed.
#[test]
fn a_long_complaint_is_read_to_its_end() {
    let place = Place::new();
    let script =
        "case \"$OPTIONS\" in *no-such*) head -c 150000 /dev/zero | tr '\\0' 'x' | fold >&2; exit 2;; esac";
    let command = format!("{script}; {}", floor());
    let record = grade(&place, &["--cmd", &command, "--only", "bad-option", "--json", "-"]);
    let outcomes = outcomes(&record.stdout);
    assert!(outcomes[0].2.contains("1875 lines on stderr"), "{outcomes:?}");
}

/// Protects the grade of a server that somebody else runs: its end is told once, and nothing is claimed about
/// what was not asked any more.
#[test]
fn the_end_of_a_server_that_runs_already_is_told_once() {
    if !has("python3") {
        return;
    }
    let place = Place::new();
    // It ends at the first request for bytes.
    let server = place.path("server.py");
    fs::write(&server, ENDS_AT_BYTES).unwrap();
    let port = free_port();
    let mut command = place.command("python3");
    command.arg(&server).arg(port.to_string());
    let _server = Run::start(command);
    let addr = format!("127.0.0.1:{port}");
    let start = std::time::Instant::now();
    while std::net::TcpStream::connect(&addr).is_err() {
        assert!(start.elapsed() < LONG, "nothing listens");
        std::thread::sleep(Duration::from_millis(20));
    }
    let only = "two-clients,idle-holders,descriptor-churn,connect-burst,stale-event";
    let record = grade(&place, &["--addr", &addr, "--only", only, "--json", "-"]);
    let crashes: Vec<String> = outcomes(&record.stdout)
        .into_iter()
        .filter(|(_, outcome, _)| outcome == "broken: crash")
        .map(|(probe, ..)| probe)
        .collect();
    assert_eq!(crashes, ["stale-event"], "{}", record.stdout);
    let gone = outcomes(&record.stdout).into_iter().filter(|(.., detail)| detail.contains("gone since"));
    let gone: Vec<String> = gone.map(|(.., detail)| detail).collect();
    assert_eq!(gone, ["the server is gone since stale-event"], "{}", record.stdout);
}

/// A server of the lab's routes that ends when `/bytes/` is asked for a length over 100.
const ENDS_AT_BYTES: &str = r#"
import os, sys, socket, threading, time
def serve(c):
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = c.recv(4096)
            if not more: return c.close()
            data += more
        head, data = data.split(b"\r\n\r\n", 1)
        path = head.split()[1].decode()
        body = b"Hello, World!"
        if path.startswith("/bytes/"):
            if int(path[7:]) > 100: os._exit(3)
            body = b"x" * int(path[7:])
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        if b"Connection: close" in head: return c.close()
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(128)
while True:
    c, _ = s.accept()
    threading.Thread(target=serve, args=(c,), daemon=True).start()
"#;

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Protects servers that take their time to start, as those of a virtual machine do; and those who wait for
/// one that never listens, or listens elsewhere.
#[test]
fn a_slow_start_is_waited_for_up_to_the_limit() {
    let place = Place::new();
    let slow = format!("sleep 6; {}", floor());
    let ended = grade(&place, &["--cmd", &slow, "--only", "keep-alive"]);
    assert!(ended.stdout.contains("1 probe: "), "{ended:?}");
    let ended = grade(&place, &["--cmd", &slow, "--start-limit", "1", "--only", "keep-alive"]);
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(ended.stderr.contains("nothing listens on") && ended.stderr.contains("within 1s"), "{ended:?}");
    let elsewhere = format!("{} # $PORT", program("floor").display());
    let ended = grade(&place, &["--cmd", &elsewhere, "--start-limit", "2", "--only", "keep-alive"]);
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(ended.stderr.contains("(it listens on 127.0.0.1:"), "{ended:?}");
}

/// Protects those whose server answers nothing: they learn it at once, and not by a hang in each probe.
#[test]
fn a_server_that_never_answers_is_told_at_once() {
    let place = Place::new();
    let ended = grade(&place, &["--addr", &serve(Manner::Mute).to_string()]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.took < Duration::from_secs(30), "{ended:?}");
    let said: Vec<&str> = ended.stderr.lines().collect();
    assert!(said[1].contains("it answered nothing to `GET /`"), "{said:?}");
    assert!(ended.stdout.contains(": 0 pass, "), "{ended:?}");
    assert!(ended.stdout.contains(" not applicable; nothing could be asked"), "{ended:?}");
}

/// Protects servers that close after each reply, which is one fault and not one in every probe that asks
/// twice.
#[test]
fn a_server_that_closes_after_each_reply_is_told_by_one_probe() {
    let place = Place::new();
    let server = Server::start(|_| (RIGHT, Then::Close));
    let only = "keep-alive,pipelined-pair,in-order,idle-holders,two-clients";
    let ended = grade(&place, &["--addr", &server.addr.to_string(), "--only", only, "--json", "-"]);
    let found: Vec<(String, String)> =
        outcomes(&ended.stdout).into_iter().map(|(probe, outcome, _)| (probe, outcome)).collect();
    let expected = [
        ("keep-alive", "wrong"),
        ("pipelined-pair", "not applicable"),
        ("in-order", "not applicable"),
        ("two-clients", "pass"),
        ("idle-holders", "not applicable"),
    ];
    assert_eq!(found, expected.map(|(probe, outcome)| (probe.to_owned(), outcome.to_owned())));
}

/// Protects the time limits: a probe that takes too long is a hang, and those that are not begun in time are
/// not run, which no script takes for a good grade.
#[test]
fn the_time_limits_hold() {
    let place = Place::new();
    let addr = serve(Manner::Right).to_string();
    // It takes a second for its sleep alone.
    let ended =
        grade(&place, &["--addr", &addr, "--only", "slow-reader", "--probe-limit", "1", "--json", "-"]);
    let found = outcomes(&ended.stdout);
    assert_eq!((&*found[0].1, ended.status.code()), ("broken: hang", Some(1)), "{ended:?}");
    assert!(found[0].2.contains("--probe-limit"), "{found:?}");
    let only = "fast-beside-slow,slow-reader,late-bytes";
    let ended = grade(&place, &["--addr", &addr, "--only", only, "--limit", "1", "--json", "-"]);
    let left_out =
        outcomes(&ended.stdout).into_iter().filter(|(.., detail)| detail.contains("(--limit)")).count();
    assert!(left_out > 0, "{ended:?}");
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.starts_with("3 probes, at most 31 s, at most 30 s a probe\n"), "{ended:?}");
}

/// Protects the choice of probes: groups, what is left out, and the stop at the first failure in their order.
#[test]
fn probes_are_chosen_by_group_and_until_the_first_failure() {
    let place = Place::new();
    let addr = serve(Manner::Short).to_string();
    let run = |args: &[&str]| grade(&place, &[&["--addr", &addr, "--json", "-"], args].concat());
    let ended = run(&["--only", "several", "--skip", "idle-1000,greedy-pipeliner,slow-reader-beside"]);
    let names: Vec<String> = outcomes(&ended.stdout).into_iter().map(|(probe, ..)| probe).collect();
    assert_eq!(names, ["two-clients", "reverse-order", "idle-holders", "fast-beside-slow"]);
    let ended = run(&["--only", "keep-alive,pipelined-pair,two-clients", "--until-first-failure"]);
    let found = outcomes(&ended.stdout);
    assert_eq!((&*found[0].1, &*found[1].1), ("wrong", "not applicable"), "{found:?}");
    assert_eq!(found[2].2, "not run after the first failure, keep-alive");
    assert_eq!(ended.status.code(), Some(1));
}

/// Protects courses: points are given by a file, and the formats of other tools are on stdout alone.
#[test]
fn points_and_formats_are_printed() {
    let place = Place::new();
    let addr = serve(Manner::Short).to_string();
    let points = place.path("points.toml");
    fs::write(&points, "total = 10\n[points]\nkeep-alive = 3\ntwo-clients = 2\n").unwrap();
    let points = points.display().to_string();
    let args = ["--addr", &addr, "--only", "keep-alive,two-clients", "--points", &points];
    let ended = grade(&place, &args);
    assert!(ended.stdout.ends_with("\n4 of 10 points\nlost: keep-alive 6\n"), "{ended:?}");
    for (format, first) in
        [("junit", "<?xml"), ("tap", "TAP version 14"), ("gradescope", "{"), ("classroom", "{")]
    {
        let ended = grade(&place, &[&args[..], &["--format", format]].concat());
        assert!(ended.stdout.starts_with(first) && ended.status.code() == Some(1), "{ended:?}");
        assert!(ended.stderr.contains("2 probes: 1 pass; 1 surprise"), "{ended:?}");
    }
    let ended = grade(&place, &[&args[..], &["--format", "gradescope"]].concat());
    let value: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(value["score"], 4.0, "{value}");
    // A full disk is one line, and costs no grade that was made.
    let line = format!("exec {} grade --addr {addr} --only keep-alive", program("harness").display());
    for (rest, is_printed) in [("--format gradescope > /dev/full", false), ("--json /dev/full", true)] {
        let mut command = place.command("/bin/sh");
        command.args(["-c", &format!("{line} {rest}")]);
        let ended = Run::start(command).wait(LONG);
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(
            ended.stderr.contains("\nlab: cannot write ") && !ended.stderr.contains("panicked"),
            "{ended:?}"
        );
        assert_eq!(ended.stdout.contains("1 probe: "), is_printed, "{ended:?}");
    }
    let unknown: PathBuf = place.path("unknown.json");
    fs::write(&unknown, r#"{"points": {"keep-alive": 1, "no-such": 1}}"#).unwrap();
    let ended = grade(&place, &["--addr", &addr, "--points", &unknown.display().to_string()]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.complaint().contains("`no-such`"), "{ended:?}");
}
