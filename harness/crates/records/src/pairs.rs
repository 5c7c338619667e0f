//! Paired points put together: what a request costs each server, as a multiple of the floor.
//!
//! A shared machine drifts: the same server needs 8 µs now and 11 µs a minute later. Each run therefore
//! stands between two runs of the floor, and the figure is the ratio to their mean. The floor is also
//! measured against itself: the spread of this self-comparison is the smallest difference that can be
//! detected.

use super::rounds::Rounds;
use super::{Key, Kind, Phase, Record};
use lab_core::stats;

/// The rounds of one server under one load.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The server; the floor itself is among them.
    pub stage: String,
    /// Its title.
    pub title: String,
    /// What it is to the lab.
    pub kind: Kind,
    /// The generator.
    pub tool: String,
    /// Whether a client kept its connection.
    pub keep_alive: bool,
    /// What was asked for.
    pub path: String,
    /// Clients at once.
    pub concurrency: usize,
    /// Median of the CPU time per request over the floor's around it; NaN where no round has such a number.
    pub ratio: f64,
    /// Beside the median, if there were several rounds: see [`interval_name`].
    pub interval: Option<(f64, f64)>,
    /// The ratio of each round that counts, in the order of the records.
    pub ratios: Vec<f64>,
    /// Rounds that were left out because the machine changed its clock state in them.
    pub straddling: usize,
    /// Median of the CPU time per request in the rounds that count, µs. It depends on the machine's state;
    /// the ratio does not.
    pub cpu_us_per_request: Option<f64>,
}

/// From so many values on an interval is a bootstrap interval of the median; of fewer the bootstrap says no
/// more than their range.
const BOOTSTRAP: usize = 6;

/// What an interval beside the median of so many values is: `range of 5`, or `95 %, 7 rounds`.
pub fn interval_name(values: usize) -> String {
    match values {
        0..BOOTSTRAP => format!("range of {values}"),
        _ => format!("95 %, {values} rounds"),
    }
}

impl Pair {
    /// An interval that is wider than this share of the ratio says nothing about the server.
    const NOISY: f64 = 0.3;
    /// With fewer rounds nothing is told apart.
    const ROUNDS: usize = 5;
    /// Where the clock has seen no CPU time there is no ratio.
    pub const NO_TIME: &str = "no CPU time was seen";

    /// How many rounds count.
    pub fn n(&self) -> usize {
        self.ratios.len()
    }

    /// What the interval is.
    pub fn interval_name(&self) -> String {
        interval_name(self.n())
    }

    /// Whether the difference to `other` is larger than what chance explains: the intervals do not touch.
    /// With fewer than five rounds there is no interval to go by, and nothing is told apart.
    pub fn differs_from(&self, other: &Self) -> bool {
        match (self.interval, other.interval) {
            (Some((low, high)), Some((other_low, other_high))) if self.n().min(other.n()) >= Self::ROUNDS => {
                low > other_high || high < other_low
            }
            _ => false,
        }
    }

    /// What the comparison with the floor's own pairs says; `None` where the difference is more than chance.
    pub fn verdict(&self, floor: &Self) -> Option<&'static str> {
        match self.interval {
            _ if !self.ratio.is_finite() => Some(Self::NO_TIME),
            _ if self.stage == floor.stage => Some("the floor against itself"),
            _ if self.n().min(floor.n()) < Self::ROUNDS => Some("too few rounds"),
            _ if self.differs_from(floor) => None,
            Some((low, high)) if high - low > Self::NOISY * self.ratio => Some("too noisy to tell apart"),
            _ => Some("not distinguishable"),
        }
    }
}

/// Puts the paired records together: one pair for each server and load, in the order of the servers' names.
pub fn pairs(records: &[Record]) -> Vec<Pair> {
    pairs_of(records, Phase::Paired)
}

/// The same for the pairs of any phase.
pub fn pairs_of(records: &[Record], phase: Phase) -> Vec<Pair> {
    let key = |record: &'_ Record| {
        let Key { server, keep_alive, path, concurrency, .. } = &record.key;
        // Kept connections stand first.
        record.paired_costs().map(|_| (server.clone(), !keep_alive, path.clone(), *concurrency))
    };
    Rounds::of_any_state(records, phase, key).into_values().map(|rounds| pair(&rounds)).collect()
}

fn pair(rounds: &Rounds) -> Pair {
    let Record { key, context, .. } = rounds.first();
    let counted = || rounds.iter().filter(|record| !record.straddles());
    let ratios: Vec<f64> = counted().filter_map(Record::ratio_to_floor).collect();
    let costs: Vec<f64> = counted().filter_map(|record| Some(record.paired_costs()?.0)).collect();
    Pair {
        stage: key.server.clone(),
        title: key.title.clone(),
        kind: context.kind,
        tool: key.tool.clone(),
        keep_alive: key.keep_alive,
        path: key.path.clone(),
        concurrency: key.concurrency,
        ratio: stats::median(&ratios).unwrap_or(f64::NAN),
        interval: match ratios.len() {
            0 | 1 => None,
            2..BOOTSTRAP => stats::range(&ratios),
            _ => stats::bootstrap_median(&ratios, 0),
        },
        straddling: rounds.iter().filter(|record| record.straddles()).count(),
        cpu_us_per_request: stats::median(&costs),
        ratios,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn paired(stage: &str, cost: f64, around: [f64; 2]) -> Record {
        sample::paired(sample::record(stage, "builtin", 64, true, 1e6 / cost), around)
    }

    #[test]
    fn a_drift_that_hits_both_alike_leaves_the_ratio() {
        let records: Vec<Record> = (1..=5)
            .map(|drift| f64::from(drift) * 3.0)
            .map(|d| paired("05", 11.0 * d, [9.9 * d, 10.1 * d]))
            .collect();
        let pairs = pairs(&records);
        assert_eq!((pairs.len(), pairs[0].n()), (1, 5));
        assert!((pairs[0].ratio - 1.1).abs() < 1e-9);
    }

    /// Protects the medians from pairs whose reference is the mean of two states of the machine.
    #[test]
    fn a_pair_whose_floors_differ_counts_in_no_median_but_is_counted() {
        let mut records: Vec<Record> = (0..6).map(|_| paired("05", 11.0, [10.0, 10.4])).collect();
        records.push(paired("05", 11.0, [10.0, 7.5]));
        records.push(paired("05", 11.0, [7.5, 10.0]));
        let [five] = pairs(&records).try_into().expect("one server");
        assert_eq!((five.n(), five.straddling, five.interval_name()), (6, 2, "95 %, 6 rounds".into()));
        assert!((five.ratio - 11.0 / 10.2).abs() < 1e-9);
        let [five] = pairs(&records[2..]).try_into().expect("one server");
        assert_eq!(five.interval_name(), "range of 4");
    }

    #[test]
    fn loads_of_one_server_are_not_mixed() {
        let mut records = [10.0, 11.0, 12.0, 13.0].map(|cost| paired("05", cost, [10.0, 10.0]));
        records[1].key.keep_alive = false;
        records[2].key.concurrency = 4;
        records[3].key.phase = Phase::Clients;
        let all = pairs(&records);
        let found =
            all.iter().map(|pair| (pair.keep_alive, pair.concurrency, pair.ratio)).collect::<Vec<_>>();
        assert_eq!(found, [(true, 4, 1.2), (true, 64, 1.0), (false, 64, 1.1)]);
        assert_eq!(pairs_of(&records, Phase::Clients).len(), 1);
    }

    /// A clock that stood still makes no ratio, and the server stays in the table.
    #[test]
    fn no_cpu_time_is_no_ratio() {
        let mut records: Vec<Record> = (0..5).map(|_| paired("floor", 1.0, [0.0, 0.0])).collect();
        records.extend((0..5).map(|_| paired("05", 10.0, [10.0, 10.0])));
        records[0].figures_mut().expect("invented").cpu_us_per_request = Some(0.0);
        assert!(records[..5].iter().all(|record| record.ratio_to_floor().is_none()));
        let [five, floor] = pairs(&records).try_into().expect("two servers");
        assert!(floor.ratio.is_nan() && floor.interval.is_none() && floor.n() == 0);
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
        assert!(!few[0].differs_from(&few[1]), "one round each tells nothing apart");
    }
}
