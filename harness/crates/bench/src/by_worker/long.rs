//! Requests that keep a thread of the server busy for long, on connections whose worker is known: all of them
//! one worker's, or as many of each.
//!
//! A client cannot choose its worker. So connections are opened until enough of them belong to the workers
//! that are to have them, and the others are closed.

use super::sampling::{ask, connection, micros};
use super::sockets::Sockets;
use super::workers::Worker;
use crate::engine::Long;
use crate::generators::Load;
use anyhow::{Result, anyhow, ensure};
use records::{LongRequests, Placement};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// So many connections are opened at most for each that is kept.
const TRIES: usize = 64;

/// The clients that ask for them.
pub(super) struct LongClients {
    clients: Vec<JoinHandle<Result<Vec<u64>>>>,
    /// How many of their connections each worker has.
    pub(super) kept: Vec<u64>,
    /// The worker that has all of them.
    pub(super) only: Option<usize>,
    path: String,
    rate: f64,
}

impl LongClients {
    /// Opens the connections, and asks on them from now on; what is due from `counted` on is counted.
    pub(super) fn start(
        long: Long,
        load: &Load,
        (sockets, workers): (&Sockets, &[Worker]),
        (counted, stop): (Instant, &Arc<AtomicBool>),
    ) -> Result<Self> {
        let connection = || connection(load, sockets, workers);
        let Dealt { streams, kept, only } =
            deal(long.placement, (long.connections, workers.len()), connection)?;
        let path = format!("/spin/{}", long.micros);
        let between = Duration::from_secs_f64(long.connections as f64 / long.rate);
        let client = |(at, stream): (usize, TcpStream)| {
            let load = Load { keep_alive: true, path: path.clone(), ..load.clone() };
            let stop = Arc::clone(stop);
            spawn(move || asks(stream, &load, Gaps::new(at as u64, between), (counted, &stop)))
        };
        let clients = streams.into_iter().enumerate().map(client).collect();
        Ok(Self { clients, kept, only, path, rate: long.rate })
    }

    /// What came of the requests; the clients have been told to stop.
    pub(super) fn end(self) -> Result<LongRequests> {
        let mut waits = Vec::new();
        let connections = self.clients.len() as u64;
        for client in self.clients {
            waits.extend(client.join().map_err(|_| anyhow!("a client of long requests has panicked"))??);
        }
        Ok(LongRequests {
            path: self.path,
            connections,
            rate: self.rate,
            requests: waits.len() as u64,
            wait_us: super::percentiles(waits),
        })
    }
}

/// Connections, and how many of them each worker has, and which has all.
pub(super) struct Dealt<T> {
    pub(super) streams: Vec<T>,
    kept: Vec<u64>,
    only: Option<usize>,
}

/// Takes connections until enough of them belong to the workers that are to have them.
pub(super) fn deal<T>(
    placement: Placement,
    (connections, workers): (usize, usize),
    mut connection: impl FnMut() -> Result<(T, usize)>,
) -> Result<Dealt<T>> {
    let mut dealt = Dealt { streams: Vec::new(), kept: vec![0; workers], only: None };
    let most_of_each = connections.div_ceil(workers) as u64;
    for _ in 0..TRIES * connections {
        if dealt.streams.len() == connections {
            break;
        }
        let (stream, worker) = connection()?;
        let fits = match placement {
            Placement::One => worker == *dealt.only.get_or_insert(worker),
            Placement::None | Placement::Each => dealt.kept[worker] < most_of_each,
        };
        if fits {
            dealt.kept[worker] += 1;
            dealt.streams.push(stream);
        }
    }
    let found = dealt.streams.len();
    ensure!(
        found == connections,
        "only {found} of {connections} connections came to the workers that were to have them"
    );
    Ok(dealt)
}

/// Asks at its times until it is told to stop: how long the counted requests took, µs. One that is due while
/// the one before it is on its way leaves when that has been answered.
fn asks(
    mut stream: TcpStream,
    load: &Load,
    mut gaps: Gaps,
    (counted, stop): (Instant, &AtomicBool),
) -> Result<Vec<u64>> {
    let mut waits = Vec::new();
    let mut due = Instant::now() + gaps.next();
    loop {
        sleep(due.saturating_duration_since(Instant::now()));
        if stop.load(Relaxed) {
            return Ok(waits);
        }
        ask(&mut stream, load, &load.path)?;
        if due >= counted {
            waits.push(micros(due));
        }
        due += gaps.next();
    }
}

/// Times between the requests of one client: independent of each other, as those of many users are (a
/// Poisson process). The same in each run, so that every server has the same load.
struct Gaps {
    random: fastrand::Rng,
    mean: Duration,
}

impl Gaps {
    /// No request waits for longer than this many times the mean, so that a client hears soon that it must
    /// stop.
    const LONGEST: f64 = 6.0;

    fn new(seed: u64, mean: Duration) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), mean }
    }

    fn next(&mut self) -> Duration {
        self.mean.mul_f64((-(1.0 - self.random.f64()).ln()).min(Self::LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the two loads from each other: connections come to the workers as chance has it, and all of
    /// them are the first one's, or each worker has as many.
    #[test]
    fn connections_are_taken_until_the_right_workers_have_them() {
        let of = |placement, workers: &[usize]| {
            let mut next = workers.iter().copied().cycle().enumerate();
            deal(placement, (4, 2), || Ok(next.next().expect("it never ends")))
        };
        let one = of(Placement::One, &[1, 0, 0, 1]).expect("every other one is right");
        assert_eq!((one.streams, one.kept, one.only), (vec![0, 3, 4, 7], vec![0, 4], Some(1)));
        let each = of(Placement::Each, &[1, 1, 1, 0]).expect("there are enough");
        assert_eq!((each.streams, each.kept, each.only), (vec![0, 1, 3, 7], vec![2, 2], None));
        let error = of(Placement::Each, &[0]).map(|_| ()).expect_err("nothing comes to the other one");
        assert!(error.to_string().contains("only 2 of 4"), "{error}");
    }

    /// Protects the offered load: the times between requests have the mean that was asked for, and differ,
    /// or long requests would never meet; and each client has its own.
    #[test]
    fn the_times_between_requests_are_random_and_have_their_mean() {
        let of = |seed| {
            let mut gaps = Gaps::new(seed, Duration::from_millis(20));
            (0..10_000).map(|_| gaps.next().as_secs_f64()).collect::<Vec<_>>()
        };
        let gaps = of(1);
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        // Cut off at six times the mean: 0.25 % less. The deviation of the mean of so many is 1 %.
        assert!((mean / 0.020 - 1.0).abs() < 0.05, "{mean}");
        let short = gaps.iter().filter(|gap| **gap < 0.010).count();
        // 1 - 1/√e of them are shorter than half of the mean.
        assert!((3_600..4_300).contains(&short), "{short}");
        assert!(gaps.iter().all(|gap| *gap <= 0.120));
        assert_eq!(gaps, of(1), "every run has the same");
        assert_ne!(gaps, of(2), "every client has its own");
    }
}
