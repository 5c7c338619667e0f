//! What each worker of a server has of the load, seen from outside: no reply says who has sent it, since that
//! would be another protocol than the one that is measured.
//!
//! * A worker is a thread that waits on an epoll instance of its own. Which thread waits on which instance is
//!   in `/proc/PID/task/TID/syscall` while it has nothing to do (`workers`).
//! * The instance names the sockets that it watches (`/proc/PID/fdinfo/FD`), by inode: so many connections
//!   has this worker. The inode of the server's end of a connection is asked of the kernel by its two
//!   addresses (sock_diag(7), `sockets`): so the worker of one connection is known.
//! * Each thread has a count of the bytes that it has read (`/proc/PID/task/TID/io`): so many of the requests
//!   were its own.
//! * How long its clients wait is asked by a few connections beside the load, each with its worker
//!   (`sampling`).
//!
//! A worker is slowed down by a connection that it got like any other, whose requests let it sleep; or by
//! several, whose requests keep it busy (`long`). Where all threads wait on one epoll instance, no connection
//! belongs to one of them: they are looked at as one worker.

mod long;
mod sampling;
mod sockets;
mod workers;

use crate::engine::Slowed;
use crate::generators::Load;
use anyhow::{Context, Result, anyhow, ensure};
use lab_core::stats::Percentiles;
use long::LongClients;
use records::{LongRequests, Placement, WorkerLoad};
use sampling::Samplers;
use sockets::Sockets;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};
use workers::{Used, Worker, find};

/// The workers begin to be looked at so long after the warm-up, and end to be so long before the load's end.
const MARGIN: Duration = Duration::from_millis(50);

/// The looks at the workers of one point.
pub(crate) struct ByWorker {
    looks: JoinHandle<Result<Seen>>,
}

/// What came of it.
pub(crate) struct Found {
    /// Each worker's part.
    pub(crate) workers: Vec<WorkerLoad>,
    /// How long the requests beside the load took.
    pub(crate) sampled_us: Option<Percentiles>,
    /// What came of the long ones, if there were any.
    pub(crate) long: Option<LongRequests>,
}

/// What was seen.
struct Seen {
    /// Of each worker: itself, its connections of the load, what it used, how long its samples took, µs.
    workers: Vec<(Worker, u64, Used, Vec<u64>)>,
    /// The index of the slowed one.
    slowed: Option<usize>,
    long: Option<LongRequests>,
    keep_alive: bool,
}

impl ByWorker {
    /// Looks at the workers from now on, in a thread of its own, while the load is put on. The server must
    /// have nothing to do at this moment.
    pub(crate) fn begin((pid, count): (u32, usize), load: &Load, slowed: Slowed) -> Result<Self> {
        let workers = find(pid, count)?;
        // The last connections of the run that has counted the clients may not be closed yet.
        sleep(MARGIN);
        // What they watch without any connection: the listening socket, signals, a pipe.
        let idle = workers.iter().map(Worker::watched).collect::<Result<Vec<_>>>()?;
        let load = load.clone();
        let looks = spawn(move || look(workers, &idle, &load, slowed));
        Ok(Self { looks })
    }

    /// What each worker had, of so many requests of the load.
    pub(crate) fn end(self, requests: u64) -> Result<Found> {
        let mut seen = self.looks.join().map_err(|_| anyhow!("the looks at the workers have panicked"))??;
        let long = seen.long.take();
        let sampled_us = percentiles(seen.workers.iter().flat_map(|(.., waits)| waits).copied().collect());
        Ok(Found { workers: shares(seen, requests), sampled_us, long })
    }
}

fn look(workers: Vec<Worker>, idle: &[u64], load: &Load, slowed: Slowed) -> Result<Seen> {
    let start = Instant::now();
    let sockets = Sockets::of(load.addr)?;
    let stop = Arc::new(AtomicBool::new(false));
    let until = |since: Duration| sleep(since.saturating_sub(start.elapsed()));
    // The load's connections come first: the samplers' are dealt like those of clients that come later.
    until(load.warm_up / 2);
    let counted = start + load.warm_up + MARGIN;
    let (slowdown, long) = match slowed {
        Slowed::One => (Some(sampling::slow_down(load, &sockets, &workers, &stop)?), None),
        Slowed::Long(long) if long.placement != Placement::None => {
            (None, Some(LongClients::start(long, load, (&sockets, &workers), (counted, &stop))?))
        }
        Slowed::None | Slowed::Long(_) => (None, None),
    };
    until(load.warm_up + MARGIN);
    let samplers = match slowed {
        Slowed::Long(_) => Samplers::start_evenly(load, (&sockets, &workers), &stop)?,
        Slowed::None | Slowed::One => Samplers::start(load, &workers, &stop)?,
    };
    let used: fn(&Worker) -> Result<Used> =
        if workers.len() > 1 { Worker::used } else { Worker::used_by_all };
    let before = workers.iter().map(used).collect::<Result<Vec<_>>>()?;
    // What would be compared then is two looks at the same moment.
    ensure!(
        start.elapsed() < load.warm_up + load.duration / 2,
        "the connections beside the load were opened too late: the machine is busy, or --seconds is too short"
    );
    until(load.warm_up + load.duration / 2);
    let watched = workers.iter().map(Worker::watched).collect::<Result<Vec<_>>>()?;
    until((load.warm_up + load.duration).saturating_sub(MARGIN));
    let after = workers.iter().map(used).collect::<Result<Vec<_>>>()?;
    // The flag orders nothing but the end of loops.
    stop.store(true, Relaxed);
    let (waits, own) = samplers.end(workers.len())?;
    let slowed = match (&slowdown, &long) {
        (Some(slowdown), _) => Some(slowdown.worker),
        (None, Some(long)) => long.only,
        (None, None) => None,
    };
    slowdown.into_iter().try_for_each(sampling::Slowdown::end)?;
    let kept = long.as_ref().map(|long| long.kept.clone());
    let long = long.map(LongClients::end).transpose()?;
    let of_load = |at: usize| {
        let slowing = kept.as_ref().map_or(u64::from(slowed == Some(at)), |kept| kept[at]);
        let ours = own[at] + slowing;
        watched[at].saturating_sub(idle[at]).saturating_sub(ours)
    };
    let connections: Vec<u64> = (0..workers.len()).map(of_load).collect();
    let used = after.into_iter().zip(before).map(|(after, before)| after.since(before));
    let all = workers.into_iter().zip(connections).zip(used).zip(waits);
    let workers =
        all.map(|(((worker, connections), used), waits)| (worker, connections, used, waits)).collect();
    Ok(Seen { workers, slowed, long, keep_alive: load.keep_alive })
}

/// Each worker's part: the slowed one first, then by their requests.
fn shares(seen: Seen, requests: u64) -> Vec<WorkerLoad> {
    let bytes: u64 = seen.workers.iter().map(|(_, _, used, _)| used.bytes).sum();
    let of = |(at, (worker, connections, used, waits)): (usize, (Worker, u64, Used, Vec<u64>))| {
        let share = used.bytes as f64 / bytes.max(1) as f64;
        let requests = (share * requests as f64).round() as u64;
        WorkerLoad {
            thread: worker.thread,
            slowed: seen.slowed == Some(at),
            connections: if seen.keep_alive { connections } else { requests },
            requests,
            cpu_seconds: used.cpu.as_secs_f64(),
            samples: waits.len() as u64,
            wait_us: percentiles(waits),
        }
    };
    let mut loads: Vec<WorkerLoad> = seen.workers.into_iter().enumerate().map(of).collect();
    loads.sort_by_key(|load| (!load.slowed, std::cmp::Reverse(load.requests)));
    loads
}

/// `None` without values.
fn percentiles(mut waits: Vec<u64>) -> Option<Percentiles> {
    waits.sort_unstable();
    let max = *waits.last()?;
    let at = |share: f64| waits[((waits.len() as f64 * share).ceil() as usize).clamp(1, waits.len()) - 1];
    Some(Percentiles { p50: at(0.5), p90: at(0.9), p99: at(0.99), p99_9: at(0.999), max })
}

/// Which of the workers has the socket with this inode, if one has it by now.
fn owner(workers: &[Worker], inode: u64) -> Result<Option<usize>> {
    for (at, worker) in workers.iter().enumerate() {
        if worker.watches(inode)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Waits until a connection from this port is one worker's.
fn worker_of(sockets: &Sockets, workers: &[Worker], port: u16) -> Result<usize> {
    /// A server that has not accepted a connection by then does not accept.
    const LIMIT: Duration = Duration::from_secs(5);
    /// Between two looks.
    const LOOK: Duration = Duration::from_micros(200);
    let start = Instant::now();
    loop {
        if let Some(inode) = sockets.accepted(port)?
            && let Some(worker) = owner(workers, inode)?
        {
            return Ok(worker);
        }
        (start.elapsed() < LIMIT)
            .then_some(())
            .with_context(|| format!("no worker has taken a connection within {} s", LIMIT.as_secs()))?;
        sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(thread: i32) -> Worker {
        Worker { process: 1, thread, epoll: 3 }
    }

    #[test]
    fn the_slowed_worker_is_first_and_the_requests_are_dealt_by_bytes() {
        let used = |bytes| Used { bytes, cpu: Duration::from_millis(bytes) };
        let workers = vec![
            (worker(10), 5, used(100), vec![30, 10, 20]),
            (worker(11), 40, used(700), vec![]),
            (worker(12), 19, used(200), vec![7]),
        ];
        let kept = shares(Seen { workers, slowed: Some(2), long: None, keep_alive: true }, 5_000);
        let found: Vec<_> =
            kept.iter().map(|load| (load.thread, load.slowed, load.connections, load.requests)).collect();
        assert_eq!(found, [(12, true, 19, 1000), (11, false, 40, 3500), (10, false, 5, 500)]);
        let waits: Vec<_> = kept.iter().map(|load| load.wait_us.map(|wait| (wait.p50, wait.max))).collect();
        assert_eq!(waits, [Some((7, 7)), None, Some((20, 30))]);
        let workers = vec![(worker(10), 1, used(0), vec![]), (worker(11), 2, used(9), vec![])];
        let short = shares(Seen { workers, slowed: None, long: None, keep_alive: false }, 90);
        assert_eq!(
            short.iter().map(|load| load.connections).collect::<Vec<_>>(),
            [90, 0],
            "one request each"
        );
    }

    #[test]
    fn percentiles_are_values_that_were_there() {
        let all = percentiles((1..=1000).rev().collect()).expect("there are values");
        assert_eq!((all.p50, all.p90, all.p99, all.p99_9, all.max), (500, 900, 990, 999, 1000));
        assert_eq!(percentiles(vec![5]).map(|one| (one.p50, one.p99)), Some((5, 5)));
        assert_eq!(percentiles(Vec::new()), None);
    }
}
