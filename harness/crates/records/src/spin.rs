//! Requests that keep a CPU busy: what each server makes of more workers, over all rounds.

use super::cells::usual_limiter;
use super::{Limiter, Phase, Record};
use lab_core::stats::{Estimate, median};
use std::collections::BTreeMap;

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
    pub limiter: Limiter,
    /// How many rounds.
    pub rounds: usize,
}

impl SpinPoint {
    /// Requests per second if each took `spin_us` of a CPU and nothing else cost anything: on as many CPUs as there are
    /// workers, or on all of them.
    pub fn ideal(&self, spin_us: f64) -> f64 {
        Self::ideal_of(self.workers, self.cpus, spin_us)
    }

    /// The same of a server that was not measured.
    pub fn ideal_of(workers: Option<usize>, cpus: usize, spin_us: f64) -> f64 {
        workers.unwrap_or(cpus).min(cpus) as f64 * 1e6 / spin_us
    }
}

/// Puts the rounds together, in the order of the servers' names and of the numbers of workers. Skipped points are left out.
pub fn spin(records: &[Record]) -> Vec<SpinPoint> {
    let mut points: BTreeMap<(&str, Option<usize>), Vec<&Record>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.phase == Phase::Spin && !record.dropped) {
        if record.figures.is_some() {
            points.entry((&record.stage, record.workers)).or_default().push(record);
        }
    }
    points.into_values().filter_map(|records| point(&records)).collect()
}

fn point(records: &[&Record]) -> Option<SpinPoint> {
    let first = *records.first()?;
    let figures = || records.iter().filter_map(|record| record.figures.as_ref());
    let cpus = first.server_cpus.len();
    let speeds: Vec<f64> = figures().map(|figures| figures.requests_per_second).collect();
    let costs: Vec<f64> = figures().filter_map(|figures| figures.cpu_us_per_request).collect();
    let shares = figures().map(|figures| {
        figures.generator_cpu_seconds / (figures.seconds * cpus as f64).max(f64::MIN_POSITIVE)
    });
    Some(SpinPoint {
        stage: first.stage.clone(),
        title: first.title.clone(),
        workers: first.workers,
        clients: first.concurrency,
        cpus,
        requests_per_second: Estimate::of(&speeds)?,
        cpu_us_per_request: Estimate::of(&costs),
        generator_share: median(&shares.collect::<Vec<_>>())?,
        errors: figures().map(|figures| figures.errors).sum(),
        clients_served: records.iter().map(|record| record.clients_served).min()?,
        limiter: usual_limiter(figures())?,
        rounds: records.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::record;

    fn measured(stage: &str, workers: Option<usize>, speed: f64) -> Record {
        let mut record = record(stage, "builtin", 64, true, speed);
        (record.phase, record.workers, record.server_cpus) = (Phase::Spin, workers, vec![0, 1]);
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
        let mut skipped = measured("01", None, 1.0);
        (skipped.figures, skipped.skipped) = (None, Some("one client at a time".into()));
        let mut other = measured("04", None, 1.0);
        other.phase = Phase::Survey;
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
