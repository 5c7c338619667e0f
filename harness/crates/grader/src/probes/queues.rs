//! Clients that come at once: more than a server's queue holds, or as many as it has workers.

use super::client::get_and_close;
use super::client::{Client, get};
use super::concurrency::must_have_descriptors;
use super::ending::idle_clients;
use super::narrow::begin_connecting;
use super::subject::Subject;
use super::tree::Snapshot;
use super::verdict::{Fault, Outcome, Verdict};
use nix::sys::signal::Signal;
use std::thread;
use std::time::{Duration, Instant};

/// How long a client may wait whom nothing but a forgotten wake-up keeps waiting.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// As many clients as it can serve at once come at the same moment and stay: each needs a worker of its own,
/// so that a wake-up which stands for two of them leaves one without.
pub(super) fn holders_at_once(subject: &mut Subject<'_>) -> Verdict {
    const MOST: usize = 4;
    const ROUNDS: usize = 10;
    let patience = Duration::from_secs(1);
    let count = idle_clients(subject, MOST, patience)?.len();
    subject.remark = format!("{count} at once");
    if count < 2 {
        return Ok(());
    }
    for _ in 0..ROUNDS {
        // The workers have seen that the last clients are gone, and sleep: one that is awake needs no
        // wake-up.
        thread::sleep(Duration::from_millis(50));
        // While it is stopped they wait in the backlog, and it accepts them one right after the other.
        subject.process()?.signal_group(Signal::SIGSTOP);
        let clients = begin_connecting(subject, count).and_then(|beginning| {
            let mut clients = beginning.connected_within(Duration::from_millis(300))?;
            clients.iter_mut().try_for_each(|client| client.send(&get("/")))?;
            Ok(clients)
        });
        subject.process()?.signal_group(Signal::SIGCONT);
        let mut clients = clients?;
        let served = clients.iter_mut().map(|client| client.reply_within(FORGOTTEN)?.must_be_hello());
        let Some((i, fault)) =
            served.enumerate().find_map(|(i, verdict)| verdict.err().map(|fault| (i, fault)))
        else {
            continue;
        };
        if fault.outcome != Outcome::Hang {
            return Err(fault);
        }
        drop(clients);
        return Err(forgotten(subject, count, i + 1, patience)?);
    }
    Ok(())
}

/// The fault of a client that was not served, if the number of those who are does not change by itself: where
/// the kernel deals connections to workers by a hash, two of them may fall on one.
fn forgotten(subject: &Subject<'_>, count: usize, number: usize, patience: Duration) -> Result<Fault, Fault> {
    for _ in 0..3 {
        if idle_clients(subject, count, patience)?.len() < count {
            return Ok(Fault::not_applicable("how many it serves at once is luck"));
        }
    }
    let detail = format!("client {number} of {count} that came at once is not served, though so many can be");
    let command = "kill -STOP $PID; for i in 1 2 3 4; do { printf 'GET / HTTP/1.1\\r\\nHost: probe\\r\\n\\r\\n'; sleep 5; } \
                   | nc -q0 127.0.0.1 $PORT | head -n 1 & done; sleep 1; kill -CONT $PID; sleep 3";
    let shown = Fault::hang(detail).shows("HTTP/1.1 200 OK for each", "fewer within 3 s (a race: repeat it)");
    Ok(shown.shown_by(command))
}

/// Whether a server has made a process or a thread for each of these connections. It is looked at until it
/// has accepted all of them, however slowly; one that accepts only what it can serve is not waited for long.
fn has_a_task_for_each(pid: i32, before: &Snapshot, clients: &[Client]) -> bool {
    const ACCEPTED: Duration = Duration::from_secs(2);
    /// Where the kernel does not tell what has been accepted, this must do.
    const AT_LEAST: Duration = Duration::from_millis(50);
    /// A pool that grows to its bound makes some as well, but is smaller than this.
    const POOL: usize = 100;
    let tasks = |at: &Snapshot| at.processes + usize::try_from(at.threads).unwrap_or(0);
    let start = Instant::now();
    loop {
        let waited = start.elapsed();
        let all_accepted = waited > AT_LEAST && clients.iter().all(|it| it.is_accepted() != Some(false));
        // After that look, so that what belongs to the last of them is counted.
        if tasks(&Snapshot::of(pid)) > tasks(before) + POOL {
            return true;
        }
        if all_accepted || waited > ACCEPTED {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// The same by hand: it prints how many of the requests were answered.
const BY_HAND: &str = "ulimit -n 8192; python3 -c 'import os, socket
to = (\"127.0.0.1\", int(os.environ[\"PORT\"]))
many, few = ([socket.create_connection(to, 8) for i in range(count)] for count in (4300, 8))
for one in few: one.sendall(b\"GET /sleep/500 HTTP/1.1\\r\\nHost: probe\\r\\n\\r\\n\")
for one in many: one.sendall(b\"GET / HTTP/1.1\\r\\nHost: probe\\r\\n\\r\\n\")
print(sum(one.recv(1000).startswith(b\"HTTP/1.1 200\") for one in many))'";

/// More requests than a queue of a few thousand jobs holds come while every handler sleeps: none may be lost,
/// or answered twice.
pub(super) fn more_than_the_queue(subject: &mut Subject<'_>) -> Verdict {
    /// As many as most pools have workers.
    const SLEEPERS: usize = 4;
    const SLEEP: Duration = Duration::from_millis(400);
    const COUNT: usize = 4_300;
    /// Of the clients, before it is seen how the server takes them.
    const FIRST: usize = 200;
    must_have_descriptors(COUNT + SLEEPERS)?;
    subject.must_serve()?;
    let mut clients = Vec::new();
    if let Ok(pid) = subject.process().map(|server| server.pid()) {
        let before = Snapshot::of(pid);
        clients = subject.connect_until_full(FIRST);
        if has_a_task_for_each(pid, &before, &clients) {
            let reason = "it has a process or a thread for each connection, and no queue";
            return Err(Fault::not_applicable(reason));
        }
    }
    clients.extend(subject.connect_some(COUNT - clients.len()));
    let mut sleepers = subject.connect_some(SLEEPERS);
    for sleeper in &mut sleepers {
        sleeper.send(&get_and_close(&format!("/sleep/{}", SLEEP.as_millis())))?;
    }
    thread::sleep(Duration::from_millis(50));
    let length = |i: usize| 10 + i % 500;
    for (i, client) in clients.iter_mut().enumerate() {
        client.send(&get_and_close(&format!("/bytes/{}", length(i))))?;
    }
    let count = clients.len();
    // The slowest is one after the other: each sleep is waited for.
    let patience = FORGOTTEN + SLEEP * SLEEPERS as u32;
    let mut refused = 0;
    for (i, mut client) in clients.into_iter().enumerate() {
        let verdict = match client.reply_within(patience) {
            // To say that it is too much is an answer.
            Ok(reply) if reply.status == 503 => {
                refused += 1;
                Ok(())
            }
            reply => reply.and_then(|reply| reply.must_be_filler(length(i))),
        };
        verdict.map_err(|fault| {
            let fault = fault.at(format!("request {} of {count} that came while its handlers slept", i + 1));
            fault.shows("4300", "fewer, or a timeout").shown_by(BY_HAND)
        })?;
        // No local port is left in TIME_WAIT.
        client.reset();
    }
    sleepers.iter_mut().try_for_each(|sleeper: &mut Client| sleeper.reply_within(patience)?.must_be_ok())?;
    subject.remark = format!("{count} requests, {refused} of them refused");
    subject.must_serve()
}
