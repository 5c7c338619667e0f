//! Servers with a fault go through the whole pipeline: what must not become a figure does not, and what a
//! closed loop hides is seen.

use load::Report;
use records::Kind;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};
use test_support::server::{Answer, NOT_FOUND, RIGHT, Server, Then};
use test_support::{LONG, Place, measured};

/// One point of one second.
const ONE_POINT: &str = "--concurrency 4 --duration 1 --rounds 1 --quick";

const OWN_TOOL: &str = "--tools builtin --keep-alive on";

/// Offers a server to the pipeline and expects that it is refused: no figures, and a failure. Returns the
/// one line of stderr that says why.
fn refused(server: &Server, options: &str, why: &[&str]) -> String {
    let place = Place::new();
    let finished = place.bench(&format!("--target {} {ONE_POINT} {options}", server.url()));
    finished.failed_clearly();
    let records = place.records();
    assert_eq!(measured(&records).count(), 0, "a figure of a wrong server: {records:#?}");
    for record in records {
        let reason = record.skipped().unwrap_or_default();
        assert!(record.context.kind == Kind::Target && reason.contains("refused"), "{record:?}");
    }
    assert_eq!(place.left_behind(Duration::from_secs(5)), [""; 0]);
    assert_eq!(finished.lines_with(why), 1, "{why:?}: {finished:?}");
    finished
        .stderr
        .lines()
        .find(|line| why.iter().all(|word| line.contains(word)))
        .expect("it is there")
        .to_owned()
}

/// The same server without a fault is measured: otherwise a pipeline that refuses everything would pass
/// below.
#[test]
fn a_right_server_is_measured() {
    let server = Server::start(|_| (RIGHT, Then::AsAsked));
    let place = Place::new();
    let finished = place.bench(&format!("--target {} {ONE_POINT} {OWN_TOOL}", server.url()));
    assert!(finished.status.success(), "{finished:?}");
    let records = place.records();
    let targets: Vec<_> = measured(&records).filter(|record| record.context.kind == Kind::Target).collect();
    assert!(!targets.is_empty(), "{records:#?}");
    for record in targets {
        let figures = record.figures().expect("measured");
        assert!(figures.requests > 50 && figures.errors == 0, "{record:?}");
        assert!(figures.requests <= server.answered(), "{record:?}");
        assert_eq!((figures.cpu_us_per_request, figures.server_cpu_seconds), (None, None), "it is elsewhere");
    }
}

/// Protects the rule that nothing incorrect is charted, against a fault that a single request does not meet:
/// short as the reply itself says, cut off, and right in its length only.
#[test]
fn a_server_that_answers_one_percent_short_is_refused() {
    let faults: [Answer; 3] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nHello, World", Then::AsAsked),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello", Then::Close),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, world!", Then::AsAsked),
    ];
    for fault in faults {
        let server = Server::start(move |n| if n % 100 == 50 { fault } else { (RIGHT, Then::AsAsked) });
        let line = refused(&server, OWN_TOOL, &["refused", "wrong"]);
        assert!(server.answered() > 50, "{line}");
    }
}

/// A tool that checks nothing calls such a server quick: webbench counts an answer as a page, whatever it is.
/// The second server is right as long as it is only looked at.
#[test]
fn a_server_that_answers_404_is_refused() {
    let only = Server::start(|_| (NOT_FOUND, Then::AsAsked));
    refused(&only, OWN_TOOL, &["404"]);
    refused(&only, "--tools webbench --keep-alive off", &["404"]);
    let then = Server::start(|n| (if n < 5 { RIGHT } else { NOT_FOUND }, Then::AsAsked));
    refused(&then, "--tools webbench --keep-alive off", &["refused", "status"]);
}

/// How long the server stalls, once.
const STALL: Duration = Duration::from_secs(1);

/// A server that takes 5 ms for an answer, and once stalls as a whole. The 5 ms make the speed of a closed
/// loop a matter of waiting, not of the CPU that other programs leave: it can be compared on a busy machine
/// too.
fn stalling(at: Option<u64>) -> Server {
    let until = Mutex::new(None::<Instant>);
    Server::start(move |n| {
        let end = {
            let mut until = until.lock().expect("no thread panics");
            if Some(n) == at {
                *until = Some(Instant::now() + STALL);
            }
            *until
        };
        sleep(Duration::from_millis(5));
        sleep(end.map_or(Duration::ZERO, |end| end.saturating_duration_since(Instant::now())));
        (RIGHT, Then::AsAsked)
    })
}

/// Eight clients for five seconds, by `./lab load`.
fn load(server: &Server, options: &[&str]) -> Report {
    let place = Place::new();
    let url = server.url();
    let common = ["load", &url, "--json", "--connections", "8", "--duration", "5"];
    let finished = place.start(&[&common, options].concat()).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    serde_json::from_str(&finished.stdout).expect("one JSON object")
}

/// The reason why latency comes from an open loop. A server stalls for a second of five: a fifth of the
/// requests of independent clients have waited, and of eight clients that wait for each reply eight requests
/// have, out of thousands.
#[test]
fn a_stall_shows_in_the_open_loop_and_hardly_in_requests_per_second() {
    let (steady, stalled, open) = std::thread::scope(|scope| {
        let steady = scope.spawn(|| load(&stalling(None), &[]));
        let stalled = scope.spawn(|| load(&stalling(Some(300)), &[]));
        let open = scope.spawn(|| load(&stalling(Some(300)), &["--rate", "200"]));
        let join = |thread: std::thread::ScopedJoinHandle<'_, Report>| thread.join().expect("it ran");
        (join(steady), join(stalled), join(open))
    });
    let kept = stalled.requests_per_second / steady.requests_per_second;
    assert!(kept > 0.6, "a fifth of the time is lost, not more: {kept}\n{steady:?}\n{stalled:?}");
    let closed = stalled.main.service_us.expect("answers");
    assert!(closed.max >= 900_000, "the stall was there: {stalled:?}");
    assert!(closed.p99 < 300_000, "and the closed loop hides it: {stalled:?}");
    assert!(stalled.main.latency_us.is_none(), "a closed loop has no latency: {stalled:?}");
    let latency = open.main.latency_us.expect("answers");
    assert!(latency.p99 >= 600_000 && latency.max >= 900_000, "the open loop shows it: {open:?}");
    // On a steady server no request waits for long, so it is the stall that is seen.
    assert!(latency.p50 < 300_000, "{open:?}");
    assert_eq!((steady.failed(), stalled.failed(), open.failed()), (0, 0, 0));
}
