//! Paired points put together: what a request costs each server, as a multiple of the floor.
//!
//! A shared machine drifts: the same server needs 8 µs now and 11 µs a minute later. Each run therefore
//! stands between two runs of the floor, and the figure is the ratio to their mean. The floor is also
//! measured against itself: how far that ratio strays from 1 is how small a difference can be told from none.

use super::{Phase, Record};
use lab_core::stats;
use std::collections::BTreeMap;

/// The blocks of one server.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The server; the floor itself is among them.
    pub stage: String,
    /// Its title.
    pub title: String,
    /// Median of the CPU time per request over the floor's around it; NaN where no block has such a number.
    pub ratio: f64,
    /// Its interval, if there were several blocks.
    pub interval: Option<(f64, f64)>,
    /// How many blocks.
    pub blocks: usize,
}

impl Pair {
    /// Whether the difference to `other` is larger than what chance explains: the intervals do not touch.
    /// With fewer than five blocks there is no interval to go by, and nothing is told apart.
    pub fn differs_from(&self, other: &Self) -> bool {
        match (self.interval, other.interval) {
            (Some((low, high)), Some((other_low, other_high))) if self.blocks.min(other.blocks) >= 5 => {
                low > other_high || high < other_low
            }
            _ => false,
        }
    }
}

impl Pair {
    /// An interval that is wider than this share of the ratio says nothing about the server.
    const NOISY: f64 = 0.3;
    /// Where the clock has seen no CPU time there is no ratio.
    pub const NO_TIME: &str = "no CPU time was seen";

    /// What the comparison with the floor's own pairs says; `None` where the difference is more than chance.
    pub fn verdict(&self, floor: &Self) -> Option<&'static str> {
        match self.interval {
            _ if !self.ratio.is_finite() => Some(Self::NO_TIME),
            _ if self.stage == floor.stage => Some("the floor against itself"),
            _ if self.blocks.min(floor.blocks) < 5 => Some("too few rounds"),
            _ if self.differs_from(floor) => None,
            Some((low, high)) if high - low > Self::NOISY * self.ratio => Some("too noisy to tell apart"),
            _ => Some("not distinguishable"),
        }
    }
}

/// Puts the paired records together, in the order of the servers' names, the floor last.
pub fn pairs(records: &[Record]) -> Vec<Pair> {
    let mut groups: BTreeMap<&str, (&str, Vec<f64>)> = BTreeMap::new();
    for record in records.iter().filter(|record| record.counts_in(Phase::Paired)) {
        if record.paired_costs().is_some() {
            let group = groups.entry(&record.key.server).or_insert((&record.key.title, Vec::new()));
            group.1.extend(record.ratio_to_floor());
        }
    }
    let pair = |(stage, (title, ratios)): (&str, (&str, Vec<f64>))| Pair {
        stage: stage.to_owned(),
        title: title.to_owned(),
        ratio: stats::median(&ratios).unwrap_or(f64::NAN),
        interval: stats::interval(&ratios),
        blocks: ratios.len(),
    };
    groups.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn paired(stage: &str, cost: f64, around: [f64; 2]) -> Record {
        sample::paired(sample::record(stage, "wrk", 64, true, 1e6 / cost), around)
    }

    #[test]
    fn a_drift_that_hits_both_alike_leaves_the_ratio() {
        let records: Vec<Record> = (1..=5)
            .map(|drift| f64::from(drift) * 3.0)
            .map(|d| paired("05", 11.0 * d, [9.0 * d, 11.0 * d]))
            .collect();
        let pairs = pairs(&records);
        assert_eq!((pairs.len(), pairs[0].blocks), (1, 5));
        assert!((pairs[0].ratio - 1.1).abs() < 1e-9);
    }

    /// A clock that stood still makes no ratio, and the server stays in the table.
    #[test]
    fn no_cpu_time_is_no_ratio() {
        let mut records: Vec<Record> = (0..5).map(|_| paired("floor", 1.0, [0.0, 0.0])).collect();
        records.extend((0..5).map(|_| paired("05", 10.0, [10.0, 10.0])));
        records[0].figures_mut().expect("invented").cpu_us_per_request = Some(0.0);
        assert!(records[..5].iter().all(|record| record.ratio_to_floor().is_none()));
        let [five, floor] = pairs(&records).try_into().expect("two servers");
        assert!(floor.ratio.is_nan() && floor.interval.is_none() && floor.blocks == 0);
        assert_eq!(floor.verdict(&floor), Some(Pair::NO_TIME));
        assert!(five.ratio.is_finite() && !five.differs_from(&floor));
    }

    #[test]
    fn what_overlaps_is_not_told_apart_and_what_was_dropped_does_not_count() {
        let around = [10.0, 10.0];
        let mut records: Vec<Record> =
            [10.0, 10.5, 9.8, 10.1, 9.9].map(|cost| paired("floor", cost, around)).into();
        records.extend([10.4, 10.6, 10.1, 10.2, 10.3].map(|cost| paired("04", cost, around)));
        records.extend([17.0, 17.5, 16.8, 17.1, 17.2].map(|cost| paired("06", cost, around)));
        let mut wild = paired("04", 99.0, around);
        wild.context.dropped = true;
        records.push(wild);
        let [four, six, floor] = pairs(&records).try_into().expect("three servers");
        assert!(!four.differs_from(&floor) && six.differs_from(&floor) && six.differs_from(&four));
        assert!(four.ratio < 1.1, "the dropped record does not count");
        let few = pairs(&[paired("04", 10.0, around), paired("05", 99.0, around)]);
        assert!(!few[0].differs_from(&few[1]), "one block each tells nothing apart");
    }
}
