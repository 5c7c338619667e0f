//! Who waits for whom, and for how long.

use super::client::{Client, LONG};
use super::{Found, Lab, SETTLED};
use anyhow::{Result, anyhow};
use book::predictions::Coming;
use lab_core::process::Usage;
use lab_core::units::{count, number};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

/// A reply that has not come by then does not come as long as the cause lasts.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn second_client(lab: &Lab, server: &str) -> Result<Found> {
    let server = lab.start(server)?;
    let first = Client::silent(server.addr, 1, false)?;
    sleep(SETTLED);
    let stream = match TcpStream::connect_timeout(&server.addr, PATIENCE) {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            return Ok(Found::key("refused", "its connection was refused"));
        }
        Err(_) => return Ok(Found::key("not-connected", "it was not connected within a second")),
    };
    let mut second = Client::of(stream)?;
    second.ask("/")?;
    if second.reply(PATIENCE).is_ok() {
        return Ok(Found::key("answered", "it was connected and had its reply"));
    }
    drop(first);
    let start = Instant::now();
    second.reply(LONG)?;
    let words = format!(
        "it was connected at once, its request was taken, and no reply came within a second; when the first one \
         left, the reply came within {} ms",
        start.elapsed().as_millis() + 1
    );
    Ok(Found::key("connected", words))
}

pub(super) fn cpu_beside_silent(
    lab: &Lab,
    server: &str,
    (silent, are_greeted, asks): (usize, bool, bool),
) -> Result<Found> {
    const LOOK: Duration = Duration::from_secs(2);
    let server = lab.start(server)?;
    let _silent = Client::silent(server.addr, silent, are_greeted)?;
    let mut asking = Client::connect(server.addr)?;
    if asks {
        asking.ask("/")?;
    }
    sleep(SETTLED);
    let before = Usage::of_tree(server.pid() as u32);
    sleep(LOOK);
    let used = Usage::of_tree(server.pid() as u32).since(&before).cpu;
    let each = used.as_secs_f64() * 1e3 / LOOK.as_secs_f64();
    Ok(Found::number(each, format!("{each:.1} ms of CPU time in a second, over {} s", LOOK.as_secs())))
}

pub(super) fn seconds_beside_silent(
    lab: &Lab,
    server: &str,
    (silent, are_greeted, leave): (usize, bool, Duration),
) -> Result<Found> {
    let server = lab.start(server)?;
    let holders = Client::silent(server.addr, silent, are_greeted)?;
    sleep(SETTLED);
    let mut asking = Client::connect(server.addr)?;
    let start = Instant::now();
    asking.ask("/")?;
    let took = scope(|scope| {
        scope.spawn(|| {
            sleep(leave);
            drop(holders);
        });
        asking.reply(leave + LONG).map(|_| start.elapsed().as_secs_f64())
    })?;
    let left = leave.as_secs_f64();
    Ok(Found::number(took, format!("{took:.2} s (the silent clients left after {left:.2} s)")))
}

pub(super) fn seconds_beside_sleep(lab: &Lab, server: &str, sleep_ms: u64) -> Result<Found> {
    let server = lab.start(server)?;
    let mut slow = Client::connect(server.addr)?;
    slow.ask(&format!("/sleep/{sleep_ms}"))?;
    sleep(SETTLED);
    let took = Client::connect(server.addr)?.get("/")?.as_secs_f64();
    Ok(Found::number(took, format!("{took:.2} s until the quick client had its reply")))
}

pub(super) fn slow_beside_sleep(
    lab: &Lab,
    server: &str,
    (sleep_ms, requests, come): (u64, usize, Coming),
) -> Result<Found> {
    let server = lab.start(server)?;
    let mut slow = Client::connect(server.addr)?;
    // A connection that is kept is served before, so that its birth is not what waits.
    let mut kept = Client::connect(server.addr)?;
    if come == Coming::OnOneConnection {
        kept.get("/")?;
    }
    slow.ask(&format!("/sleep/{sleep_ms}"))?;
    sleep(SETTLED);
    let mut took = Vec::new();
    match come {
        Coming::OnOneConnection => {
            for _ in 0..requests {
                took.push(kept.get("/")?);
            }
        }
        Coming::OneAfterTheOther => {
            drop(kept);
            for _ in 0..requests {
                took.push(Client::connect(server.addr)?.get("/")?);
            }
        }
        Coming::AtOnce => {
            drop(kept);
            let threads: Vec<Result<Duration>> = scope(|scope| {
                let one = |_| scope.spawn(|| Client::connect(server.addr)?.get("/"));
                let all: Vec<_> = (0..requests).map(one).collect();
                let end = |thread: std::thread::ScopedJoinHandle<'_, Result<Duration>>| {
                    thread.join().unwrap_or_else(|_| Err(anyhow!("a client panicked")))
                };
                all.into_iter().map(end).collect()
            });
            took = threads.into_iter().collect::<Result<_>>()?;
        }
    }
    let bound = Duration::from_millis(sleep_ms / 10);
    let late = took.iter().filter(|took| **took > bound).count();
    let longest = took.iter().max().map_or(0.0, Duration::as_secs_f64);
    Ok(Found::number(
        late as f64,
        format!(
            "{late} of {} took more than {} ms, the longest {longest:.2} s",
            count(requests, "request"),
            bound.as_millis()
        ),
    ))
}

pub(super) fn shared_requests(lab: &Lab, server: &str, clients: usize, requests: usize) -> Result<Found> {
    let server = lab.start(server)?;
    let (begun, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // Both are counters and guard no other data.
    let next = || begun.fetch_add(1, Ordering::Relaxed) < requests;
    let all = (0..clients).map(|_| Client::connect(server.addr)).collect::<Result<Vec<_>>>()?;
    let unanswered: usize = scope(|scope| {
        let (next, answered) = (&next, &answered);
        let one = |mut client: Client| {
            scope.spawn(move || {
                while next() {
                    // As ab does: the others go on, and keep their connections until all is over.
                    if client.ask("/").is_err() || client.reply(PATIENCE).is_err() {
                        return (1, client);
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                (0, client)
            })
        };
        let threads: Vec<_> = all.into_iter().map(one).collect();
        let ended: Vec<(usize, Client)> =
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect();
        ended.iter().map(|(lost, _)| lost).sum()
    });
    let answered = answered.load(Ordering::Relaxed);
    let words = format!(
        "{} of {} answered; {} in a connection without a reply",
        number(answered as f64),
        number(requests as f64),
        count(unanswered, "request")
    );
    Ok(Found::number(answered as f64, words))
}
