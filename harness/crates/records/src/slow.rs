//! Quick requests at a fixed rate while a few others sleep: how long the quick ones wait, over all rounds.

use super::cells::usual_limiter;
use super::{Limiter, Mix, OpenLoop, Phase, Record};
use lab_core::stats::{Estimate, Percentiles, median};
use std::collections::BTreeMap;

/// One server. Latencies are in µs, from the intended time of sending.
#[derive(Clone, Debug, PartialEq)]
pub struct SlowPoint {
    /// The server.
    pub stage: String,
    /// Its title.
    pub title: String,
    /// How many workers; `None` for a server that has no such option.
    pub workers: Option<usize>,
    /// Clients at once.
    pub clients: usize,
    /// Median of the requests per second that were to be sent, the slow ones included.
    pub rate: f64,
    /// Median of the right answers per second, to quick and slow requests.
    pub answered: f64,
    /// Whether the rate was reached in more than half of the rounds. If not, the times are lower bounds and no latencies at
    /// this rate: not to be drawn as such.
    pub reached: bool,
    /// How many of a hundred requests were slow ones.
    pub percent: u64,
    /// What those asked for.
    pub path: String,
    /// Half of the quick requests waited at most so long.
    pub p50: Estimate,
    /// 99 of 100 of them.
    pub p99: Estimate,
    /// Half of the slow ones; `None` if none of them was to be sent.
    pub slow_p50: Option<Estimate>,
    /// Quick and slow requests that never left, in all rounds.
    pub never_sent: u64,
    /// Failed, short and refused requests of both kinds, in all rounds.
    pub errors: u64,
    /// The limiter of most rounds; of two that are equally frequent the one less in favour of the server.
    pub limiter: Limiter,
    /// How many rounds.
    pub rounds: usize,
}

/// Puts the rounds together, in the order of the servers' names. Skipped points are left out.
pub fn slow(records: &[Record]) -> Vec<SlowPoint> {
    let mut points: BTreeMap<(&str, Option<usize>), Vec<&Record>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.phase == Phase::Slow && !record.dropped) {
        if record.figures.is_some() && record.open_loop.is_some() && record.mix.is_some() {
            points.entry((&record.stage, record.workers)).or_default().push(record);
        }
    }
    points.into_values().filter_map(|records| point(&records)).collect()
}

fn point(records: &[&Record]) -> Option<SlowPoint> {
    let first = *records.first()?;
    let figures = || records.iter().filter_map(|record| record.figures.as_ref());
    let loops: Vec<&OpenLoop> = records.iter().filter_map(|record| record.open_loop.as_ref()).collect();
    let mixes: Vec<&Mix> = records.iter().filter_map(|record| record.mix.as_ref()).collect();
    let estimate = |percentile: fn(&Percentiles) -> u64| {
        Estimate::of(&loops.iter().map(|open| percentile(&open.latency_us) as f64).collect::<Vec<_>>())
    };
    let answered = figures().zip(&mixes).map(|(figures, mix)| {
        figures.requests_per_second + mix.requests as f64 / figures.seconds.max(f64::MIN_POSITIVE)
    });
    let answered: Vec<f64> = answered.collect();
    let reached = loops.iter().zip(&answered).filter(|(open, answered)| open.is_reached(**answered)).count();
    let slow = mixes.iter().filter_map(|mix| mix.latency_us).map(|latency| latency.p50 as f64);
    let errors: u64 = figures().map(|figures| figures.errors).sum();
    let never_sent: u64 = loops.iter().map(|open| open.never_sent).sum();
    Some(SlowPoint {
        stage: first.stage.clone(),
        title: first.title.clone(),
        workers: first.workers,
        clients: first.concurrency,
        rate: median(&loops.iter().map(|open| open.rate).collect::<Vec<_>>())?,
        answered: median(&answered)?,
        reached: 2 * reached > records.len(),
        percent: mixes.first()?.percent,
        path: mixes.first()?.path.clone(),
        p50: estimate(|latency| latency.p50)?,
        p99: estimate(|latency| latency.p99)?,
        slow_p50: Estimate::of(&slow.collect::<Vec<_>>()),
        never_sent: never_sent + mixes.iter().filter_map(|mix| mix.never_sent).sum::<u64>(),
        errors: errors + mixes.iter().map(|mix| mix.errors).sum::<u64>(),
        limiter: usual_limiter(figures())?,
        rounds: records.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::record;

    fn measured(stage: &str, p99: u64) -> Record {
        let percentiles = |p99| Percentiles { p50: p99 / 4, p90: p99 / 2, p99, p99_9: p99, max: p99 };
        let mut record = record(stage, "builtin", 64, true, 190.0);
        record.phase = Phase::Slow;
        let latency_us = percentiles(p99);
        record.open_loop =
            Some(OpenLoop { rate: 200.0, share_of_peak: None, latency_us, late: 0, never_sent: 3 });
        record.mix = Some(Mix {
            percent: 5,
            path: "/sleep/50".into(),
            requests: 10,
            errors: 1,
            never_sent: Some(2),
            latency_us: Some(percentiles(200_000)),
            service_us: None,
        });
        record
    }

    #[test]
    fn the_quick_and_the_slow_ones_are_told_apart() {
        let mut records: Vec<Record> = [400, 800, 100].map(|p99| measured("05", p99)).into();
        records.push(measured("04", 50_000));
        let mut no_mix = measured("06", 1);
        no_mix.mix = None;
        records.push(no_mix);
        let [four, five] = slow(&records).try_into().expect("two servers");
        assert_eq!((four.stage.as_str(), four.p99.median), ("04", 50_000.0));
        assert_eq!((five.p50.median, five.p99.median), (100.0, 400.0));
        assert_eq!(five.p99.interval, Some((100.0, 800.0)));
        assert_eq!(five.slow_p50.map(|slow| slow.median), Some(50_000.0));
        assert_eq!((five.never_sent, five.errors, five.rounds, five.rate), (15, 3, 3, 200.0));
        assert_eq!((five.percent, five.path.as_str()), (5, "/sleep/50"));
        assert_eq!((five.answered, five.reached), (200.0, true), "the slow ones were answered too");
        for record in &mut records {
            record.figures.as_mut().expect("measured").requests_per_second = 170.0;
        }
        assert!(slow(&records).iter().all(|point| !point.reached && point.answered == 180.0));
    }
}
