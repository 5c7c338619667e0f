//! Tasks for many connections, and for later times.

mod common;

use common::{LIMIT, Running, lines, open, read_line, until};
use framework::{Server, Settings};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn workers(workers: usize) -> Settings {
    Settings { workers, ..Settings::default() }
}

/// `each`: every connection of the service but the origin, and then the end, on the origin.
#[test]
fn each_leaves_out_the_origin_and_finishes_once_on_it() {
    let (running, ids) = lines(workers(3));
    let mut all: Vec<_> = (0..7).map(|_| open(&running, &ids)).collect();
    let origin = all[0].1;
    let (told, finished) = channel();
    running.server.each(
        Some(origin),
        Some("lines"),
        |connection| connection.write(b"to you\n"),
        move |_, connection| {
            let connection = connection.expect("the origin is there");
            connection.write(b"all were told\n");
            told.send(connection.id()).unwrap();
        },
    );
    assert_eq!(finished.recv_timeout(LIMIT).unwrap(), origin);
    for (stream, _) in &mut all[1..] {
        assert_eq!(read_line(stream), "to you\n");
    }
    assert_eq!(read_line(&mut all[0].0), "all were told\n", "and nothing before");
    assert!(finished.try_recv().is_err());
}

/// `each` by a service that nobody has, and for an origin that has gone: it finishes all the same.
#[test]
fn each_finishes_without_connections_and_without_its_origin() {
    let (running, ids) = lines(workers(2));
    let (stream, gone) = open(&running, &ids);
    drop(stream);
    until(|| running.server.count(None) == 0);
    for origin in [None, Some(gone)] {
        let (told, finished) = channel();
        running.server.each(
            origin,
            Some("no such service"),
            |_| panic!("there is none"),
            move |_, connection| told.send(connection.is_none()).unwrap(),
        );
        assert!(finished.recv_timeout(LIMIT).unwrap());
    }
}

/// `each_block`: one connection after the other, and it returns when all had their turn.
#[test]
fn each_block_returns_when_all_had_their_turn_one_after_the_other() {
    let (running, ids) = lines(workers(3));
    let all: Vec<_> = (0..6).map(|_| open(&running, &ids)).collect();
    let inside = Arc::new(AtomicUsize::new(0));
    let visit = move |seen: &mut Vec<_>, connection: &mut framework::Connection<'_>| {
        assert_eq!(inside.fetch_add(1, SeqCst), 0, "two at once");
        std::thread::yield_now();
        seen.push(connection.id());
        inside.fetch_sub(1, SeqCst);
    };
    let mut seen = running.server.each_block(Some(all[2].1), Some("lines"), Vec::new(), visit).unwrap();
    let mut expected: Vec<_> = all.iter().map(|(_, id)| *id).filter(|id| *id != all[2].1).collect();
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
}

/// `each_block` on a loop would wait for itself: it says so. Without a server that runs it does too.
#[test]
fn each_block_refuses_to_wait_for_itself() {
    let idle = Server::new(workers(1)).unwrap();
    assert_eq!(idle.each_block(None, None, (), |(), _| {}).unwrap_err().kind(), ErrorKind::NotConnected);
    let (running, ids) = lines(workers(1));
    let (_stream, id) = open(&running, &ids);
    let (told, result) = channel();
    running.server.fd_task(
        id,
        move |connection| {
            let result = connection.server().each_block(None, None, (), |(), _| {});
            told.send(result.map_err(|error| error.kind())).unwrap();
        },
        |_| {},
    );
    assert_eq!(result.recv_timeout(LIMIT).unwrap(), Err(ErrorKind::Deadlock));
    let server = running.server.clone();
    running.stop();
    assert_eq!(server.each_block(None, None, (), |(), _| {}).unwrap_err().kind(), ErrorKind::NotConnected);
}

/// `run_after`: in the order of the times, each once, none before its time.
#[test]
fn timers_fire_once_in_order_and_not_early() {
    let (running, _ids) = lines(workers(2));
    let ran = Arc::new(Mutex::new(Vec::new()));
    let start = Instant::now();
    // From one thread of the server, so that all are on one loop.
    let (server, log) = (running.server.clone(), Arc::clone(&ran));
    running.server.run_after(Duration::ZERO, move |_| {
        for ms in [60_u64, 20, 40, 20, 0] {
            let log = Arc::clone(&log);
            server.run_after(Duration::from_millis(ms), move |_| {
                log.lock().unwrap().push((ms, start.elapsed()));
            });
        }
    });
    until(|| ran.lock().unwrap().len() == 5);
    std::thread::sleep(Duration::from_millis(50));
    let ran = ran.lock().unwrap();
    let order: Vec<u64> = ran.iter().map(|(ms, _)| *ms).collect();
    assert_eq!(order, [0, 20, 20, 40, 60]);
    assert!(ran.iter().all(|(ms, after)| *after >= Duration::from_millis(*ms)), "{ran:?}");
}

/// `run_after`: late by at most one tick of the coarse clock, in a loop that has nothing else to do. The
/// machine may be busy, so the best of some counts, and a tick is taken for 10 ms, the longest that there is;
/// a loop that looked at its timers now and then would be late every time.
#[test]
fn a_timer_is_late_by_at_most_one_tick() {
    const TICK: Duration = Duration::from_millis(10);
    let (running, _ids) = lines(workers(1));
    let (sender, ran) = channel();
    let late = |delay: u64| {
        let (due, sender) = (Instant::now() + Duration::from_millis(delay), sender.clone());
        running.server.run_after(Duration::from_millis(delay), move |_| {
            let _ = sender.send(Instant::now().checked_duration_since(due));
        });
        ran.recv_timeout(LIMIT).expect("it runs").expect("not early")
    };
    let best = (0..20).map(|number| late(7 + number)).min().unwrap();
    // One more millisecond: a delay is rounded up.
    assert!(best <= TICK + Duration::from_millis(1), "late by {best:?} at best");
}

/// `run_every`: as often as was asked for, and then the timer is over.
#[test]
fn repetitions_end_after_their_number() {
    let (running, _ids) = lines(workers(1));
    let (told, runs) = channel();
    let task = running.server.run_every(Duration::from_millis(5), 3, move |_| told.send(()).unwrap());
    for _ in 0..3 {
        runs.recv_timeout(LIMIT).unwrap();
    }
    // The task is dropped with its sender: no run can come.
    assert_eq!(runs.recv_timeout(LIMIT), Err(RecvTimeoutError::Disconnected));
    assert!(!task.cancel(), "it was over");
    until(|| running.server.counters()[0].timers == 0);
}

/// Cancelling: whatever is running at the moment, no run begins after `cancel` has returned.
#[test]
fn nothing_runs_after_it_was_cancelled() {
    let (running, _ids) = lines(workers(1));
    for _ in 0..50 {
        let began = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&began);
        let task = running.server.run_every(Duration::from_millis(1), 0, move |_| {
            count.fetch_add(1, SeqCst);
        });
        until(|| began.load(SeqCst) > 0);
        assert!(task.cancel());
        // One that was running at that moment has counted already, or does so now: wait for the loop.
        running.server.each_block(None, None, (), |(), _| {}).unwrap();
        let after = began.load(SeqCst);
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(began.load(SeqCst), after);
        assert!(!task.cancel(), "it was cancelled");
    }
    until(|| running.server.counters()[0].timers == 0);
}

/// 100,000 timers take no descriptor, and leave nothing behind when they are cancelled.
#[test]
fn a_hundred_thousand_timers_take_no_descriptor() {
    let (running, _ids) = lines(workers(1));
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    let ran = Arc::new(AtomicUsize::new(0));
    let hour = Duration::from_secs(3_600);
    let count = Arc::clone(&ran);
    let soon = running.server.run_after(Duration::from_millis(1), move |_| {
        count.fetch_add(1, SeqCst);
    });
    let tasks: Vec<_> =
        (0..100_000).map(|_| running.server.run_after(hour, |_| panic!("too early"))).collect();
    until(|| ran.load(SeqCst) == 1);
    // When the loop comes to something else, that one is over.
    running.server.each_block(None, None, (), |(), _| {}).unwrap();
    assert!(!soon.cancel());
    assert_eq!(running.server.counters()[0].timers, 100_000);
    // Other tests of this process open some meanwhile.
    assert!(descriptors() < before + 1_000, "{} descriptors", descriptors());
    assert!(tasks.iter().all(framework::ScheduledTask::cancel));
    until(|| running.server.counters()[0].timers == 0);
}

/// The server's end is not the end of the test: a timer that waits keeps no server alive.
#[test]
fn a_server_ends_with_timers_that_wait() {
    let (running, _ids) = lines(workers(2));
    running.server.run_after(Duration::from_secs(3_600), |_| {});
    let start = Instant::now();
    running.stop();
    assert!(start.elapsed() < LIMIT);
}

/// A task is run by a server that runs, and an application's own callbacks by each of its loops.
#[test]
fn the_callbacks_of_an_application_come_where_they_should() {
    #[derive(Default)]
    struct Calls {
        init: AtomicUsize,
        threads: AtomicUsize,
        ticks: AtomicUsize,
        idle: AtomicUsize,
        finish: AtomicUsize,
    }
    struct App(Arc<Calls>);
    impl framework::Application for App {
        fn protocol(&self, _: &Server) -> Box<dyn framework::Protocol> {
            let (opened, _) = channel();
            Box::new(common::Lines { opened, service: "lines" })
        }
        fn on_init(&self, _: &Server) {
            self.0.init.fetch_add(1, SeqCst);
        }
        fn on_finish(&self, _: &Server) {
            self.0.finish.fetch_add(1, SeqCst);
        }
        fn on_init_thread(&self, server: &Server) {
            assert_eq!(server.counters().len(), 2, "all loops are there");
            self.0.threads.fetch_add(1, SeqCst);
        }
        fn on_tick(&self, _: &Server) {
            self.0.ticks.fetch_add(1, SeqCst);
        }
        fn on_idle(&self, _: &Server) {
            self.0.idle.fetch_add(1, SeqCst);
        }
    }
    let calls = Arc::new(Calls::default());
    let running = Running::start(workers(2), App(Arc::clone(&calls)));
    running.server.run_every(Duration::from_millis(2), 0, |_| {});
    until(|| calls.idle.load(SeqCst) > 2 && calls.ticks.load(SeqCst) > 2 && calls.threads.load(SeqCst) == 2);
    assert_eq!((calls.init.load(SeqCst), calls.finish.load(SeqCst)), (1, 0));
    running.stop();
    assert_eq!((calls.init.load(SeqCst), calls.finish.load(SeqCst)), (1, 1));
}
