//! One slow worker.

use super::{Finding, finding, sample, sorted};
use crate::figures::{Data, Line};
use lab_core::units::time;
use records::Phase;
use std::collections::BTreeSet;

/// How long clients with a connection per request wait while one worker is slow, by how a connection finds
/// one.
pub(super) fn worker(data: &Data) -> Option<Finding> {
    let lines = data.in_one_state(data.of(&[Phase::Balance]));
    let is_here = |line: &Line| line.record.key.slowed && !line.record.key.keep_alive;
    let lines: Vec<Line> = lines.into_iter().filter(is_here).collect();
    let titles: BTreeSet<&str> = lines.iter().map(|line| line.record.key.title.as_str()).collect();
    let wait = |title: &str| {
        let its: Vec<Line> = lines.iter().filter(|line| line.record.key.title == title).copied().collect();
        let waits = sample(&its, |record| Some(record.open_loop()?.latency_us.p99 as f64));
        waits.median().zip(waits.interval())
    };
    let all = sorted(titles.iter().filter_map(|title| Some((*title, wait(title)?))), |(_, (wait, _))| *wait);
    let ((good, (least, low)), (bad, (most, high))) = (all.first()?, all.last()?);
    (high.low > low.high).then_some(())?;
    let text = format!(
        "While one worker is slow, p99 of short connections is {} ({good}) to {} ({bad}).",
        time(*least),
        time(*most)
    );
    finding("balance", text)
}

#[cfg(test)]
mod tests {
    use super::super::invented::{around, contains, says};
    use super::*;
    use lab_core::stats::Percentiles;
    use records::sample::{open, record};
    use records::{OpenLoop, Record};

    fn waits(title: &str, p99: f64, apart: f64, slowed: bool) -> Vec<Record> {
        let one = |p99: f64| {
            let latency_us = Percentiles { p50: 1, p90: 1, p99: p99 as u64, p99_9: 1, max: 1 };
            let (rate, over_5ms) = (2000.0, None);
            let sent = OpenLoop { rate, share_of_peak: None, latency_us, over_5ms, late: 0, never_sent: 0 };
            let mut one = open(record("09", "builtin", 64, false, rate), sent);
            (one.key.phase, one.key.title, one.key.slowed) = (Phase::Balance, title.into(), slowed);
            one
        };
        around(p99, apart).map(one).collect()
    }

    #[test]
    fn a_slow_worker_is_told_if_the_intervals_are_apart() {
        let both = |apart: f64, bad: f64| {
            let plain = waits("EPOLLEXCLUSIVE", 90_000.0, 1.0, false);
            [plain, waits("EPOLLEXCLUSIVE", 500.0, apart, true), waits("by hash", bad, apart, true)].concat()
        };
        contains(says(worker, both(1.0, 10_000.0)), &["is 500 µs (EPOLLEXCLUSIVE) to 10.0 ms (by hash)"]);
        assert_eq!(says(worker, both(30.0, 600.0)), None, "the intervals overlap");
        assert_eq!(says(worker, waits("by hash", 500.0, 1.0, true)), None, "one policy alone");
        assert_eq!(says(worker, Vec::new()), None);
    }
}
