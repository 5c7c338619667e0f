//! Beyond the peak.

use super::{Finding, finding, sample, sorted};
use crate::figures::{Data, Line, overload};
use records::Phase;
use std::collections::BTreeSet;

/// What is left of the peak under the greatest load, by the worst policy and by the best one.
pub(super) fn peak(data: &Data) -> Option<Finding> {
    let lines = data.in_one_state(data.of(&[Phase::Overload]));
    let load = |line: &Line| line.record.open_loop().and_then(|open| open.share_of_peak).unwrap_or(0.0);
    let most = lines.iter().map(load).fold(0.0, f64::max);
    let lines: Vec<Line> = lines.into_iter().filter(|line| most > 1.0 && load(line) == most).collect();
    let titles: BTreeSet<&str> = lines.iter().map(|line| line.record.key.title.as_str()).collect();
    let share = |title: &&'_ str| {
        let its: Vec<Line> = lines.iter().filter(|line| line.record.key.title == **title).copied().collect();
        let shares = sample(&its, |record| Some(100.0 * overload::goodput(record)? / overload::peak(record)));
        shares.median().zip(shares.interval())
    };
    let all = titles.iter().filter_map(|title| share(title).map(|share| (*title, share)));
    let all = sorted(all, |(_, (share, _))| *share);
    let ((bad, (least, low)), (good, (best, high))) = (all.first()?, all.last()?);
    (high.low > low.high).then_some(())?;
    let text = format!(
        "At {most} times its peak a server answers in time from {least:.0} % [{:.0} to {:.0}] of that peak \
         ({bad}) to {best:.0} % [{:.0} to {:.0}] ({good}).",
        low.low, low.high, high.low, high.high
    );
    finding("overload", text)
}

#[cfg(test)]
mod tests {
    use super::super::invented::{around, contains, says};
    use super::*;
    use lab_core::stats::Percentiles;
    use records::sample::{open, record};
    use records::{ClientTimeout, OpenLoop, Outcome, Record};

    /// A second at so many times a peak of 1,000, with so many answers in time.
    fn at(share: f64, title: &str, in_time: f64, apart: f64) -> Vec<Record> {
        let latency_us = Percentiles { p50: 1, p90: 1, p99: 1, p99_9: 1, max: 1 };
        let one = |in_time: f64| {
            let rate = 1000.0 * share;
            let sent = OpenLoop {
                rate,
                share_of_peak: Some(share),
                latency_us,
                over_5ms: None,
                late: 0,
                never_sent: 0,
            };
            let mut one = open(record("07", "builtin", 64, true, rate), sent);
            (one.key.phase, one.key.title) = (Phase::Overload, title.into());
            let Outcome::Latency(latency) = &mut one.outcome else { panic!("an open loop") };
            latency.client_timeout = Some(ClientTimeout {
                timeout_ms: 200,
                in_time: in_time as u64,
                refused: 0,
                given_up: 0,
                answered_us: None,
            });
            one
        };
        around(in_time, apart).map(one).collect()
    }

    #[test]
    fn what_is_left_of_the_peak_is_told_of_the_greatest_load_if_the_intervals_are_apart() {
        let both = |apart: f64, good: f64| {
            let lower = at(1.2, "unbounded queue", 999.0, 1.0);
            [lower, at(2.0, "unbounded queue", 30.0, apart), at(2.0, "last in, first out", good, apart)]
                .concat()
        };
        contains(
            says(peak, both(1.0, 950.0)),
            &["At 2 times its peak", "from 3 % [", "(unbounded queue) to 95 % [9", "] (last in, first out)."],
        );
        assert_eq!(says(peak, both(40.0, 35.0)), None, "the intervals overlap");
        assert_eq!(says(peak, at(2.0, "last in, first out", 950.0, 1.0)), None, "one policy alone");
        let below =
            [at(0.5, "unbounded queue", 30.0, 1.0), at(0.5, "last in, first out", 950.0, 1.0)].concat();
        assert_eq!(says(peak, below), None, "nothing was beyond the peak");
        assert_eq!(says(peak, Vec::new()), None);
    }
}
