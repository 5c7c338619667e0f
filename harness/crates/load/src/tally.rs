//! What a thread counts. Every thread has its own; they are added up at the end.

use super::failure::Failure;
use super::reply::Checker;
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// When a request should have left and when it left. In a closed loop there is no difference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) intended: Instant,
    pub(super) sent: Instant,
}

/// A request that leaves more than this after it could have left is late: the generator was behind.
pub(super) const LATE: Duration = Duration::from_millis(1);

/// The counts of the requests for one path. Nothing here grows, so counting never allocates.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// Requests that should have left before this are not counted: they belong to the warm-up.
    from: Instant,
    pub(super) right: u64,
    failures: [u64; Failure::NAMES.len()],
    pub(super) aborted: u64,
    pub(super) late: u64,
    pub(super) never_sent: u64,
    /// The last status that was not the right one.
    pub(super) wrong_status: Option<u16>,
    /// µs from the intended time to the whole reply.
    pub(super) latency: Histogram<u64>,
    /// µs from the intended time to the end of the run, of requests that never left.
    waited_unsent: Histogram<u64>,
    /// The same of requests that had left and were not answered.
    waited_unanswered: Histogram<u64>,
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
            failures: [0; Failure::NAMES.len()],
            aborted: 0,
            late: 0,
            never_sent: 0,
            wrong_status: None,
            latency: empty(),
            waited_unsent: empty(),
            waited_unanswered: empty(),
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

    /// The end came, at `now`, before `count` replies.
    pub(super) fn aborted(&mut self, count: u64, times: Times, now: Instant) {
        if count > 0 && self.counts(times) {
            self.aborted += count;
            self.waited_unanswered.saturating_record_n(micros(times.intended, now), count);
        }
    }

    /// The end came, at `now`, before a request could leave.
    pub(super) fn never_sent(&mut self, intended: Instant, now: Instant) {
        if intended >= self.from {
            self.never_sent += 1;
            self.waited_unsent.saturating_record(micros(intended, now));
        }
    }

    /// The latencies of an open loop with those of the requests that the end left without an answer, and how
    /// many of the aborted ones are among them.
    ///
    /// What such a request has waited is a lower bound of its latency. Without it a server that stalls at the
    /// end of a run would look as if it had not. Requests that never left are all in: the server kept every
    /// connection waiting. Of those that had left, most were sent a moment ago, and their short wait would
    /// count as a quick reply; so only those are in that have waited longer than 99 of 100 answered ones,
    /// which can lower no percentile up to that.
    pub(super) fn open_latency(&self) -> (Histogram<u64>, u64) {
        let mut all = self.latency.clone();
        let usual = self.latency.value_at_quantile(0.99);
        all += &self.waited_unsent;
        let mut counted = 0;
        for step in self.waited_unanswered.iter_recorded() {
            let (waited, count) = (step.value_iterated_to(), step.count_since_last_iteration());
            if self.latency.is_empty() || waited > usual {
                all.saturating_record_n(waited, count);
                counted += count;
            }
        }
        (all, counted)
    }

    /// A request left. It was `ready` at its time, or as soon as a client was free after that.
    pub(super) fn sent(&mut self, times: Times, ready: Instant) {
        if self.counts(times) && times.sent.saturating_duration_since(ready) > LATE {
            self.late += 1;
        }
    }

    /// Requests that failed, of every kind.
    pub(super) fn failed_in_all(&self) -> u64 {
        self.failures.iter().sum()
    }

    /// The failures by the name of their kind.
    pub(super) fn by_kind(&self) -> BTreeMap<String, u64> {
        Failure::NAMES.into_iter().map(str::to_owned).zip(self.failures).collect()
    }

    /// Adds another thread's counts.
    pub(super) fn add(&mut self, other: &Self) {
        self.right += other.right;
        self.failures.iter_mut().zip(other.failures).for_each(|(mine, others)| *mine += others);
        self.aborted += other.aborted;
        self.late += other.late;
        self.never_sent += other.never_sent;
        self.wrong_status = other.wrong_status.or(self.wrong_status);
        // All have the same bounds, so no value is out of range.
        self.latency += &other.latency;
        self.waited_unsent += &other.waited_unsent;
        self.waited_unanswered += &other.waited_unanswered;
        self.service += &other.service;
        self.first_byte += &other.first_byte;
    }
}

/// All counts: by path, and of what belongs to no path alone.
#[derive(Clone, Debug)]
pub(super) struct Tallies {
    /// In the order of the specs.
    pub(super) paths: Vec<Tally>,
    /// Received, heads included.
    pub(super) bytes: u64,
    /// Connections that were begun.
    pub(super) opened: u64,
    /// Clients that got at least one right reply.
    pub(super) served: u64,
    /// Clients that were never connected, in the warm-up neither.
    pub(super) never_connected: u64,
    /// How right replies ended that announced no length.
    pub(super) unannounced: BTreeSet<&'static str>,
    /// Why the last connection could not be made.
    pub(super) not_connected: Option<ErrorKind>,
    /// CPU time of the threads.
    pub(super) cpu: Duration,
}

impl Tallies {
    /// Empty, for so many paths; see [`Tally::new`].
    pub(super) fn new(from: Instant, paths: usize) -> Self {
        Self {
            paths: vec![Tally::new(from); paths],
            bytes: 0,
            opened: 0,
            served: 0,
            never_connected: 0,
            unannounced: BTreeSet::new(),
            not_connected: None,
            cpu: Duration::ZERO,
        }
    }

    /// Right replies on all paths.
    pub(super) fn right(&self) -> u64 {
        self.paths.iter().map(|path| path.right).sum()
    }

    /// Failures on all paths.
    pub(super) fn failed(&self) -> u64 {
        self.paths.iter().map(Tally::failed_in_all).sum()
    }

    /// Takes over what the checkers of the paths have noticed.
    pub(super) fn note(&mut self, checkers: Vec<Checker>) {
        for (path, checker) in self.paths.iter_mut().zip(checkers) {
            path.wrong_status = checker.wrong_status;
            self.unannounced.extend(checker.unannounced);
        }
    }

    /// Adds another thread's counts.
    pub(super) fn add(&mut self, other: Self) {
        self.paths.iter_mut().zip(&other.paths).for_each(|(mine, others)| mine.add(others));
        self.bytes += other.bytes;
        self.opened += other.opened;
        self.served += other.served;
        self.never_connected += other.never_connected;
        self.unannounced.extend(other.unannounced);
        self.not_connected = other.not_connected.or(self.not_connected);
        self.cpu += other.cpu;
    }
}

fn micros(from: Instant, to: Instant) -> u64 {
    to.saturating_duration_since(from).as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of one request per millisecond, of which those before `stall` were answered within a
    /// millisecond; then the server stood still, with `clients` requests on their way.
    fn stalled(stall: u64, clients: u64) -> Tally {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut tally = Tally::new(start);
        for millis in 0..1000 {
            let times = Times { intended: at(millis), sent: at(millis) };
            match millis {
                answered if answered < stall => tally.right(1, times, at(answered + 1)),
                sent if sent < stall + clients => tally.aborted(1, times, at(1000)),
                _ => tally.never_sent(at(millis), at(1000)),
            }
        }
        tally
    }

    /// What an open loop is for: a client that came during a stall has waited, though no reply says so.
    #[test]
    fn a_stall_at_the_end_is_in_the_latencies() {
        let tally = stalled(800, 64);
        assert_eq!((tally.right, tally.aborted, tally.never_sent), (800, 64, 136));
        assert!(tally.latency.max() <= 1_001, "no reply was slow");
        let (latency, counted) = tally.open_latency();
        assert_eq!((latency.len(), counted), (1000, 64));
        assert!(latency.value_at_quantile(0.9) >= 95_000, "{}", latency.value_at_quantile(0.9));
        assert!(latency.max() >= 199_000, "{}", latency.max());
        // Added up from two threads it is the same.
        let mut both = Tally::new(Instant::now());
        both.add(&tally);
        both.add(&tally);
        let (twice, counted) = both.open_latency();
        assert_eq!((twice.len(), counted), (2000, 128));
        assert_eq!(twice.value_at_quantile(0.9), latency.value_at_quantile(0.9));
    }

    /// Protects the generator from blame: what waited for a free client waited for the server.
    #[test]
    fn only_what_could_have_left_earlier_is_late() {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut tally = Tally::new(start);
        for (ready, sent) in [(10, 10), (10, 11), (500, 501), (10, 12), (10, 700)] {
            tally.sent(Times { intended: at(10), sent: at(sent) }, at(ready));
        }
        assert_eq!(tally.late, 2);
    }

    /// A request that was sent a moment before the end is no quick reply.
    #[test]
    fn what_was_just_sent_at_the_end_lowers_nothing() {
        let start = Instant::now();
        let at = |micros: u64| start + Duration::from_micros(micros);
        let mut tally = Tally::new(start);
        for n in 0..100 {
            tally.right(1, Times { intended: at(n), sent: at(n) }, at(n + 500));
        }
        tally.aborted(50, Times { intended: at(990), sent: at(990) }, at(1000));
        let (latency, counted) = tally.open_latency();
        assert_eq!((latency.len(), counted), (100, 0));
    }

    #[test]
    fn without_any_answer_every_wait_counts() {
        let (latency, counted) = stalled(0, 64).open_latency();
        assert_eq!((latency.len(), counted), (1000, 64));
        assert!(latency.value_at_quantile(0.5) >= 490_000);
    }

    /// What should have left during the warm-up is in no count.
    #[test]
    fn the_warm_up_is_not_counted() {
        let now = Instant::now();
        let mut tally = Tally::new(now + Duration::from_secs(1));
        let times = Times { intended: now, sent: now };
        tally.never_sent(now, now);
        tally.aborted(1, times, now);
        assert_eq!((tally.never_sent, tally.aborted), (0, 0));
        assert_eq!(tally.open_latency().0.len(), 0);
    }
}
