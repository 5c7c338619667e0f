//! Where epoll wins, and where io_uring does.

use super::{Finding, finding, sample, sorted};
use crate::figures::{Data, Line, uring};
use lab_core::units::{bytes, count};
use records::{Phase, Record};
use std::collections::BTreeSet;

/// The loads at which epoll takes the least and the most CPU time of what io_uring takes, if it is less at
/// the one and more at the other.
pub(super) fn epoll(data: &Data) -> Option<Finding> {
    let is_epoll = |line: &Line| line.record.key.server == "10" && !line.record.straddles();
    let lines: Vec<Line> = data.of(&[Phase::Uring]).into_iter().filter(is_epoll).collect();
    let load = |record: &Record| (uring::length(&record.key.path), record.key.concurrency);
    let loads: BTreeSet<(usize, usize)> = lines.iter().map(|line| load(line.record)).collect();
    let ratio = |at: (usize, usize)| {
        let its: Vec<Line> = lines.iter().filter(|line| load(line.record) == at).copied().collect();
        let ratios = sample(&its, Record::ratio_to_floor);
        Some((at, ratios.median()?, ratios.interval()?))
    };
    let all = sorted(loads.into_iter().filter_map(ratio), |(_, ratio, _)| *ratio);
    let ((few, least, low), (many, most, high)) = (all.first()?, all.last()?);
    (low.high < 1.0 && high.low > 1.0).then_some(())?;
    let of = |(length, clients): &(usize, usize)| {
        format!("{} asking for {}", count(*clients, "client"), bytes(*length as f64))
    };
    let text = format!(
        "Epoll takes {least:.2} times [{:.2} to {:.2}] the CPU time of io_uring with {}, and {most:.2} times \
         [{:.2} to {:.2}] with {}.",
        low.low,
        low.high,
        of(few),
        high.low,
        high.high,
        of(many)
    );
    finding("uring", text)
}

#[cfg(test)]
mod tests {
    use super::super::invented::{around, contains, says};
    use super::*;
    use records::sample::{paired, record};

    fn pairs(server: &str, path: &str, clients: usize, ratio: f64, apart: f64) -> Vec<Record> {
        let one = |ratio: f64| {
            let own = record(server, "builtin", clients, true, 1e6 / (10.0 * ratio));
            let mut pair = paired(own, [10.0, 10.0]);
            (pair.key.phase, pair.key.path) = (Phase::Uring, path.to_owned());
            pair
        };
        around(ratio, apart).map(one).collect()
    }

    #[test]
    fn where_either_wins_is_told_if_both_intervals_are_beyond_one() {
        let of = |few: f64, many: f64, apart: f64| {
            let other = pairs("11", "/", 1, 3.0, 1.0);
            let epoll = [pairs("10", "/bytes/65536", 1, few, apart), pairs("10", "/", 64, many, apart)];
            says(super::epoll, epoll.into_iter().flatten().chain(other).collect())
        };
        contains(
            of(0.9, 1.3, 1.0),
            &[
                "0.90 times [0.8",
                "with 1 client asking for 66 kB",
                "1.30 times [1.2",
                "with 64 clients asking for 13 B",
            ],
        );
        assert_eq!(of(0.98, 1.3, 2.0), None, "the lower interval holds one");
        assert_eq!(of(1.1, 1.3, 1.0), None, "io_uring wins everywhere");
        assert_eq!(says(super::epoll, Vec::new()), None);
    }
}
