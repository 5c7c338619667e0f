//! What is not given back: descriptors on each way in which a connection ends, in any process; and memory.

use super::client::{Client, LIMIT, get, get_and_close};
use super::footprint::Footprint;
use super::narrow::connect_narrow;
use super::profile::current;
use super::subject::Subject;
use super::verdict::{Fault, Outcome, Verdict};
use nix::sys::socket::{SetSockOpt, sockopt};
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

/// The server learns of the last clients' end a moment later, and a lingering close takes its time.
const SETTLE: Duration = Duration::from_secs(5);

/// Runs `visits` twice, and compares the descriptors of all processes after it: what is opened at first use
/// and kept is no leak.
fn must_close(
    subject: &mut Subject<'_>,
    how: &str,
    visits: impl Fn(&Subject<'_>, usize) -> Verdict,
) -> Verdict {
    const COUNT: usize = 120;
    visits(subject, 6)?;
    let pid = subject.process()?.pid();
    let before = settled(pid).descriptors;
    visits(subject, COUNT)?;
    let start = Instant::now();
    loop {
        let now = Footprint::of(pid).descriptors;
        if now <= before {
            subject.remark = format!("{before} descriptors before and after");
            return Ok(());
        }
        if start.elapsed() > SETTLE {
            let more = now - before;
            return Err(Fault::new(Outcome::Leak, format!("{more} descriptors more after {COUNT} {how}")));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The footprint when its number of descriptors has not fallen for a while.
fn settled(pid: i32) -> Footprint {
    let (mut last, mut same) = (Footprint::of(pid), 0);
    while same < 6 {
        thread::sleep(Duration::from_millis(50));
        let now = Footprint::of(pid);
        same = if now.descriptors < last.descriptors { 0 } else { same + 1 };
        last = now;
    }
    last
}

/// A reset makes the server's read fail, or its write: one client is silent, one has sent half a request, and
/// one has a reply on its way.
pub(super) fn leak_on_reset(subject: &mut Subject<'_>) -> Verdict {
    must_close(subject, "connections that were reset", |subject, count| {
        for i in 0..count {
            let mut client = subject.connect()?;
            if current().keeps_open() {
                // It is accepted for certain, and waited for.
                client.ask(&get("/"))?.must_be_hello()?;
            }
            match i % 3 {
                0 => {}
                1 => client.send(b"GET / HT")?,
                _ => {
                    client.send(&get("/bytes/5000000"))?;
                    client.bytes(1_000, LIMIT)?;
                }
            }
            client.reset();
        }
        Ok(())
    })
}

/// A refusal ends the connection on another way than a reply. What the server does not refuse is left out:
/// `malformed` tells of that.
pub(super) fn leak_on_refusal(subject: &mut Subject<'_>) -> Verdict {
    let is_foreign = subject.target.is_foreign();
    let (get, post) = (current().line("GET /"), current().line("POST /echo"));
    let to_refuse = [
        "garbage\r\n\r\n".to_owned(),
        format!("{get} HTTP/2.0\r\nHost: probe\r\n\r\n"),
        // Whether there is a limit is a server's own choice; one that has none waits for the body.
        format!("{post} HTTP/1.1\r\nHost: probe\r\nContent-Length: 99999999\r\n\r\n"),
    ];
    // What a server of another make says before it closes, other probes tell.
    let is_silent = |fault: &Fault| is_foreign && fault.outcome == Outcome::Wrong;
    // Whoever waits for a body that it would take, or for more of a head, is given little time. But where
    // nothing was refused, it may only have been slow.
    let mut refused = Vec::new();
    for limit in [Duration::from_secs(1), LIMIT] {
        for request in &to_refuse {
            let mut client = subject.connect()?;
            client.send(request.as_bytes())?;
            match client.reply_within(limit) {
                Ok(reply) if reply.status >= 400 => refused.push(request.as_bytes()),
                Ok(_) => {}
                Err(fault) if is_silent(&fault) => refused.push(request.as_bytes()),
                Err(fault) if fault.outcome == Outcome::Hang => {}
                Err(fault) => return Err(fault),
            }
        }
        if !refused.is_empty() {
            break;
        }
    }
    if refused.is_empty() {
        return Err(Fault::not_applicable("it refuses nothing that it should refuse: see malformed"));
    }
    must_close(subject, "requests that were refused", |subject, count| {
        for i in 0..count {
            let mut client = subject.connect()?;
            client.send(refused[i % refused.len()])?;
            match client.reply() {
                Ok(_) => {
                    client.finish_sending();
                    client.end_within(LIMIT)?;
                }
                Err(fault) if is_silent(&fault) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    })
}

/// The timeouts are half a second. The clients hold their side open until the server has closed its own, and
/// for a moment after that.
pub(super) fn leak_on_timeout(subject: &mut Subject<'_>) -> Verdict {
    must_close(subject, "connections whose time was over", |subject, count| {
        let mut clients: Vec<Client> = Vec::new();
        // A server of one thread waits for each of them in turn.
        for i in 0..count.min(6) {
            let mut client = subject.connect()?;
            match i % 3 {
                0 => {}
                1 => client.send(b"GET / HTTP/1.1\r\nHo")?,
                _ => {
                    let line = current().line("POST /echo");
                    let head = format!("{line} HTTP/1.1\r\nHost: probe\r\nContent-Length: 9\r\n\r\n");
                    client.send(&[head.as_bytes(), b"abc"].concat())?;
                }
            }
            clients.push(client);
        }
        clients.iter_mut().try_for_each(await_end)
    })
}

/// Waits until the server has ended the connection. What it says before, and how, is for other probes.
fn await_end(client: &mut Client) -> Verdict {
    let limit = LIMIT * 2;
    let deadline = Instant::now() + limit;
    loop {
        match client.receive(deadline, limit, "the end") {
            Ok(0) => return Ok(()),
            // A lingering close waits for our end.
            Ok(_) => client.finish_sending(),
            Err(fault) if fault.outcome == Outcome::Hang => return Err(fault),
            Err(_) => return Ok(()),
        }
    }
}

/// So many connections one after the other, a few at a time: what is kept of each adds up.
///
/// The heap of a runtime with a collector grows as well, until it collects. So what grows is looked at again:
/// a leak goes on for as long as there are connections.
pub(super) fn memory_per_connection(subject: &mut Subject<'_>) -> Verdict {
    const COUNT: usize = 20_000;
    /// The least that is kept for a connection by mistake: a session, a buffer, a thread's stack.
    const PER_CONNECTION: u64 = 200;
    /// For a server that makes a process or a thread for each, fewer must do.
    const SPAN: Duration = Duration::from_secs(3);
    /// How often growth is looked at again, and for how long each time.
    const AGAIN: usize = 6;
    const SPAN_AGAIN: Duration = Duration::from_secs(1);
    /// More often if the machine is too busy for that many connections, since a collector runs by their
    /// number and not by time; but not for longer than this.
    const WHOLE: Duration = Duration::from_secs(22);
    let start = Instant::now();
    /// Growth that has fallen to this part of what it was at first is not one by connections.
    const FALLEN: u64 = 10;
    let pid = subject.process()?.pid();
    // Buffers and arenas grow to what they stay at.
    visit_often(subject, COUNT / 10, SPAN / 4)?;
    let mut before = settled(pid).memory;
    // For each connection of the first batch.
    let mut at_first = None;
    let (mut total, mut total_grown) = (0, 0);
    let mut batch = 0;
    while batch <= AGAIN || total < COUNT && start.elapsed() < WHOLE {
        let count = visit_often(subject, COUNT, if batch == 0 { SPAN } else { SPAN_AGAIN })?;
        let no_leak = PER_CONNECTION * count as u64 + 512 * 1024;
        let fallen = at_first.map_or(0, |rate: u64| rate * count as u64 / FALLEN);
        let grown =
            growth(pid, before, no_leak.max(fallen), if batch == 0 { SETTLE / 2 } else { SETTLE / 10 });
        (total, total_grown, before) = (total + count, total_grown + grown, before + grown);
        subject.remark = format!("{} KiB more after {total} connections", total_grown / 1024);
        if grown <= no_leak.max(fallen) {
            return Ok(());
        }
        at_first.get_or_insert(grown / count.max(1) as u64);
        batch += 1;
    }
    let each = total_grown / total.max(1) as u64;
    let detail = format!("{}, {each} bytes for each, and it goes on", subject.remark);
    Err(Fault::new(Outcome::Leak, detail))
}

/// At most so many connections, four at a time, each with a request; as many as are made in `span`.
fn visit_often(subject: &Subject<'_>, limit: usize, span: Duration) -> Result<usize, Fault> {
    const CLIENTS: usize = 4;
    let start = Instant::now();
    let run = || {
        let mut count = 0;
        while count < limit / CLIENTS && start.elapsed() < span {
            let mut client = subject.connect()?;
            client.ask(&get("/bytes/2000"))?.must_be_filler(2_000)?;
            // No local port is left in TIME_WAIT.
            client.reset();
            count += 1;
        }
        Ok(count)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    })
}

/// How much more memory than `before` there is, as soon as it is `enough` or less, or after `limit`.
fn growth(pid: i32, before: u64, enough: u64, limit: Duration) -> u64 {
    let start = Instant::now();
    loop {
        let grown = Footprint::of(pid).memory.saturating_sub(before);
        if grown <= enough || start.elapsed() > limit {
            return grown;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Clients that send requests as long as the server takes them, and read nothing: one that answers into
/// memory without a bound, or keeps requests without one, is out of memory soon.
///
/// One that reads a block of requests, answers all of it and then waits holds much, and no more than that: it
/// stops taking requests. And a runtime that compiles and collects takes memory for what it does at first. So
/// others do as much before, and read; and what has no bound must show so again with more clients, beside the
/// first ones.
pub(super) fn memory_never_reads(subject: &mut Subject<'_>) -> Verdict {
    const CLIENTS: usize = 4;
    const ROUNDS: usize = 3;
    /// Of requests, for each client. Each of some 40 bytes asks for 4,000.
    const REQUESTS: usize = 16 * 1024 * 1024;
    /// What a server may hold for all of them if it goes on taking requests, and if it does not, in bytes.
    const HELD: u64 = 16 * 1024 * 1024;
    const HELD_AT_MOST: u64 = 4 * HELD;
    let requests = get("/bytes/4000").repeat(2_000);
    read_replies(subject, CLIENTS)?;
    let pid = subject.process()?.pid();
    let mut silent = Vec::new();
    for _ in 0..ROUNDS {
        let before = Footprint::of(pid).memory;
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let client = connect_narrow(subject)?;
            let stream = client.stream()?;
            stream.set_nonblocking(true)?;
            // What waits here says nothing about the server.
            let small = sockopt::SndBuf.set(&*stream, &(64 * 1024));
            small.map_err(|error| Fault::from(std::io::Error::from(error)))?;
            clients.push((client, stream, 0));
        }
        let (start, mut last, mut exceeds) = (Instant::now(), Instant::now(), false);
        // Until it takes nothing more for a while, or holds too much.
        while last.elapsed() < Duration::from_millis(500) && start.elapsed() < LIMIT && !exceeds {
            for (_, stream, sent) in &mut clients {
                // A request of which a part was taken goes on where it was cut.
                let from = *sent % requests.len();
                // An error: to end such a client is another way to hold nothing for it.
                if *sent < REQUESTS
                    && let Ok(count @ 1..) = stream.write(&requests[from..])
                {
                    (*sent, last) = (*sent + count, Instant::now());
                }
            }
            let grown = Footprint::of(pid).memory.saturating_sub(before);
            let sent: usize = clients.iter().map(|(_, _, sent)| sent).sum();
            subject.remark = format!("{} KiB more for {} KiB of requests", grown / 1024, sent / 1024);
            exceeds = grown > HELD_AT_MOST || grown > HELD && sent as u64 > HELD;
            thread::sleep(Duration::from_millis(2));
        }
        silent.extend(clients);
        if !exceeds {
            drop(silent);
            return subject.connect()?.ask(&get_and_close("/"))?.must_be_hello();
        }
    }
    let detail = format!(
        "{}, and {CLIENTS} clients that read nothing; as much for each {CLIENTS} before them",
        subject.remark
    );
    Err(Fault::new(Outcome::Leak, detail))
}

/// As many requests as a client sends that never reads, of clients that do.
///
/// So few at a time that one read takes them: whether a server goes on behind a longer burst is for other
/// probes, and luck with one that reads once for each edge. What it holds for clients that do not read is the
/// same.
fn read_replies(subject: &Subject<'_>, clients: usize) -> Verdict {
    const BATCHES: usize = 4;
    /// Some 10 KiB, which ask for 1 MB.
    const BATCH: usize = 250;
    let requests = get("/bytes/4000").repeat(BATCH);
    for _ in 0..clients {
        let mut client = subject.connect()?;
        for _ in 0..BATCHES {
            let mut writer = client.stream()?;
            let requests = &requests;
            thread::scope(|scope| {
                scope.spawn(move || writer.write_all(requests));
                (0..BATCH).try_for_each(|_| client.reply()?.must_be_filler(4_000))
            })?;
        }
    }
    Ok(())
}
