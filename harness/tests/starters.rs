//! The starters, and with them the HTTP servers of Python, Node, Java and Go: right servers are not blamed,
//! and each flaw that they have is found. Servers that are here to be judged alone are in `servers`.

mod profiles;

use super::grade_any::{has, outcomes};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use test_support::{Finished, LONG, Place, Run, program};

fn starter(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("starters").join(name)
}

pub(crate) fn built(command: &mut Command) {
    let output = command.output().expect("it is here");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A virtual machine compiles while it runs, and a grade starts it by the dozen: what runs beside it would be
/// measured with it. Servers in C and small scripts mostly wait, and do not mind each other.
static GRADES: RwLock<()> = RwLock::new(());

/// No other grade of a whole server runs meanwhile.
fn alone() -> RwLockWriteGuard<'static, ()> {
    GRADES.write().unwrap_or_else(PoisonError::into_inner)
}

/// No grade of a virtual machine runs meanwhile.
pub(crate) fn side_by_side() -> RwLockReadGuard<'static, ()> {
    GRADES.read().unwrap_or_else(PoisonError::into_inner)
}

/// Grades a server of which these outcomes are expected where they are not a pass, and to which these probes
/// do not apply besides [`NEVER`].
fn must_be(place: &Place, server: &str, expect: &[&str], not_asked: &[&str], skip: &[&str]) {
    must_be_without(place, server, expect, &[&NEVER[..], not_asked].concat(), skip);
}

/// The same, where nothing but these probes does not apply.
fn must_be_without(place: &Place, server: &str, expect: &[&str], not_asked: &[&str], skip: &[&str]) {
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
    let known: BTreeSet<&str> = not_asked.iter().copied().collect();
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

/// What is luck with a virtual machine: whether its collector has given back what the replies needed when the
/// probe looks.
const COLLECTED: [&str; 1] = ["memory-while-idle"];

/// What each of them takes for right, or waits for, in malformed requests.
const LENIENT: [&str; 2] = ["late-bytes=wrong", "malformed=broken:hang"];

/// Protects every Python course: a thread for each connection, a backlog of 5.
#[test]
fn pythons_http_server() {
    if !has("python3") {
        return;
    }
    let _turn = side_by_side();
    let server = format!("python3 {} $PORT", starter("python/server.py").display());
    // Its loop spins while a connection waits for which there is no descriptor.
    let own = ["head-without-body=wrong", "chunked-body=wrong", "descriptor-limit=broken:spin"];
    let expect = [&own[..], &LENIENT, &NO_DRAIN].concat();
    // Its refusal of what is no HTTP/1.1 is a page without a head, and it has no queue.
    let not_asked = ["lingering-close-ends", "sigterm-says-close", "more-than-the-queue"];
    must_be(&Place::new(), &server, &expect, &not_asked, &[]);
}

/// Protects Node's: it listens on IPv6, sheds connections when it is out of descriptors, and answers a bad
/// request in chunks.
#[test]
fn nodes_http_server() {
    if !has("node") {
        return;
    }
    let _turn = alone();
    let server = format!("node {} $PORT", starter("node/server.js").display());
    let own = [
        "half-close=wrong",
        "half-close-large=wrong",
        "half-close-slow-reader=wrong",
        "queued-at-sigterm=wrong",
    ];
    // It sheds by a reset.
    must_be(&Place::new(), &server, &[&own[..], &LENIENT].concat(), &["shed-in-order"], &COLLECTED);
}

/// Protects Java's with a pool that grows to its bound of 32, and is larger than that of the stages.
#[test]
fn javas_http_server() {
    if !has("java") || !has("javac") {
        return;
    }
    let _turn = alone();
    let place = Place::new();
    let classes = place.path("classes");
    built(Command::new("javac").arg("-d").arg(&classes).arg(starter("java/Server.java")));
    // Little room for what is young: until that is full for the first time, garbage looks like a leak, and on
    // a busy machine a share of all memory is not filled within the time of a probe.
    let server = format!("java -Xmn48m -cp {} Server $PORT", classes.display());
    let own = ["descriptor-limit=broken:spin", "queued-at-emfile=broken:hang"];
    let expect = [&own[..], &LENIENT, &NO_DRAIN].concat();
    must_be(&place, &server, &expect, &["sigterm-says-close"], &COLLECTED);
}

/// Protects Go's: a goroutine for each connection, of which nothing shows outside.
#[test]
fn gos_http_server() {
    // `go version`, since it has no `--version`.
    if !Command::new("go").arg("version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no go");
        return;
    }
    let _turn = alone();
    let place = Place::new();
    let server = place.path("server");
    built(Command::new("go").args(["build", "-o"]).arg(&server).arg(starter("go/server.go")));
    let server = format!("{} $PORT", server.display());
    // Which of its goroutines comes first at SIGTERM is luck: the one that accepts what waits, or the one
    // that hears the signal and closes the listener, with all that is still in its queue. Both become ready
    // when the process goes on, on threads that the kernel wakes in an order of its own, and no client can
    // hold the window open. More clients in the queue would only make it likelier that some are lost.
    let luck = ["queued-at-sigterm=sometimes wrong"];
    must_be(&place, &server, &[&luck[..], &LENIENT].concat(), &[], &COLLECTED);
}

/// What forty lines of C leave out.
const IN_C: [&str; 4] =
    ["head-without-body=wrong", "http-10-closes=broken:hang", "expect-100=broken:hang", "chunked-body=wrong"];

/// What does not apply to them: they refuse nothing, do not drain, and keep what they have allocated.
const C_NOT_ASKED: [&str; 3] = ["lingering-close-ends", "memory-while-idle", "sigterm-says-close"];

/// Builds a server in C, from a file below the harness.
fn in_c(place: &Place, source: &str) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let server = place.path("server");
    let mut compile = Command::new("cc");
    compile.args(["-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"]);
    built(compile.arg(&server).arg(source));
    format!("{} $PORT", server.display())
}

/// Protects the first server of every course: one client at a time is found out, and nothing else is.
#[test]
fn a_blocking_server_in_c() {
    if !has("cc") {
        return;
    }
    let _turn = side_by_side();
    let place = Place::new();
    let server = in_c(&place, "starters/c-blocking/server.c");
    let serial = [
        "two-clients=starved",
        "reverse-order=starved",
        "idle-holders=starved",
        "idle-1000=starved",
        "fast-beside-slow=starved",
        "greedy-pipeliner=starved",
        "slow-reader-beside=starved",
        "over-1024=starved",
    ];
    must_be(&place, &server, &[&serial[..], &IN_C, &LENIENT, &NO_DRAIN].concat(), &C_NOT_ASKED, &[]);
}

/// Protects the second one: a process for each client starves nobody.
#[test]
fn a_forking_server_in_c() {
    if !has("cc") {
        return;
    }
    let _turn = side_by_side();
    let place = Place::new();
    let server = in_c(&place, "tests/servers/fork.c");
    // Its children know nothing of their parent, nor of its signals.
    let own = ["killed-parent=broken:leak", "sigterm-in-flight=broken:hang"];
    let expect = [&IN_C[..], &LENIENT, &NO_DRAIN, &own].concat();
    let not_asked = [&["body-413", "more-than-the-queue"], &C_NOT_ASKED[..]].concat();
    must_be_without(&place, &server, &expect, &not_asked, &[]);
}

/// Protects the third one: a thread for each client.
#[test]
fn a_threading_server_in_c() {
    if !has("cc") {
        return;
    }
    let _turn = side_by_side();
    let place = Place::new();
    let server = in_c(&place, "tests/servers/thread.c");
    // No queue, but a thread for each.
    let not_asked = [&["more-than-the-queue"], &C_NOT_ASKED[..]].concat();
    must_be(&place, &server, &[&IN_C[..], &LENIENT, &NO_DRAIN].concat(), &not_asked, &[]);
}

/// Protects the fourth one: idle clients that hold the workers of a pool are found, and nothing else is.
#[test]
fn a_pool_in_c() {
    if !has("cc") {
        return;
    }
    let _turn = side_by_side();
    let place = Place::new();
    let server = in_c(&place, "tests/servers/pool.c");
    let starved = ["idle-holders=starved", "idle-1000=starved", "over-1024=starved"];
    must_be(&place, &server, &[&starved[..], &IN_C, &LENIENT, &NO_DRAIN].concat(), &C_NOT_ASKED, &[]);
}

/// Protects those who write an event loop: a handler that sleeps stops everybody, and nothing else does.
#[test]
fn an_event_loop_in_c() {
    if !has("cc") {
        return;
    }
    let _turn = side_by_side();
    let place = Place::new();
    let server = in_c(&place, "starters/c-epoll/server.c");
    let own = ["fast-beside-slow=starved"];
    // It answers all that it has read, and then it writes.
    let not_asked = [&["reply-before-slow"], &C_NOT_ASKED[..]].concat();
    must_be(&place, &server, &[&own[..], &IN_C, &LENIENT, &NO_DRAIN].concat(), &not_asked, &[]);
}

/// The outcomes of these probes of the pool in Python.
fn of_a_pool(workers: usize, backlog: usize, closes: &str, only: &str) -> Vec<(String, String)> {
    let place = Place::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/pool.py");
    let server = format!("python3 {} $PORT {workers} {backlog} {closes}", script.display());
    let _turn = side_by_side();
    let mut command = place.command(program("harness"));
    command.args(["grade", "--cmd", &server, "--only", only, "--json", "-"]);
    let ended = Run::start(command).wait(2 * LONG);
    let found = outcomes(&ended.stdout).into_iter().map(|(probe, outcome, detail)| {
        let outcome = if outcome == "not applicable" { format!("{outcome}: {detail}") } else { outcome };
        (probe, outcome)
    });
    found.collect()
}

/// Protects pools that grow to their bound, which is no leak, and finds those whose workers are held, however
/// many they are.
#[test]
fn a_pool_that_grows_to_its_bound_leaks_nothing() {
    if !has("python3") {
        return;
    }
    for (workers, idle_holders) in [(10, "starved"), (48, "starved"), (200, "pass")] {
        let found = of_a_pool(workers, 1_024, "", "no-leaks,idle-holders");
        let expected = [("idle-holders", idle_holders), ("no-leaks", "pass")];
        let expected = expected.map(|(probe, outcome)| (probe.to_owned(), outcome.to_owned()));
        assert_eq!(found, expected, "{workers} workers");
    }
}

/// Protects servers with a short backlog: what the kernel does not complete is none of their faults.
#[test]
fn a_short_backlog_is_no_fault() {
    if !has("python3") {
        return;
    }
    for backlog in [5, 10, 32] {
        let found =
            of_a_pool(64, backlog, "", "descriptor-limit,fast-beside-slow,accept-burst,connect-burst");
        assert!(
            found.len() == 4 && found.iter().all(|(_, outcome)| outcome == "pass"),
            "{backlog}: {found:?}"
        );
    }
}

/// Protects servers that close after each reply, which is one fault: it is told by one probe, and no other
/// blames them for it.
#[test]
fn one_that_closes_after_each_reply_has_one_fault() {
    if !has("python3") {
        return;
    }
    let found = of_a_pool(200, 1_024, "closes", "one-client,several,peers,limits,end");
    let fault = |(probe, outcome): &(String, String)| {
        let is_excused = outcome == "pass" || outcome.starts_with("not applicable: ");
        (!is_excused).then(|| format!("{probe}={outcome}"))
    };
    let faults: Vec<String> = found.iter().filter_map(fault).collect();
    // After the first one there are those of a pool of threads, and those of HTTP and of signals that it has
    // beside.
    let expected = [
        "keep-alive=wrong",
        "late-bytes=wrong",
        "expect-100=broken: hang",
        "chunked-body=wrong",
        "malformed=broken: hang",
        "idle-1000=starved",
        "over-1024=starved",
        "sigterm-in-flight=wrong",
        "sigterm-idle=wrong",
        "sigterm-every-worker=wrong",
        "queued-at-sigterm=wrong",
        "second-sigterm=wrong",
        "ctrl-c-group=wrong",
    ];
    assert_eq!(faults, expected);
    let reason =
        |name: &str| found.iter().find(|(probe, _)| probe == name).map(|(_, outcome)| outcome.as_str());
    assert_eq!(
        reason("in-order"),
        Some("not applicable: the server closes after each reply: see keep-alive")
    );
    assert_eq!(reason("half-close-large"), Some("pass"));
}
