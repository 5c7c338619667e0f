//! The starters, and with them the HTTP servers of Python, Node, Java and Go: right servers are not blamed, and
//! each flaw that they have is found.

use super::grade_any::{has, outcomes};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use test_support::{Finished, LONG, Place, Run, program};

fn starter(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("starters").join(name)
}

fn built(command: &mut Command) {
    let output = command.output().expect("it is here");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Each of these grades starts virtual machines by the dozen: side by side they would measure each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Grades a server of which these outcomes are expected where they are not a pass, and to which these probes do
/// not apply besides [`NEVER`].
fn must_be(place: &Place, server: &str, expect: &[&str], not_asked: &[&str], skip: &[&str]) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut args = vec!["grade", "--cmd", server, "--json", "-"];
    let (expect, skip) = (expect.join(","), skip.join(","));
    args.extend(["--expect", &expect]);
    if !skip.is_empty() {
        args.extend(["--skip", &skip]);
    }
    let mut command = place.command(program("harness"));
    command.args(args);
    let ended: Finished = Run::start(command).wait(5 * LONG);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let probes = outcomes(&ended.stdout);
    let found: BTreeSet<&str> = probes
        .iter()
        .filter(|(_, outcome, detail)| outcome == "not applicable" && !detail.contains("$OPTIONS"))
        .map(|(probe, ..)| probe.as_str())
        .collect();
    let known: BTreeSet<&str> = NEVER.iter().chain(not_asked).copied().collect();
    assert_eq!(found, known, "{ended:?}");
    assert_eq!(place.left_behind(LONG), Vec::<String>::new());
}

/// What applies to none of them: they take any body, and are one process.
const NEVER: [&str; 3] = ["body-413", "killed-parent", "killed-child"];

/// What a server has that does nothing at SIGTERM and SIGINT but end.
const NO_DRAIN: [&str; 6] = [
    "sigterm-in-flight=wrong",
    "sigterm-idle=wrong",
    "sigterm-every-worker=wrong",
    "queued-at-sigterm=wrong",
    "second-sigterm=wrong",
    "ctrl-c-group=wrong",
];

/// What is not asked of a virtual machine: its heap grows until its collector runs, so that the memory after
/// some connections says nothing of a leak.
const COLLECTED: [&str; 3] = ["memory-per-connection", "memory-never-reads", "memory-while-idle"];

/// What each of them takes for right, or waits for, in malformed requests.
const LENIENT: [&str; 2] = ["late-bytes=wrong", "malformed=broken:hang"];

/// Protects every Python course: a thread for each connection, a backlog of 5.
#[test]
fn pythons_http_server() {
    if !has("python3") {
        return;
    }
    let server = format!("python3 {} $PORT", starter("python/server.py").display());
    // Its loop spins while a connection waits for which there is no descriptor.
    let own = ["head-without-body=wrong", "chunked-body=wrong", "descriptor-limit=broken:spin"];
    let expect = [&own[..], &LENIENT, &NO_DRAIN].concat();
    // Its refusal of what is no HTTP/1.1 is a page without a head.
    let not_asked = ["lingering-close-ends", "leak-on-refusal", "sigterm-says-close"];
    must_be(&Place::new(), &server, &expect, &not_asked, &[]);
}

/// Protects Node's: it listens on IPv6, sheds connections when it is out of descriptors, and answers a bad
/// request in chunks.
#[test]
fn nodes_http_server() {
    if !has("node") {
        return;
    }
    let server = format!("node {} $PORT", starter("node/server.js").display());
    let own = [
        "half-close=wrong",
        "half-close-large=wrong",
        "half-close-slow-reader=wrong",
        "queued-at-sigterm=wrong",
    ];
    // Whether its loop comes to another client beside a greedy one depends on how busy the machine is; and
    // whether those that it sheds see a reset depends on which comes first, their request or the close.
    let skip = [&COLLECTED[..], &["greedy-pipeliner", "shed-in-order"]].concat();
    must_be(&Place::new(), &server, &[&own[..], &LENIENT].concat(), &[], &skip);
}

/// Protects Java's with a pool that grows to its bound of 32, and is larger than that of the stages.
#[test]
fn javas_http_server() {
    if !has("java") || !has("javac") {
        return;
    }
    let place = Place::new();
    let classes = place.path("classes");
    built(Command::new("javac").arg("-d").arg(&classes).arg(starter("java/Server.java")));
    let server = format!("java -cp {} Server $PORT", classes.display());
    let own = ["descriptor-limit=broken:spin", "queued-at-emfile=broken:hang"];
    let expect = [&own[..], &LENIENT, &NO_DRAIN].concat();
    must_be(&place, &server, &expect, &["sigterm-says-close"], &COLLECTED);
}

/// Protects Go's.
#[test]
fn gos_http_server() {
    // `go version`, since it has no `--version`.
    if !Command::new("go").arg("version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no go");
        return;
    }
    let place = Place::new();
    let server = place.path("server");
    built(Command::new("go").args(["build", "-o"]).arg(&server).arg(starter("go/server.go")));
    let server = format!("{} $PORT", server.display());
    let mut command = place.command(program("harness"));
    // Not tried with every version: what each of them must do.
    command.args([
        "grade",
        "--cmd",
        &server,
        "--only",
        "one-client,several",
        "--skip",
        "late-bytes,malformed",
    ]);
    let ended = Run::start(command).wait(5 * LONG);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

/// Protects the first server of every course: one client at a time is found out, and nothing else is.
#[test]
fn a_blocking_server_in_c() {
    if !has("cc") {
        return;
    }
    let place = Place::new();
    let server = place.path("server");
    let source = starter("c-blocking/server.c");
    built(Command::new("cc").args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&server).arg(source));
    let serial = [
        "two-clients=starved",
        "reverse-order=starved",
        "idle-holders=starved",
        "idle-1000=starved",
        "fast-beside-slow=starved",
        "greedy-pipeliner=starved",
        "slow-reader-beside=starved",
        "over-1024=broken:hang",
    ];
    // What forty lines leave out.
    let own = [
        "head-without-body=wrong",
        "http-10-closes=broken:hang",
        "expect-100=broken:hang",
        "chunked-body=wrong",
    ];
    let expect = [&serial[..], &own, &LENIENT, &NO_DRAIN].concat();
    let not_asked = ["lingering-close-ends", "memory-while-idle", "sigterm-says-close"];
    must_be(&place, &format!("{} $PORT", server.display()), &expect, &not_asked, &[]);
}
