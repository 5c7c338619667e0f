//! Peers that misbehave: each must cost its own connection only.

use super::client::{get, get_and_close};
use super::profile::current;
use super::subject::Subject;
use super::verdict::Verdict;
use std::thread;
use std::time::Duration;

const SHORT_PAUSE: Duration = Duration::from_millis(10);

pub(super) fn reset_mid_reply(subject: &mut Subject<'_>) -> Verdict {
    // A reply that is being written when the reset arrives.
    for _ in 0..4 {
        let mut client = subject.connect()?;
        client.send(&get("/bytes/16777216"))?;
        client.bytes(1_000, super::client::LIMIT)?;
        client.reset();
    }
    // Replies that are written after it: the first write fails with ECONNRESET, a second one would raise
    // SIGPIPE. Where a connection has one request there are no others.
    let rounds = if current().keeps_open() { 4 } else { 0 };
    for _ in 0..rounds {
        let mut client = subject.connect()?;
        // One that has no such route answers at once.
        let requests = [get("/sleep/50"), get("/bytes/100000"), get("/bytes/100000"), get("/")].concat();
        client.send(&requests)?;
        thread::sleep(SHORT_PAUSE);
        client.reset();
    }
    subject.must_serve()
}

pub(super) fn connect_burst(subject: &mut Subject<'_>) -> Verdict {
    const COUNT: usize = 500;
    // Fewer, where the backlog holds no more and the server does not accept while they wait.
    let burst = subject.connect_some(COUNT);
    for (i, client) in burst.into_iter().enumerate() {
        if i % 2 == 0 { client.reset() } else { drop(client) }
    }
    subject.must_serve()
}

/// During a sleep events pile up for connections that end, and new connections wait that get the same
/// descriptor numbers: a server that mixes them up answers the wrong client or none.
pub(super) fn stale_event(subject: &mut Subject<'_>) -> Verdict {
    const DOOMED: usize = 8;
    for round in 0..8 {
        // One client at a time and a short backlog leave room for fewer, and then every round takes a second.
        let doomed = subject.connect_some(DOOMED);
        if doomed.len() < DOOMED && round > 1 {
            break;
        }
        thread::sleep(SHORT_PAUSE);
        let mut sleeper = subject.connect_at_once();
        if let Some(sleeper) = &mut sleeper {
            sleeper.send(&get_and_close("/sleep/40"))?;
        }
        thread::sleep(SHORT_PAUSE);
        for (i, mut client) in doomed.into_iter().enumerate() {
            client.send(&get("/bytes/50"))?;
            match i % 4 {
                0 => client.reset(),
                1 => drop(client),
                2 => {
                    client.finish_sending();
                    drop(client);
                }
                _ => {
                    client.send(b"GET / HT")?;
                    client.reset();
                }
            }
        }
        let length = |i: usize| 1_000 + round * 100 + i;
        let mut late = Vec::new();
        for i in 0..8 {
            let mut client = subject.connect()?;
            client.send(&get_and_close(&format!("/bytes/{}", length(i))))?;
            late.push(client);
        }
        if let Some(sleeper) = &mut sleeper {
            sleeper.reply()?.must_be_ok()?;
        }
        for (i, client) in late.iter_mut().enumerate() {
            client.reply()?.must_be_filler(length(i))?;
        }
    }
    Ok(())
}

pub(super) fn descriptor_churn(subject: &mut Subject<'_>) -> Verdict {
    const CLIENTS: usize = 4;
    const ROUNDS: usize = 150;
    let subject = &*subject;
    // Descriptor numbers are reused at once, by connections that each want a reply of their own length.
    let churn = |client: usize| -> Verdict {
        for round in 0..ROUNDS {
            let length = (round * CLIENTS + client) * 13 + 1;
            let mut connection = subject.connect()?;
            match round % 5 {
                4 => connection.send(&get(&format!("/bytes/{length}")))?,
                3 => {
                    connection.send(&get(&format!("/bytes/{length}")))?;
                    connection.reset();
                    continue;
                }
                _ => connection.send(&get_and_close(&format!("/bytes/{length}")))?,
            }
            connection.reply()?.must_be_filler(length)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || churn(client))).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(verdict) => verdict,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}
