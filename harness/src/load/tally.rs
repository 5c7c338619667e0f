//! What a thread counts. Every thread has its own; they are added up at the end.

use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Why a request was not answered right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A reply with another status.
    Status,
    /// A body that is too short, too long, or of unknown length.
    Length,
    /// A body of the right length with other bytes.
    Body,
    /// No HTTP.
    Malformed,
    /// The server closed the connection instead of answering.
    Closed,
    /// No connection.
    Connect,
    /// An error while reading, such as a reset.
    Read,
    /// An error while writing.
    Write,
    /// No whole reply within `--timeout`.
    Timeout,
}

impl Failure {
    pub(super) const ALL: [Failure; 9] = [
        Failure::Status,
        Failure::Length,
        Failure::Body,
        Failure::Malformed,
        Failure::Closed,
        Failure::Connect,
        Failure::Read,
        Failure::Write,
        Failure::Timeout,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Failure::Status => "status",
            Failure::Length => "length",
            Failure::Body => "body",
            Failure::Malformed => "malformed",
            Failure::Closed => "closed",
            Failure::Connect => "connect",
            Failure::Read => "read",
            Failure::Write => "write",
            Failure::Timeout => "timeout",
        }
    }
}

/// When a request should have left and when it left. In a closed loop there is no difference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) intended: Instant,
    pub(super) sent: Instant,
}

/// A request that leaves more than this after its time is late.
pub(super) const LATE: Duration = Duration::from_millis(1);

/// The counts. Nothing here grows, so counting never allocates.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// Requests that should have left before this are not counted: they belong to the warm-up.
    from: Instant,
    pub(super) right: u64,
    failures: [u64; Failure::ALL.len()],
    pub(super) aborted: u64,
    pub(super) late: u64,
    pub(super) dropped: u64,
    /// Received, heads included.
    pub(super) bytes: u64,
    /// Connections that were begun.
    pub(super) opened: u64,
    /// Clients that got at least one right reply.
    pub(super) served: u64,
    /// CPU time of the thread.
    pub(super) cpu: Duration,
    /// µs from the intended time to the whole reply.
    pub(super) latency: Histogram<u64>,
    /// µs from sending to the whole reply.
    pub(super) service: Histogram<u64>,
    /// µs from sending to the first byte.
    pub(super) first_byte: Histogram<u64>,
}

impl Tally {
    /// Empty; requests that should leave from `from` on will be counted.
    pub(super) fn new(from: Instant) -> Self {
        // A day is more than any run may take: no value can be out of range.
        let empty = || Histogram::new_with_bounds(1, 86_400_000_000, 3).expect("the bounds are constants");
        Self {
            from,
            right: 0,
            failures: [0; Failure::ALL.len()],
            aborted: 0,
            late: 0,
            dropped: 0,
            bytes: 0,
            opened: 0,
            served: 0,
            cpu: Duration::ZERO,
            latency: empty(),
            service: empty(),
            first_byte: empty(),
        }
    }

    fn counts(&self, times: Times) -> bool {
        times.intended >= self.from
    }

    /// `count` right replies were complete at `now`.
    pub(super) fn right(&mut self, count: u64, times: Times, now: Instant) {
        if count > 0 && self.counts(times) {
            self.right += count;
            self.service.saturating_record_n(micros(times.sent, now), count);
            self.latency.saturating_record_n(micros(times.intended, now), count);
        }
    }

    /// The first byte of an answer came.
    pub(super) fn first_byte(&mut self, times: Times, now: Instant) {
        if self.counts(times) {
            self.first_byte.saturating_record(micros(times.sent, now));
        }
    }

    /// `count` requests failed.
    pub(super) fn failed(&mut self, failure: Failure, count: u64, times: Times) {
        if self.counts(times) {
            self.failures[failure as usize] += count;
        }
    }

    /// The end came before `count` replies.
    pub(super) fn aborted(&mut self, count: u64, times: Times) {
        if self.counts(times) {
            self.aborted += count;
        }
    }

    /// A request left.
    pub(super) fn sent(&mut self, times: Times) {
        if self.counts(times) && times.sent.saturating_duration_since(times.intended) > LATE {
            self.late += 1;
        }
    }

    /// Requests that failed, of every kind.
    pub(super) fn failed_in_all(&self) -> u64 {
        self.failures.iter().sum()
    }

    /// The failures by the name of their kind.
    pub(super) fn by_kind(&self) -> BTreeMap<String, u64> {
        Failure::ALL.map(|failure| (failure.name().to_owned(), self.failures[failure as usize])).into()
    }

    /// Adds another thread's counts.
    pub(super) fn add(&mut self, other: &Self) {
        self.right += other.right;
        self.failures.iter_mut().zip(other.failures).for_each(|(mine, others)| *mine += others);
        self.aborted += other.aborted;
        self.late += other.late;
        self.dropped += other.dropped;
        self.bytes += other.bytes;
        self.opened += other.opened;
        self.served += other.served;
        self.cpu += other.cpu;
        for (mine, others) in [
            (&mut self.latency, &other.latency),
            (&mut self.service, &other.service),
            (&mut self.first_byte, &other.first_byte),
        ] {
            mine.add(others).expect("all have the same bounds");
        }
    }
}

fn micros(from: Instant, to: Instant) -> u64 {
    to.saturating_duration_since(from).as_micros() as u64
}
