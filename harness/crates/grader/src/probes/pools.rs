//! Very many short jobs, where a pool of workers loses one, takes one twice, or loses a worker. The window of
//! such a mistake is small, so each probe goes through it some ten thousand times; a right server is never
//! wrong.

use super::client::{Client, get, get_and_close};
use super::ending::idle_clients;
use super::subject::Subject;
use super::verdict::{Fault, Outcome, Verdict};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// How long each load lasts.
const SPAN: Duration = Duration::from_millis(1_500);

/// How long a reply may take that nothing delays but other short jobs.
const FORGOTTEN: Duration = Duration::from_secs(5);

fn forgotten(fault: Fault, count: usize) -> Fault {
    match fault.outcome {
        Outcome::Hang => {
            Fault::hang(format!("job {} was forgotten: no reply within {FORGOTTEN:?}", count + 1))
        }
        _ => fault.at(format!("after {count} jobs")),
    }
}

/// Runs so many clients at once, each with its number and until `span` is over; returns how many jobs they
/// had.
fn run(
    clients: usize,
    span: Duration,
    load: impl Fn(usize, Instant) -> Result<usize, Fault> + Sync,
) -> Result<usize, Fault> {
    let end = Instant::now() + span;
    thread::scope(|scope| {
        let load = &load;
        let threads: Vec<_> = (0..clients).map(|client| scope.spawn(move || load(client, end))).collect();
        let counts = threads.into_iter().map(|thread| match thread.join() {
            Ok(count) => count,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        // All of them are joined, whatever the first one says.
        counts.collect::<Vec<_>>().into_iter().sum()
    })
}

/// One job after the other from one client, then from two: each finds the workers asleep, or about to be. A
/// wake-up that is lost then has no later job to make up for it.
pub(super) fn lost_wake_up(subject: &mut Subject<'_>) -> Verdict {
    let addr = subject.addr;
    let mut total = 0;
    for clients in [1, 2] {
        total += run(clients, SPAN / 2, |_, end| {
            let mut client = Client::connect(addr)?;
            let mut count = 0;
            while Instant::now() < end {
                client.send(&get("/"))?;
                let reply = client.reply_within(FORGOTTEN).map_err(|fault| forgotten(fault, count))?;
                reply.must_be_hello()?;
                count += 1;
                // Later and later after the reply: a worker on its way to sleep is met in every place.
                let pause = Instant::now() + Duration::from_nanos(count as u64 % 64 * 500);
                while Instant::now() < pause {
                    std::hint::spin_loop();
                }
            }
            Ok(count)
        })?;
    }
    subject.remark = format!("{total} jobs");
    Ok(())
}

/// Jobs that are each a connection of its own, from fewer clients than a pool has workers and from more, so
/// that a worker which has just finished often takes what another one was woken for. A worker that is lost by
/// that is not missed as long as one is left, so those are counted who can be served at once, before and
/// after.
pub(super) fn stolen_wake_up(subject: &mut Subject<'_>) -> Verdict {
    const AT_ONCE: usize = 5;
    let before = idle_clients(subject, AT_ONCE, Duration::from_secs(1))?.len();
    let addr = subject.addr;
    let mut total = 0;
    for clients in [2, 3, 6] {
        total += run(clients, SPAN / 3, |client, end| burst(addr, client, end))?;
    }
    // Where one is too few already, the wait for it is long, and tells it from a busy machine.
    let after = idle_clients(subject, before, FORGOTTEN)?.len();
    subject.remark = format!("{total} jobs");
    match after < before {
        true => {
            let detail =
                format!("{before} clients were served at once before {total} jobs, and {after} after them");
            Err(Fault::hang(detail))
        }
        false => Ok(()),
    }
}

fn burst(addr: SocketAddr, client: usize, end: Instant) -> Result<usize, Fault> {
    let mut count = 0;
    while Instant::now() < end {
        let length = 50 + (client * 31 + count) % 400;
        let mut connection = Client::connect(addr)?;
        connection.send(&get_and_close(&format!("/bytes/{length}")))?;
        let reply = connection.reply_within(FORGOTTEN).map_err(|fault| forgotten(fault, count))?;
        reply.must_be_filler(length)?;
        // No local port is left in TIME_WAIT.
        connection.reset();
        count += 1;
    }
    Ok(count)
}

/// Each request asks for a length of its own: one that is answered twice, or by another's reply, shows in the
/// next.
pub(super) fn job_once(subject: &mut Subject<'_>) -> Verdict {
    let addr = subject.addr;
    let total = run(4, SPAN, |client, end| {
        let mut connection = Client::connect(addr)?;
        let mut count = 0;
        while Instant::now() < end {
            let length = |i: usize| 20 + (client * 97 + i) % 1_500;
            // Two at once: the second one may be seen by another worker.
            connection.send(&get(&format!("/bytes/{}", length(count))))?;
            connection.send(&get(&format!("/bytes/{}", length(count + 1))))?;
            for i in [count, count + 1] {
                let reply = connection.reply_within(FORGOTTEN).map_err(|fault| forgotten(fault, count))?;
                reply.must_be_filler(length(i)).map_err(|fault| fault.at(format!("job {}", i + 1)))?;
            }
            count += 2;
        }
        connection.send(&get_and_close("/"))?;
        connection.reply_within(FORGOTTEN).map_err(|fault| forgotten(fault, count))?.must_be_hello()?;
        connection.let_it_close();
        connection.end_within(FORGOTTEN)?;
        Ok(count)
    })?;
    subject.remark = format!("{total} jobs");
    Ok(())
}

/// On one CPU whoever is woken may run before the one that has woken it goes on: a wake-up that is sent
/// before its job can be seen then finds nothing, and the job waits for a next one, which does not come. Each
/// job here is a connection of its own, since that is what a thread hands to another.
pub(super) fn wake_up_on_one_cpu(subject: &mut Subject<'_>) -> Verdict {
    let addr = subject.addr;
    let total = run(1, SPAN, |client, end| burst(addr, client, end)).map_err(|fault| {
        let command = "for i in $(seq 3000); do curl -s -m 2 -o /dev/null http://127.0.0.1:$PORT/ || echo \"request $i: curl: $?\"; \
                       done | head -n 1";
        fault.shows("nothing", "a request with curl: 28 (a race: repeat it)").shown_by(command)
    })?;
    subject.remark = format!("{total} jobs");
    Ok(())
}
