//! One CPU and two: what each design makes of the second one, over all rounds.

use super::rounds::Rounds;
use super::{Bottleneck, Kind, Phase, Record};
use lab_core::stats::Estimate;

/// One server on one number of CPUs.
#[derive(Clone, Debug, PartialEq)]
pub struct CpusPoint {
    /// The server.
    pub stage: String,
    /// Its title.
    pub title: String,
    /// What it is to the lab.
    pub kind: Kind,
    /// What was asked for.
    pub path: String,
    /// How many CPUs the server might use.
    pub cpus: usize,
    /// How many workers; `None` for a server that has no such option.
    pub workers: Option<usize>,
    /// Right answers per second.
    pub requests_per_second: Estimate,
    /// Server CPU time per right answer, µs.
    pub cpu_us_per_request: Option<Estimate>,
    /// The limiter of most rounds; of two that are equally frequent the one less in favour of the server.
    pub limiter: Bottleneck,
    /// Failed, short and refused requests in all rounds.
    pub errors: u64,
    /// What a reader should know: whether the generator shared the CPUs.
    pub note: Option<String>,
    /// How many rounds.
    pub rounds: usize,
}

/// Puts the rounds together, in the order of the servers' names, the paths and the numbers of CPUs.
pub fn cpus(records: &[Record]) -> Vec<CpusPoint> {
    let key = |record: &'_ Record| {
        let key = &record.key;
        record.figures().map(|_| (key.server.clone(), key.path.clone(), key.cpus))
    };
    let points = Rounds::by(records, Phase::Cpus, key).into_values();
    points
        .filter_map(|rounds| {
            let Record { key, context, .. } = rounds.first();
            Some(CpusPoint {
                stage: key.server.clone(),
                title: key.title.clone(),
                kind: context.kind,
                path: key.path.clone(),
                cpus: key.cpus?,
                workers: key.workers,
                requests_per_second: rounds.estimate(|figures| Some(figures.requests_per_second))?,
                cpu_us_per_request: rounds.estimate(|figures| figures.cpu_us_per_request),
                limiter: rounds.bottleneck()?,
                errors: rounds.errors(),
                note: context.note.clone(),
                rounds: rounds.len(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::record;

    #[test]
    fn a_server_has_a_point_for_each_path_and_number_of_cpus() {
        let at = |path: &str, cpus, speed| {
            let mut record = record("08", "builtin", 64, true, speed);
            (record.key.phase, record.key.path) = (Phase::Cpus, path.into());
            (record.key.cpus, record.key.workers) = (Some(cpus), Some(cpus));
            record
        };
        let records = [at("/", 2, 150.0), at("/", 1, 100.0), at("/", 1, 120.0), at("/spin/100", 1, 9.0)];
        let points = cpus(&records);
        let found: Vec<_> =
            points.iter().map(|at| (at.path.as_str(), at.cpus, at.requests_per_second.median)).collect();
        assert_eq!(found, [("/", 1, 110.0), ("/", 2, 150.0), ("/spin/100", 1, 9.0)]);
    }
}
