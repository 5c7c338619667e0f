//! When requests should leave.

use std::time::{Duration, Instant};

/// A request whose time has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    /// Among the requests of all threads, from 0.
    pub(super) number: u64,
    /// When it should leave.
    pub(super) intended: Instant,
}

/// When a thread's requests should leave. The requests are numbered, and thread `i` of `n` has the numbers
/// `i`, `i + n`, `i + 2n` … In an open loop all threads together send `rate` requests per second, evenly; in
/// a closed loop, which has no rate, a request may leave at any time.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    start: Instant,
    rate: Option<f64>,
    /// The number of this thread's next request, among the requests of all threads.
    next: u64,
    step: u64,
}

impl Schedule {
    pub(super) fn new(start: Instant, rate: Option<f64>, thread: usize, threads: usize) -> Self {
        Self { start, rate, next: thread as u64, step: threads as u64 }
    }

    /// When the next request should leave; `None` in a closed loop. Computed from its number: adding up an
    /// interval would also add up its rounding.
    pub(super) fn next(&self) -> Option<Instant> {
        Some(self.start + Duration::from_secs_f64(self.next as f64 / self.rate?))
    }

    /// Takes the next request if its time has come.
    pub(super) fn take(&mut self, now: Instant) -> Option<Due> {
        let intended = self.next().unwrap_or(now);
        (intended <= now).then(|| self.advance(intended))
    }

    fn advance(&mut self, intended: Instant) -> Due {
        let number = self.next;
        self.next += self.step;
        Due { number, intended }
    }

    /// Takes the requests that should have left in `from..until`.
    pub(super) fn left(&mut self, from: Instant, until: Instant) -> impl Iterator<Item = Due> {
        std::iter::from_fn(move || {
            let intended = self.next()?;
            (intended < until).then(|| self.advance(intended))
        })
        .filter(move |due| due.intended >= from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Whatever the times at which it is asked, no request is lost, doubled, early or out of order; and
        /// all threads together send at the rate.
        #[test]
        fn the_rate_is_kept(rate in 0.5f64..5000.0, threads in 1usize..5, steps in proptest::collection::vec(1u64..300, 1..20)) {
            let start = Instant::now();
            let mut now = start;
            let mut schedules: Vec<Schedule> = (0..threads).map(|thread| Schedule::new(start, Some(rate), thread, threads)).collect();
            let (mut taken, mut numbers) = (Vec::new(), BTreeSet::new());
            for step in steps {
                now += Duration::from_millis(step);
                for schedule in &mut schedules {
                    let mut last = start;
                    while let Some(Due { number, intended }) = schedule.take(now) {
                        prop_assert!(numbers.insert(number), "twice: {}", number);
                        prop_assert!(intended <= now && intended >= last);
                        last = intended;
                        taken.push(intended);
                    }
                    prop_assert!(schedule.next() > Some(now));
                }
            }
            let expected = ((now - start).as_secs_f64() * rate).floor() + 1.0;
            prop_assert!((taken.len() as f64 - expected).abs() <= 1.0, "{} of {expected}", taken.len());
            prop_assert_eq!(numbers.len(), taken.len());
            taken.sort();
            let gap = Duration::from_secs_f64(1.0 / rate);
            for pair in taken.windows(2) {
                prop_assert!((pair[1] - pair[0]).abs_diff(gap) < Duration::from_micros(1));
            }
        }
    }

    #[test]
    fn what_was_not_sent_is_counted_within_the_window_only() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, Some(100.0), 0, 1);
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        while schedule.take(at(0.4999)).is_some() {}
        // Due at 0.50, 0.51 … 1.99; of them 100 from 1.00 on.
        let left: Vec<Instant> = schedule.left(at(1.0), at(1.9999)).map(|due| due.intended).collect();
        assert_eq!(left.len(), 100);
        assert!(left[0] >= at(1.0) && left[0] < at(1.01), "each with its own time");
        assert!(left[99] > at(1.98) && left[99] < at(1.9999));
        assert_eq!(schedule.left(at(1.0), at(1.9999)).count(), 0, "counted once");
    }
}
