//! What a server counts of itself, for whoever wants to show it.
//!
//! Each worker has its own counters, which its own thread alone changes, with few exceptions; they are read
//! from anywhere. Everything is Relaxed: a count orders no other memory, and a reader sees each of them a
//! moment late.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Four buckets for each power of two of nanoseconds.
const BUCKETS: usize = 4 * 64;

/// The counters of one worker.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) opened: AtomicU64,
    pub(crate) wake_ups: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) requests: AtomicU64,
    /// Tasks that were queued for the loop and have not run.
    pub(crate) tasks: AtomicUsize,
    /// Timers that may still fire.
    pub(crate) timers: AtomicUsize,
    /// Connections with a timer. The loop's own thread alone changes it.
    pub(crate) deadlines: AtomicU64,
    times: [AtomicU64; BUCKETS],
}

/// What one worker has counted since it started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCounters {
    /// Connections that are open or on their way to it.
    pub connections: usize,
    /// Connections that it has had.
    pub opened: u64,
    /// Times that its loop has woken up.
    pub wake_ups: u64,
    /// Events that epoll has reported to it.
    pub events: u64,
    /// Requests, as its protocols count them ([`crate::Connection::count_requests`]).
    pub requests: u64,
    /// Tasks that wait for it.
    pub tasks: usize,
    /// Timers of tasks that may still fire on it ([`crate::Server::run_after`]).
    pub timers: usize,
    /// Its connections that have a timer for their silence.
    pub deadlines: u64,
    /// How long events waited for their callback and how long this took, from the wake-up of the loop on: how
    /// many by bucket, for [`percentile`]. Empty unless [`crate::Settings::measure`].
    pub times: Vec<u64>,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            opened: AtomicU64::new(0),
            wake_ups: AtomicU64::new(0),
            events: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            tasks: AtomicUsize::new(0),
            timers: AtomicUsize::new(0),
            deadlines: AtomicU64::new(0),
            times: [const { AtomicU64::new(0) }; BUCKETS],
        }
    }

    pub(crate) fn record(&self, time: Duration) {
        add(&self.times[bucket(time.as_nanos() as u64)], 1);
    }

    pub(crate) fn snapshot(&self, connections: usize, measured: bool) -> WorkerCounters {
        let times = self.times.iter().map(|count| count.load(Relaxed));
        WorkerCounters {
            connections,
            opened: self.opened.load(Relaxed),
            wake_ups: self.wake_ups.load(Relaxed),
            events: self.events.load(Relaxed),
            requests: self.requests.load(Relaxed),
            tasks: self.tasks.load(Relaxed),
            timers: self.timers.load(Relaxed),
            deadlines: self.deadlines.load(Relaxed),
            times: if measured { times.collect() } else { Vec::new() },
        }
    }
}

/// Adds to a counter that this thread alone changes: no locked instruction.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Relaxed) + count, Relaxed);
}

/// Takes from a counter that this thread alone changes.
pub(crate) fn subtract(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Relaxed) - count, Relaxed);
}

/// The time that `percent` of the times do not exceed, as the upper end of a bucket, which is at most a
/// quarter too long. `times` may be the sum of several workers', or the difference of two readings. None if
/// nothing was counted.
pub fn percentile(times: &[u64], percent: f64) -> Option<Duration> {
    let total: u64 = times.iter().sum();
    let wanted = (total as f64 * percent / 100.0).ceil().max(1.0) as u64;
    let mut seen = 0;
    let found = times.iter().position(|count| {
        seen += count;
        seen >= wanted
    });
    found.filter(|_| total > 0).map(|bucket| Duration::from_nanos(upper_end(bucket)))
}

fn bucket(nanoseconds: u64) -> usize {
    let value = nanoseconds.max(4);
    let power = value.ilog2();
    // The two bits behind the first.
    (power as usize) * 4 + (value >> (power - 2) & 3) as usize
}

fn upper_end(bucket: usize) -> u64 {
    let (power, quarter) = (bucket as u32 / 4, bucket as u64 % 4);
    if power < 2 {
        return 4;
    }
    u64::try_from((u128::from(5 + quarter) << (power - 2)) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the percentiles that a page shows: never too short, at most a quarter too long.
    #[test]
    fn a_percentile_is_a_close_upper_bound() {
        for nanoseconds in [4_u64, 5, 7, 8, 100, 999, 1_000_000, 123_456_789, 60_000_000_000] {
            let mut times = vec![0; BUCKETS];
            times[bucket(nanoseconds)] = 1;
            let found = percentile(&times, 50.0).unwrap().as_nanos() as u64;
            assert!((nanoseconds..=nanoseconds * 5 / 4).contains(&found), "{nanoseconds}: {found}");
        }
        let counters = Counters::new();
        for ms in 1..=100 {
            counters.record(Duration::from_millis(ms));
        }
        let times = counters.snapshot(0, true).times;
        for (percent, ms) in [(50.0, 50), (99.0, 99), (100.0, 100)] {
            let found = percentile(&times, percent).unwrap();
            assert!(found >= Duration::from_millis(ms) && found <= Duration::from_millis(ms * 5 / 4));
        }
        assert_eq!(percentile(&[0; BUCKETS], 50.0), None);
    }
}
