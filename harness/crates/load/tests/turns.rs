//! Two loads that take turns, against servers that know what they were asked and when.

use load::{Args, Boundary, Report, Turns, alternate};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use test_support::server::{RIGHT, Server, Then};

const TURNS: Turns = Turns { length: Duration::from_millis(10), warm_up: 1, counted: 4 };

/// A busy machine may keep a thread from its CPU for longer than a turn: what has to happen within a turn may
/// take a longer one.
const LENGTHS: [Duration; 3] =
    [Duration::from_millis(10), Duration::from_millis(200), Duration::from_secs(2)];

/// So many clients of a right server: that a reply takes long on a busy machine is no failure.
fn args(server: &Server, connections: u32) -> Args {
    Args { connections, timeout: Duration::from_secs(60), ..Args::new(&server.url()) }
}

/// Two servers, each of which looks at a request whether the other one has something to answer.
fn pair() -> ([Server; 2], Arc<AtomicBool>) {
    let outstanding = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let overlap = Arc::new(AtomicBool::new(false));
    let server = |mine: usize| {
        let (outstanding, overlap) = (Arc::clone(&outstanding), Arc::clone(&overlap));
        Server::start(move |_| {
            outstanding[mine].fetch_add(1, Ordering::SeqCst);
            // Long enough for a request that is on its way to be met.
            sleep(Duration::from_millis(2));
            if outstanding[1 - mine].load(Ordering::SeqCst) > 0 {
                overlap.store(true, Ordering::SeqCst);
            }
            outstanding[mine].fetch_sub(1, Ordering::SeqCst);
            (RIGHT, Then::AsAsked)
        })
    };
    ([server(0), server(1)], overlap)
}

/// Runs the turns, and returns how many requests each server had answered when the counting began.
fn run(servers: &[Server; 2], args: [&Args; 2], turns: Turns) -> ([Report; 2], [u64; 2], [Vec<u64>; 2]) {
    let (mut before, mut answered) = ([0; 2], [Vec::new(), Vec::new()]);
    let reports = alternate(args, turns, &mut |boundary| {
        match boundary {
            Boundary::WarmUp => before = servers.each_ref().map(Server::answered),
            Boundary::Turn { load, answered: count } => answered[load].push(count),
        }
        Ok(())
    });
    (reports.expect("both servers answer"), before, answered)
}

/// Protects the exactness of the CPU times: at a boundary no server has anything to answer, and every request
/// that a server has answered since the warm-up is counted, in its own turn and once.
#[test]
fn turns_do_not_overlap_and_every_reply_is_counted() {
    for close in [false, true] {
        let missing = |&length| missing(close, Turns { length, ..TURNS });
        let missed: Vec<_> = LENGTHS.iter().map_while(missing).collect();
        assert!(missed.len() < LENGTHS.len(), "close: {close}, with turns of two seconds too: {missed:?}");
    }
}

/// Asserts what holds however slow the machine is, and returns the reports where a turn was too short for it:
/// where a client had its first reply after the warm-up, or none at all.
fn missing(close: bool, turns: Turns) -> Option<[Report; 2]> {
    let (servers, overlap) = pair();
    let both = [&servers[0], &servers[1]].map(|server| Args { close, ..args(server, 8) });
    let (reports, before, answered) = run(&servers, [&both[0], &both[1]], turns);
    assert!(!overlap.load(Ordering::SeqCst), "close: {close}");
    let mut is_missing = false;
    for (at, report) in reports.iter().enumerate() {
        assert_eq!(report.main.requests, servers[at].answered() - before[at], "{report:?}");
        assert_eq!(answered[at].iter().sum::<u64>(), report.main.requests);
        assert_eq!((answered[at].len(), report.failed(), report.main.aborted), (4, 0, 0), "{report:?}");
        // Four turns, and at most the replies that came after them: no turn of the other one.
        assert!(report.seconds >= 4.0 * turns.length.as_secs_f64(), "{report:?}");
        // Kept connections stay open.
        let opened = if close { report.main.requests } else { 0 };
        let is_served = before[at] > 0 && (report.clients_served, report.clients_never_connected) == (8, 0);
        is_missing |= !is_served || report.connections_opened != opened;
    }
    is_missing.then_some(reports)
}

/// Two loads of one thread share its CPU time: the parts are not more than the whole.
#[test]
fn the_time_of_each_load_is_its_own() {
    let (servers, _) = pair();
    let both = [args(&servers[0], 1), args(&servers[1], 4)];
    let start = Instant::now();
    let (reports, ..) = run(&servers, [&both[0], &both[1]], TURNS);
    let elapsed = start.elapsed().as_secs_f64();
    assert!(reports[0].seconds + reports[1].seconds <= elapsed, "{reports:?}");
    for report in &reports {
        assert!(report.cpu_seconds > 0.0 && report.cpu_seconds <= report.seconds, "{report:?}");
    }
}

/// What ends the turns, in words.
fn failure(bad: &Server) -> String {
    let good = Server::start(|_| (RIGHT, Then::AsAsked));
    let start = Instant::now();
    let both = [args(&good, 4), Args { timeout: Duration::from_millis(500), ..args(bad, 4) }];
    let turns = Turns { counted: 1_000, ..TURNS };
    let error = alternate([&both[0], &both[1]], turns, &mut |_| Ok(())).expect_err("it cannot go on");
    assert!(start.elapsed() < Duration::from_secs(30), "it ended by itself, soon");
    let text = format!("{error:#}");
    assert!(text.contains(&bad.addr.to_string()), "it says who: {text}");
    text
}

#[test]
fn a_server_that_stops_answering_ends_the_turns() {
    let silent = Server::start(|number| {
        if number >= 50 {
            sleep(Duration::from_secs(60));
        }
        (RIGHT, Then::AsAsked)
    });
    let text = failure(&silent);
    assert!(text.contains("timeout"), "{text}");
}

#[test]
fn a_server_that_breaks_down_ends_the_turns() {
    let broken = Server::start(|number| (if number < 50 { RIGHT } else { b"" }, Then::Close));
    let text = failure(&broken);
    assert!(text.contains("no request right") && text.contains("closed"), "{text}");
}

/// Protects runs on a busy machine: a thread that gets no CPU for a whole turn begins nothing in it.
#[test]
fn a_turn_in_which_nothing_could_be_begun_is_no_failure() {
    let servers = [(); 2].map(|()| Server::start(|_| (RIGHT, Then::AsAsked)));
    let both = [args(&servers[0], 4), args(&servers[1], 4)];
    let turns = Turns { length: Duration::ZERO, ..TURNS };
    let (reports, _, answered) = run(&servers, [&both[0], &both[1]], turns);
    assert!(reports.iter().all(|report| report.main.requests == 0), "{reports:?}");
    assert_eq!(answered, [vec![0; 4], vec![0; 4]]);
}

#[test]
fn the_caller_can_end_the_turns() {
    let servers = [(); 2].map(|()| Server::start(|_| (RIGHT, Then::AsAsked)));
    let both = [args(&servers[0], 4), args(&servers[1], 4)];
    let mut calls = 0;
    let mut at = |_| {
        calls += 1;
        if calls == 3 { Err(anyhow::anyhow!("interrupted")) } else { Ok(()) }
    };
    let error = alternate([&both[0], &both[1]], TURNS, &mut at).expect_err("it was told to end");
    assert_eq!((error.to_string().as_str(), calls), ("interrupted", 3));
}
