//! The operations on connections, one test for each.

mod common;

use common::{LIMIT, Running, ask, lines, open, read_all, read_line, until};
use framework::{Connection, ConnectionId, Protocol, Reason, Server, Settings};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

fn workers(workers: usize) -> Settings {
    Settings { workers, ..Settings::default() }
}

/// A protocol whose callbacks are closures.
struct Scripted<D, C> {
    data: D,
    closed: C,
}

impl<D, C> Protocol for Scripted<D, C>
where
    D: FnMut(&mut Connection<'_>, &[u8]) + Send + 'static,
    C: FnMut(ConnectionId, &Reason) + Send + 'static,
{
    fn service(&self) -> &'static str {
        "scripted"
    }

    fn on_data(&mut self, connection: &mut Connection<'_>) {
        let Ok(bytes) = connection.receive() else { return };
        let bytes = bytes.to_vec();
        (self.data)(connection, &bytes);
    }

    fn on_close(&mut self, _: &Server, id: ConnectionId, reason: &Reason) {
        (self.closed)(id, reason);
    }
}

/// A server whose connections run `data`, and the reasons for which they were closed.
fn scripted(
    settings: Settings,
    data: impl Fn(&mut Connection<'_>, &[u8]) + Clone + Send + Sync + 'static,
) -> (Running, std::sync::mpsc::Receiver<Reason>) {
    let (closed, reasons) = channel();
    let make = move |_: &Server| {
        let closed = closed.clone();
        let closed = move |_: ConnectionId, reason: &Reason| drop(closed.send(reason.clone()));
        Box::new(Scripted { data: data.clone(), closed }) as Box<dyn Protocol>
    };
    (Running::start(settings, make), reasons)
}

/// `attach`: a socket that was connected elsewhere is served like one that was accepted.
#[test]
fn an_attached_socket_is_served_by_the_protocol_it_came_with() {
    let (running, _ids) = lines(workers(2));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(LIMIT)).unwrap();
    let (socket, _) = listener.accept().unwrap();
    let (opened, ids) = channel();
    let protocol = Box::new(common::Lines { opened, service: "attached" });
    running.server.attach(OwnedFd::from(socket), protocol).unwrap();
    ids.recv_timeout(LIMIT).unwrap();
    assert_eq!(ask(&mut peer, "hello\n"), "hello\n");
    assert_eq!((running.server.count(Some("attached")), running.server.count(None)), (1, 1));
    drop(peer);
    until(|| running.server.count(None) == 0);
}

/// `close`, from another thread: what was queued before arrives, then the end.
#[test]
fn a_close_comes_after_what_was_queued() {
    let (running, ids) = lines(workers(2));
    let (mut stream, id) = open(&running, &ids);
    running.server.fd_task(id, |connection| connection.write(&[b'x'; 500_000]), |_| {});
    running.server.close(id);
    assert_eq!(read_all(&mut stream).len(), 500_000);
    // Idempotent, and without effect on whoever has the descriptor next.
    running.server.close(id);
    let (mut next, _) = open(&running, &ids);
    assert_eq!(ask(&mut next, "still here\n"), "still here\n");
}

/// `close` while the peer still sends: bytes unread must not turn the end into a reset that destroys the
/// reply.
#[test]
fn a_close_with_bytes_unread_loses_no_reply() {
    let (running, _) = scripted(workers(1), |connection, _| {
        connection.pause(true);
        connection.write(&[b'x'; 200_000]);
        connection.close();
    });
    let mut stream = running.connect();
    stream.write_all(b"go").unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).unwrap();
    let _ = stream.write_all(&[b'y'; 100_000]);
    assert_eq!(read_all(&mut stream).len(), 199_999);
}

/// `hijack`: the socket leaves the server with all it had, after what was queued.
#[test]
fn a_hijacked_socket_is_out_of_the_server_and_alive() {
    let (sockets, hijacked) = channel();
    let (running, reasons) = scripted(workers(1), move |connection, _| {
        let sockets = sockets.clone();
        connection.write(b"queued before\n");
        connection.hijack(move |socket| drop(sockets.send(socket)));
    });
    let mut stream = running.connect();
    stream.write_all(b"take me").unwrap();
    let socket = hijacked.recv_timeout(LIMIT).unwrap();
    assert_eq!(read_line(&mut stream), "queued before\n");
    until(|| running.server.count(None) == 0);
    assert!(reasons.try_recv().is_err(), "it was not closed");
    let mut socket = TcpStream::from(socket);
    socket.set_nonblocking(false).unwrap();
    socket.write_all(b"ours now\n").unwrap();
    assert_eq!(read_line(&mut stream), "ours now\n");
}

/// `count`: of all, of one service, and after a connection changed its service.
#[test]
fn connections_are_counted_by_service() {
    let (running, ids) = lines(workers(2));
    let held: Vec<_> = (0..5).map(|_| open(&running, &ids)).collect();
    assert_eq!((running.server.count(None), running.server.count(Some("lines"))), (5, 5));
    assert_eq!(running.server.count(Some("no such service")), 0);
    let change = |connection: &mut Connection<'_>| {
        let (opened, _) = channel();
        connection.set_protocol(Box::new(common::Lines { opened, service: "other" }));
    };
    running.server.fd_task(held[0].1, change, |_| {});
    until(|| running.server.count(Some("other")) == 1);
    assert_eq!((running.server.count(None), running.server.count(Some("lines"))), (5, 4));
    drop(held);
    until(|| running.server.count(None) == 0);
    assert_eq!((running.server.count(Some("other")), running.server.count(Some("lines"))), (0, 0));
}

/// `is_busy`: while a callback runs, and not after it.
#[test]
fn a_connection_is_busy_while_its_callback_runs() {
    let (entered, is_in) = channel();
    let gate = Arc::new(Barrier::new(2));
    let inside = Arc::clone(&gate);
    let (running, _) = scripted(workers(2), move |connection, _| {
        let busy = connection.server().is_busy(connection.id());
        entered.send((connection.id(), busy)).unwrap();
        inside.wait();
    });
    let mut stream = running.connect();
    stream.write_all(b"x").unwrap();
    let (id, busy_inside) = is_in.recv_timeout(LIMIT).unwrap();
    assert!(busy_inside && running.server.is_busy(id));
    gate.wait();
    until(|| !running.server.is_busy(id));
}

/// `touch`, `set_timeout` and `ping`: silence ends a connection after its own timeout, a touch postpones it,
/// and zero means never.
#[test]
fn silence_is_measured_from_the_last_touch() {
    let settings = Settings { idle_timeout: Duration::from_millis(600), ..workers(1) };
    let (running, ids) = lines(settings);
    let (mut silent, _) = open(&running, &ids);
    let (mut touched, touched_id) = open(&running, &ids);
    let (mut for_ever, for_ever_id) = open(&running, &ids);
    running.server.set_timeout(for_ever_id, Duration::ZERO);
    let server = running.server.clone();
    let toucher = server.run_every(Duration::from_millis(100), 0, move |server| server.touch(touched_id));
    assert_eq!(silent.read(&mut [0]).unwrap(), 0, "it was pinged, which closes");
    // The touched one has been silent for as long, and is alive.
    assert_eq!(ask(&mut touched, "alive\n"), "alive\n");
    toucher.cancel();
    assert_eq!(touched.read(&mut [0]).unwrap(), 0);
    assert_eq!(ask(&mut for_ever, "me too\n"), "me too\n");
}

/// User data: what a task attaches to a connection another one finds, by its type.
#[test]
fn user_data_stays_with_its_connection() {
    let (running, ids) = lines(workers(2));
    let (_one, first) = open(&running, &ids);
    let (_other, second) = open(&running, &ids);
    let set = |connection: &mut Connection<'_>| {
        assert!(connection.set_user_data(41_u32).is_none());
        *connection.user_data::<u32>().expect("it was set") += 1;
        assert!(connection.user_data::<String>().is_none(), "it is no text");
    };
    running.server.fd_task(first, set, |_| {});
    let (found, data) = channel();
    for id in [first, second] {
        let found = found.clone();
        let look = move |connection: &mut Connection<'_>| {
            found.send(connection.user_data::<u32>().copied()).unwrap();
        };
        running.server.fd_task(id, look, |_| {});
        let expected = (id == first).then_some(42);
        assert_eq!(data.recv_timeout(LIMIT).unwrap(), expected);
    }
}

/// Reading and switching the protocol: from the next callback on the new one has the connection.
#[test]
fn a_switched_protocol_has_the_rest_of_the_conversation() {
    let (running, _) = scripted(workers(1), |connection, bytes| {
        connection.write(&[b"old: ", bytes].concat());
        let new = |connection: &mut Connection<'_>, bytes: &[u8]| {
            let service = connection.service();
            connection.write(&[service.as_bytes(), b" new: ", bytes].concat());
        };
        connection.set_protocol(Box::new(Scripted { data: new, closed: |_: ConnectionId, _: &Reason| {} }));
    });
    let mut stream = running.connect();
    assert_eq!(ask(&mut stream, "one\n"), "old: one\n");
    assert_eq!(ask(&mut stream, "two\n"), "scripted new: two\n");
}

/// A task sees the protocol as the type that it is.
#[test]
fn a_task_reads_the_state_of_a_protocol() {
    let (running, ids) = lines(workers(1));
    let (_stream, id) = open(&running, &ids);
    let (told, answer) = channel();
    let look = move |connection: &mut Connection<'_>| {
        let service = connection.protocol::<common::Lines>().map(|lines| lines.service);
        told.send(service).unwrap();
    };
    running.server.fd_task(id, look, |_| {});
    assert_eq!(answer.recv_timeout(LIMIT).unwrap(), Some("lines"));
}

/// `read`: into a buffer of one's own, however small; what is left is reported again.
#[test]
fn what_a_callback_leaves_unread_is_reported_again() {
    struct Sips;
    impl Protocol for Sips {
        fn service(&self) -> &'static str {
            "sips"
        }
        fn on_data(&mut self, connection: &mut Connection<'_>) {
            let mut sip = [0; 3];
            if let Ok(count @ 1..) = connection.read(&mut sip) {
                connection.write(&sip[..count]);
            }
        }
    }
    let running = Running::start(workers(1), |_: &Server| Box::new(Sips) as Box<dyn Protocol>);
    let mut stream = running.connect();
    stream.write_all(b"0123456789").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut stream), b"0123456789");
}

/// `write`, `write_urgent`, the moving variants and `sendfile`: the order of the packets of one callback.
#[test]
fn packets_arrive_in_order_and_urgent_ones_first() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"0123456789").unwrap();
    let file = Arc::new(file);
    let (running, _) = scripted(workers(1), move |connection, _| {
        connection.write(b"copied ");
        connection.write_move(b"moved ".to_vec());
        connection.write_move(Arc::<[u8]>::from(&b"shared "[..]));
        connection.sendfile(Arc::clone(&file), 2, 6);
        connection.write_urgent(b"urgent ");
        connection.write_move_urgent(b"urgent too ".to_vec());
        assert_eq!(
            connection.queued(),
            "copied moved shared urgent urgent too ".len(),
            "files are not memory"
        );
        connection.close();
    });
    let mut stream = running.connect();
    stream.write_all(b"go").unwrap();
    assert_eq!(read_all(&mut stream), b"urgent urgent too copied moved shared 234567");
}

/// `on_ready`: called when all that was queued has left, however long that took.
#[test]
fn on_ready_comes_when_everything_was_sent() {
    struct Producer(u32);
    impl Protocol for Producer {
        fn service(&self) -> &'static str {
            "producer"
        }
        fn on_data(&mut self, connection: &mut Connection<'_>) {
            let _ = connection.receive();
            self.on_ready(connection);
        }
        fn on_ready(&mut self, connection: &mut Connection<'_>) {
            assert_eq!(connection.queued(), 0);
            match self.0 {
                0 => connection.close(),
                _ => connection.write(&[b'x'; 900_000]),
            }
            self.0 = self.0.saturating_sub(1);
        }
    }
    let running = Running::start(workers(1), |_: &Server| Box::new(Producer(8)) as Box<dyn Protocol>);
    let mut stream = running.connect();
    stream.write_all(b"go").unwrap();
    assert_eq!(read_all(&mut stream).len(), 8 * 900_000);
}

/// `on_close` says why: the peer ended, the peer reset, we gave up.
#[test]
fn the_reason_of_an_end_is_told() {
    let settings = Settings { max_queued: 1 << 20, ..workers(1) };
    let (running, reasons) = scripted(settings, |connection, bytes| match bytes {
        b"flood" => (0..64).for_each(|_| connection.write(&[b'x'; 1 << 20])),
        b"bye" => connection.close(),
        _ => {}
    });
    let reason = || reasons.recv_timeout(LIMIT).unwrap();
    drop(running.connect());
    assert_eq!(reason(), Reason::Ended);
    let mut stream = running.connect();
    stream.write_all(b"bye").unwrap();
    assert_eq!(read_all(&mut stream), b"");
    drop(stream);
    assert_eq!(reason(), Reason::Closed);
    let mut stream = running.connect();
    stream.write_all(b"flood").unwrap();
    assert_eq!(reason(), Reason::Dropped("it does not read"));
}

/// One event at a time: data, tasks of several threads and `each` meet on one connection, and never overlap.
/// The counter is not atomic on purpose: an overlap would lose an addition, or be seen by `inside`.
#[test]
fn callbacks_and_tasks_of_one_connection_never_overlap() {
    const TASKS: usize = 2_000;
    struct Guarded {
        inside: Arc<AtomicBool>,
        entered: Arc<AtomicUsize>,
    }
    impl Guarded {
        fn enter(&self) {
            assert!(!self.inside.swap(true, SeqCst), "two at once");
            thread::yield_now();
            self.entered.fetch_add(1, SeqCst);
            self.inside.store(false, SeqCst);
        }
    }
    impl Protocol for Guarded {
        fn service(&self) -> &'static str {
            "guarded"
        }
        fn on_open(&mut self, connection: &mut Connection<'_>) {
            let id = connection.id();
            connection.server().fd_task(id, |_| {}, |_| {});
        }
        fn on_data(&mut self, connection: &mut Connection<'_>) {
            self.enter();
            let _ = connection.receive();
        }
    }
    let (inside, entered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let (for_server, counted) = (Arc::clone(&inside), Arc::clone(&entered));
    let make = move |_: &Server| {
        let (inside, entered) = (Arc::clone(&for_server), Arc::clone(&counted));
        Box::new(Guarded { inside, entered }) as Box<dyn Protocol>
    };
    let running = Running::start(workers(2), make);
    let mut stream = running.connect();
    stream.write_all(b"x").unwrap();
    until(|| entered.load(SeqCst) > 0);
    let ids = running.server.each_block(None, None, Vec::new(), |ids, connection| ids.push(connection.id()));
    let id = ids.unwrap()[0];
    let enter = |connection: &mut Connection<'_>| {
        connection.protocol::<Guarded>().expect("it is one").enter();
    };
    let before = entered.load(SeqCst);
    let from_data = Arc::new(AtomicBool::new(true));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..TASKS).for_each(|_| running.server.fd_task(id, enter, |_| {})));
        }
        scope.spawn(|| (0..TASKS).for_each(|_| running.server.each(None, None, enter, |_, _| {})));
        let sender = scope.spawn(|| {
            while from_data.load(SeqCst) {
                stream.write_all(b"data").unwrap();
            }
        });
        // Each task enters once, and data some more.
        until(|| entered.load(SeqCst) >= before + 3 * TASKS);
        from_data.store(false, SeqCst);
        sender.join().unwrap();
    });
}

/// A task for a connection that has gone never runs on the one that has its descriptor now.
#[test]
fn a_task_never_runs_on_a_reused_descriptor() {
    let (running, ids) = lines(workers(1));
    // Several, since another test may take a number first, and keep it.
    let (streams, gone): (Vec<TcpStream>, Vec<ConnectionId>) = (0..32).map(|_| open(&running, &ids)).unzip();
    drop(streams);
    until(|| running.server.count(None) == 0);
    // The kernel gives the lowest free number: until it is one of them.
    let mut held = Vec::new();
    let (old, new) = loop {
        let (stream, new) = open(&running, &ids);
        held.push(stream);
        if let Some(old) = gone.iter().find(|old| old.descriptor() == new.descriptor()) {
            break (*old, new);
        }
        assert!(held.len() < 500, "no number is used again");
    };
    assert_ne!(old, new);
    let (told, outcome): (Sender<&str>, _) = channel();
    for id in [old, new] {
        let (task, fallback) = (told.clone(), told.clone());
        running.server.fd_task(
            id,
            move |_| task.send("task").unwrap(),
            move |_| fallback.send("fallback").unwrap(),
        );
    }
    assert_eq!(outcome.recv_timeout(LIMIT).unwrap(), "fallback");
    assert_eq!(outcome.recv_timeout(LIMIT).unwrap(), "task");
    assert!(!running.server.is_busy(old));
}
