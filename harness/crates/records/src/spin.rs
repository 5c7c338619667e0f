//! Requests that keep a CPU busy: what each server makes of more workers, over all rounds.

use super::rounds::Rounds;
use super::{Bottleneck, Figures, Phase, Record};
use lab_core::stats::Estimate;

/// One server with one number of workers.
#[derive(Clone, Debug, PartialEq)]
pub struct SpinPoint {
    /// The server.
    pub stage: String,
    /// Its title.
    pub title: String,
    /// How many workers; `None` for a server that has no such option.
    pub workers: Option<usize>,
    /// Clients at once.
    pub clients: usize,
    /// How many CPUs the server might use.
    pub cpus: usize,
    /// Right answers per second.
    pub requests_per_second: Estimate,
    /// Server CPU time per right answer, µs.
    pub cpu_us_per_request: Option<Estimate>,
    /// Median share of these CPUs that the generator took.
    pub generator_share: f64,
    /// Failed, short and refused requests in all rounds.
    pub errors: u64,
    /// In the round with the fewest, the clients that were served at all.
    pub clients_served: usize,
    /// The limiter of most rounds; of two that are equally frequent the one less in favour of the server.
    pub limiter: Bottleneck,
    /// How many rounds.
    pub rounds: usize,
}

impl SpinPoint {
    /// Requests per second if each took `spin_us` of a CPU and nothing else cost anything: on as many CPUs as
    /// there are workers, or on all of them.
    pub fn ideal(&self, spin_us: f64) -> f64 {
        Self::ideal_of(self.workers, self.cpus, spin_us)
    }

    /// The same of a server that was not measured.
    pub fn ideal_of(workers: Option<usize>, cpus: usize, spin_us: f64) -> f64 {
        workers.unwrap_or(cpus).min(cpus) as f64 * 1e6 / spin_us
    }
}

/// Puts the rounds together, in the order of the servers' names and of the numbers of workers. Skipped points
/// are left out.
pub fn spin(records: &[Record]) -> Vec<SpinPoint> {
    let key = |record: &'_ Record| record.figures().map(|_| (record.key.server.clone(), record.key.workers));
    Rounds::by(records, Phase::Spin, key).into_values().filter_map(|rounds| point(&rounds)).collect()
}

fn point(rounds: &Rounds) -> Option<SpinPoint> {
    let first = rounds.first();
    let cpus = first.context.server_cpus.len();
    let share = |figures: &Figures| {
        Some(figures.generator_cpu_seconds / (figures.seconds * cpus as f64).max(f64::MIN_POSITIVE))
    };
    Some(SpinPoint {
        stage: first.key.server.clone(),
        title: first.key.title.clone(),
        workers: first.key.workers,
        clients: first.key.concurrency,
        cpus,
        requests_per_second: rounds.estimate(|figures| Some(figures.requests_per_second))?,
        cpu_us_per_request: rounds.estimate(|figures| figures.cpu_us_per_request),
        generator_share: rounds.estimate(share)?.median,
        errors: rounds.errors(),
        clients_served: rounds.clients_served(),
        limiter: rounds.bottleneck()?,
        rounds: rounds.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{record, skipped};

    fn measured(stage: &str, workers: Option<usize>, speed: f64) -> Record {
        let mut record = record(stage, "builtin", 64, true, speed);
        (record.key.phase, record.key.workers, record.context.server_cpus) =
            (Phase::Spin, workers, vec![0, 1]);
        record
    }

    #[test]
    fn rounds_with_the_same_workers_become_one_point() {
        let mut records = Vec::new();
        for speed in [9_000.0, 8_000.0, 10_000.0] {
            records.extend([
                measured("06", Some(10), 2.0 * speed),
                measured("06", Some(2), speed),
                measured("04", None, speed),
            ]);
        }
        let skipped = skipped(measured("01", None, 1.0), "one client at a time");
        let mut other = measured("04", None, 1.0);
        other.key.phase = Phase::Survey;
        records.extend([skipped, other]);
        let points = spin(&records);
        let names: Vec<_> = points.iter().map(|point| (point.stage.as_str(), point.workers)).collect();
        assert_eq!(names, [("04", None), ("06", Some(2)), ("06", Some(10))]);
        assert_eq!(points[1].requests_per_second.median, 9_000.0);
        assert_eq!(points[1].requests_per_second.interval, Some((8_000.0, 10_000.0)));
        assert_eq!((points[1].rounds, points[1].cpus), (3, 2));
        assert!((points[1].generator_share - 0.25).abs() < 1e-9, "half a second of one second on two CPUs");
    }
}
