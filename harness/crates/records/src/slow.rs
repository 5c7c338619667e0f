//! Quick requests at a fixed rate while a few others sleep: how long the quick ones wait, over all rounds.

use super::rounds::Rounds;
use super::{Bottleneck, Phase, Record};
use lab_core::stats::Estimate;

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
    /// Whether the rate was reached in more than half of the rounds. If not, the times are lower bounds and
    /// no latencies at this rate: not to be drawn as such.
    pub reached: bool,
    /// How many of a hundred requests were slow ones.
    pub percent: u64,
    /// What those asked for.
    pub path: String,
    /// Half of the quick requests waited at most so long.
    pub p50: Estimate,
    /// Nine of ten of them.
    pub p90: Estimate,
    /// 99 of 100 of them.
    pub p99: Estimate,
    /// The share of the quick requests that took longer than 5 ms or never left; `None` where it was not
    /// counted.
    pub over_5ms: Option<Estimate>,
    /// Half of the slow ones; `None` if none of them was to be sent.
    pub slow_p50: Option<Estimate>,
    /// Quick and slow requests that never left, in all rounds.
    pub never_sent: u64,
    /// Failed, short and refused requests of both kinds, in all rounds.
    pub errors: u64,
    /// The limiter of most rounds; of two that are equally frequent the one less in favour of the server.
    pub limiter: Bottleneck,
    /// How many rounds.
    pub rounds: usize,
}

/// Puts the rounds together, in the order of the servers' names. Skipped points are left out.
pub fn slow(records: &[Record]) -> Vec<SlowPoint> {
    let key = |record: &'_ Record| record.mix().map(|_| (record.key.server.clone(), record.key.workers));
    Rounds::by(records, Phase::Slow, key).into_values().filter_map(|rounds| point(&rounds)).collect()
}

fn point(rounds: &Rounds) -> Option<SlowPoint> {
    let first = rounds.first();
    let mixes = || rounds.iter().filter_map(Record::mix);
    let slow = mixes().filter_map(|mix| mix.latency_us).map(|latency| latency.p50 as f64);
    let never_sent: u64 = rounds.open_loops().map(|open| open.never_sent).sum();
    let (answered, reached) = rounds.answered()?;
    Some(SlowPoint {
        stage: first.key.server.clone(),
        title: first.key.title.clone(),
        workers: first.key.workers,
        clients: first.key.concurrency,
        rate: rounds.rate()?,
        answered,
        reached,
        percent: first.mix()?.percent,
        path: first.mix()?.path.clone(),
        p50: rounds.wait(|latency| latency.p50)?,
        p90: rounds.wait(|latency| latency.p90)?,
        p99: rounds.wait(|latency| latency.p99)?,
        over_5ms: Estimate::of(&rounds.iter().filter_map(share_over_5ms).collect::<Vec<_>>()),
        slow_p50: Estimate::of(&slow.collect::<Vec<_>>()),
        never_sent: never_sent + mixes().filter_map(|mix| mix.never_sent).sum::<u64>(),
        errors: rounds.errors(),
        limiter: rounds.bottleneck()?,
        rounds: rounds.len(),
    })
}

/// Those that never left are in the latencies with the time that they had waited.
fn share_over_5ms(record: &Record) -> Option<f64> {
    let (figures, open) = record.figures().zip(record.open_loop())?;
    Some(open.over_5ms? as f64 / ((figures.requests + open.never_sent) as f64).max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mix, OpenLoop, Outcome, sample};
    use lab_core::stats::Percentiles;

    fn mix_of(record: &mut Record) -> &mut Option<Mix> {
        let Outcome::Latency(latency) = &mut record.outcome else { panic!("it is an open loop") };
        &mut latency.mix
    }

    fn measured(stage: &str, p99: u64) -> Record {
        let percentiles = |p99| Percentiles { p50: p99 / 4, p90: p99 / 2, p99, p99_9: p99, max: p99 };
        let latency_us = percentiles(p99);
        let over_5ms = Some(p99 / 10);
        let open_loop =
            OpenLoop { rate: 200.0, share_of_peak: None, latency_us, over_5ms, late: 0, never_sent: 3 };
        let mut record = sample::open(sample::record(stage, "builtin", 64, true, 190.0), open_loop);
        record.key.phase = Phase::Slow;
        mix_of(&mut record).replace(Mix {
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
        mix_of(&mut no_mix).take();
        records.push(no_mix);
        let [four, five] = slow(&records).try_into().expect("two servers");
        assert_eq!((four.stage.as_str(), four.p99.median), ("04", 50_000.0));
        assert_eq!((five.p50.median, five.p99.median), (100.0, 400.0));
        assert_eq!(five.p99.interval, Some((100.0, 800.0)));
        assert_eq!(five.p90.median, 200.0);
        assert_eq!(five.over_5ms.map(|share| share.median), Some(40.0 / 193.0));
        assert_eq!(five.slow_p50.map(|slow| slow.median), Some(50_000.0));
        assert_eq!((five.never_sent, five.errors, five.rounds, five.rate), (15, 3, 3, 200.0));
        assert_eq!((five.percent, five.path.as_str()), (5, "/sleep/50"));
        assert_eq!((five.answered, five.reached), (200.0, true), "the slow ones were answered too");
        for record in &mut records {
            record.figures_mut().expect("measured").requests_per_second = 170.0;
        }
        assert!(slow(&records).iter().all(|point| !point.reached && point.answered == 180.0));
    }
}
