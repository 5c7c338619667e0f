//! What is not given back: descriptors on each way in which a connection ends, in any process; and memory.

use super::client::{Client, LIMIT, get, get_and_close};
use super::footprint::Footprint;
use super::narrow::connect_narrow;
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
            // It is accepted for certain, and waited for.
            client.ask(&get("/"))?.must_be_hello()?;
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
    const TO_REFUSE: [&[u8]; 3] = [
        b"garbage\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: probe\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: probe\r\nContent-Length: 99999999\r\n\r\n",
    ];
    let mut refused = Vec::new();
    for request in TO_REFUSE {
        let mut client = subject.connect()?;
        client.send(request)?;
        match client.reply_within(Duration::from_secs(1)) {
            Ok(reply) if reply.status >= 400 => refused.push(request),
            // It waits for a body that it would take, or its refusal is no reply.
            Err(fault) if fault.outcome != Outcome::Hang && !subject.target.is_foreign() => {
                return Err(fault);
            }
            _ => {}
        }
    }
    if refused.is_empty() {
        return Err(Fault::not_applicable(
            "it refuses by a reply nothing that it should refuse: see malformed",
        ));
    }
    must_close(subject, "requests that were refused", |subject, count| {
        for i in 0..count {
            let mut client = subject.connect()?;
            client.send(refused[i % refused.len()])?;
            client.reply()?;
            client.finish_sending();
            client.end_within(LIMIT)?;
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
                _ => client.send(b"POST /echo HTTP/1.1\r\nHost: probe\r\nContent-Length: 9\r\n\r\nabc")?,
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
pub(super) fn memory_per_connection(subject: &mut Subject<'_>) -> Verdict {
    const COUNT: usize = 20_000;
    const CLIENTS: usize = 4;
    /// The least that is kept for a connection by mistake: a session, a buffer, a thread's stack.
    const PER_CONNECTION: u64 = 200;
    /// For a server that makes a process or a thread for each, fewer must do.
    const SPAN: Duration = Duration::from_secs(3);
    let pid = subject.process()?.pid();
    let visit = |limit: usize, span: Duration| -> Result<usize, Fault> {
        let subject = &*subject;
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
    };
    // Buffers and arenas grow to what they stay at.
    visit(COUNT / 10, SPAN / 4)?;
    let before = settled(pid).memory;
    let count = visit(COUNT, SPAN)?;
    let start = Instant::now();
    loop {
        let grown = Footprint::of(pid).memory.saturating_sub(before);
        let allowed = PER_CONNECTION * count as u64 + 512 * 1024;
        if grown <= allowed {
            subject.remark = format!("{} KiB more after {count} connections", grown / 1024);
            return Ok(());
        }
        if start.elapsed() > SETTLE {
            let each = grown / count.max(1) as u64;
            let detail =
                format!("{} KiB more after {count} connections, {each} bytes for each", grown / 1024);
            return Err(Fault::new(Outcome::Leak, detail));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Clients that send requests as long as the server takes them, and read nothing: one that answers into
/// memory without a bound, or keeps requests without one, is out of memory soon.
pub(super) fn memory_never_reads(subject: &mut Subject<'_>) -> Verdict {
    const CLIENTS: usize = 4;
    /// Of requests, for each client. Each of some 40 bytes asks for 4,000.
    const REQUESTS: usize = 16 * 1024 * 1024;
    /// For each client: what a server may hold for it, generously.
    const ALLOWED: u64 = 4 * 1024 * 1024;
    subject.must_serve()?;
    let pid = subject.process()?.pid();
    let before = Footprint::of(pid).memory;
    let requests = get("/bytes/4000").repeat(2_000);
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
    let (start, mut last) = (Instant::now(), Instant::now());
    // Until it takes nothing more for a while.
    while last.elapsed() < Duration::from_millis(500) && start.elapsed() < LIMIT {
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
        if grown > ALLOWED * CLIENTS as u64 {
            let detail = format!("{}, and {CLIENTS} clients that read nothing", subject.remark);
            return Err(Fault::new(Outcome::Leak, detail));
        }
        thread::sleep(Duration::from_millis(2));
    }
    drop(clients);
    subject.connect()?.ask(&get_and_close("/"))?.must_be_hello()
}
