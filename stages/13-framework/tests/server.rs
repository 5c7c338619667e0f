//! Operations of the whole server.

mod common;

use common::{LIMIT, Running, ask, lines, open, read_all, until};
use framework::{Connection, Protocol, Server, Settings};
use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// `settings`, `root_pid`, `capacity`, and the address.
#[test]
fn a_server_says_what_it_is() {
    let settings = Settings { workers: 2, max_connections: Some(7), ..Settings::default() };
    let server = Server::new(settings).unwrap();
    assert_eq!((server.settings().workers, server.capacity()), (2, 7));
    assert_eq!(server.root_pid(), nix::unistd::getpid());
    assert_ne!(server.address().port(), 0, "the kernel has chosen one");
    let unlimited = Server::new(Settings::default()).unwrap();
    assert!(unlimited.capacity() >= 100, "as many as the limits allow: {}", unlimited.capacity());
}

/// A port in use, and a second run: an error each, and nothing else.
#[test]
fn what_cannot_start_says_why() {
    let (running, _ids) = lines(Settings::default());
    let taken = Settings { addr: running.server.address(), ..Settings::default() };
    let error = Server::new(taken).unwrap_err();
    assert!(error.to_string().starts_with("cannot listen on 127.0.0.1:"), "{error}");
    let again = running.server.run(|_: &Server| -> Box<dyn Protocol> { unreachable!("it does not run") });
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

/// `stop`, from a thread of its own, from a callback, and before the server runs: it returns, and what was
/// queued has arrived.
#[test]
fn a_server_is_stopped_from_any_thread() {
    struct Stops;
    impl Protocol for Stops {
        fn service(&self) -> &'static str {
            "stops"
        }
        fn on_data(&mut self, connection: &mut Connection<'_>) {
            let _ = connection.receive();
            connection.write(&[b'x'; 300_000]);
            connection.server().stop_all();
        }
    }
    let running = Running::start(Settings { workers: 2, ..Settings::default() }, |_: &Server| {
        Box::new(Stops) as Box<dyn Protocol>
    });
    let mut other = running.connect();
    let mut stream = running.connect();
    stream.write_all(b"stop").unwrap();
    assert_eq!(read_all(&mut stream).len(), 300_000);
    assert_eq!(other.read(&mut [0]).unwrap(), 0);
    running.stop();

    let early = Server::new(Settings::default()).unwrap();
    early.stop();
    let (ended, end) = channel();
    thread::spawn(move || ended.send(early.run(|_: &Server| Box::new(Stops) as Box<dyn Protocol>)));
    end.recv_timeout(LIMIT).expect("it ends by itself").unwrap();
}

/// `on_shutdown`: a protocol may finish what is in flight, for the time that is left.
#[test]
fn a_protocol_may_answer_after_the_server_was_stopped() {
    struct Patient;
    impl Protocol for Patient {
        fn service(&self) -> &'static str {
            "patient"
        }
        fn on_data(&mut self, connection: &mut Connection<'_>) {
            let _ = connection.receive();
        }
        fn on_shutdown(&mut self, connection: &mut Connection<'_>) {
            let id = connection.id();
            connection.server().run_after(Duration::from_millis(100), move |server| {
                let task = |connection: &mut Connection<'_>| {
                    connection.write(b"in flight");
                    connection.close();
                };
                server.fd_task(id, task, |_| {});
            });
        }
    }
    let running = Running::start(Settings::default(), |_: &Server| Box::new(Patient) as Box<dyn Protocol>);
    let mut stream = running.connect();
    stream.write_all(b"x").unwrap();
    until(|| running.server.count(Some("patient")) == 1);
    let start = Instant::now();
    running.server.stop();
    assert_eq!(read_all(&mut stream), b"in flight");
    running.stop();
    assert!(start.elapsed() >= Duration::from_millis(100));
}

/// A client over the capacity: told so and disconnected if there is a message, else it waits.
#[test]
fn a_client_over_the_capacity_is_told_or_waits() {
    let busy_message = Some(b"busy, come again\n".to_vec());
    let (running, ids) = lines(Settings { max_connections: Some(2), busy_message, ..Settings::default() });
    let mut held: Vec<_> = (0..2).map(|_| open(&running, &ids)).collect();
    for _ in 0..3 {
        assert_eq!(read_all(&mut running.connect()), b"busy, come again\n");
    }
    assert_eq!(ask(&mut held[0].0, "mine\n"), "mine\n");
    drop(held.pop());
    until(|| running.server.count(None) == 1);
    let (mut late, _) = open(&running, &ids);
    assert_eq!(ask(&mut late, "mine too\n"), "mine too\n");

    let (running, ids) = lines(Settings { max_connections: Some(1), ..Settings::default() });
    let (held, _) = open(&running, &ids);
    let mut waits = running.connect();
    waits.write_all(b"patience\n").unwrap();
    waits.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert_eq!(waits.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(held);
    waits.set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(common::read_line(&mut waits), "patience\n");
}

/// What a dashboard shows: connections, requests, wake-ups, tasks, timers and the times of callbacks.
#[test]
fn a_server_counts_what_it_does() {
    struct Counts;
    impl Protocol for Counts {
        fn service(&self) -> &'static str {
            "counts"
        }
        fn on_data(&mut self, connection: &mut Connection<'_>) {
            let Ok(bytes) = connection.receive() else { return };
            let (count, bytes) = (bytes.len() as u64, bytes.to_vec());
            connection.count_requests(count);
            connection.write_move(bytes);
        }
    }
    let settings = Settings { workers: 2, measure: true, ..Settings::default() };
    let running = Running::start(settings, |_: &Server| Box::new(Counts) as Box<dyn Protocol>);
    let mut streams: Vec<_> = (0..4).map(|_| running.connect()).collect();
    for stream in &mut streams {
        assert_eq!(ask(stream, "seven.\n"), "seven.\n");
    }
    let timer = running.server.run_after(Duration::from_secs(3_600), |_| {});
    let counters = running.server.counters();
    let sum = |of: fn(&framework::WorkerCounters) -> u64| counters.iter().map(of).sum::<u64>();
    assert_eq!((sum(|one| one.connections as u64), sum(|one| one.opened)), (4, 4));
    assert!(counters.iter().all(|one| one.connections == 2), "in turn");
    assert_eq!((sum(|one| one.requests), sum(|one| one.timers as u64)), (4 * 7, 1));
    assert!(sum(|one| one.wake_ups) >= 4 && sum(|one| one.events) >= 4);
    until(|| {
        // The time is recorded behind the callback that wrote.
        let counters = running.server.counters();
        let times: Vec<u64> =
            (0..counters[0].times.len()).map(|at| counters.iter().map(|one| one.times[at]).sum()).collect();
        times.iter().sum::<u64>() >= 4 && framework::percentile(&times, 99.0).is_some()
    });
    assert!(timer.cancel());
}
