//! How long requests wait at a given share of a server's peak, over all rounds.

use super::cells::usual_limiter;
use super::{Kind, Limiter, OpenLoop, Phase, Record};
use lab_core::stats::{Estimate, Percentiles, median};
use std::collections::BTreeMap;

/// The latencies of one server, from little load to much.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyCurve {
    /// The server.
    pub stage: String,
    /// Its title.
    pub title: String,
    /// What it is to the lab.
    pub kind: Kind,
    /// In ascending order of the share.
    pub points: Vec<LatencyPoint>,
}

/// The rounds at one share of the peak. Latencies are in µs, from the intended time of sending.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyPoint {
    /// The rate over the peak that a closed loop found.
    pub share_of_peak: f64,
    /// Median of the requests per second that were to be sent.
    pub rate: f64,
    /// Median of the right answers per second.
    pub answered: f64,
    /// Whether the rate was reached in more than half of the rounds. If not, the times are lower bounds and no latencies at
    /// this rate: not to be drawn as such.
    pub reached: bool,
    /// Half of the requests waited at most so long.
    pub p50: Estimate,
    /// Nine of ten.
    pub p90: Estimate,
    /// 99 of 100.
    pub p99: Estimate,
    /// 999 of 1,000.
    pub p99_9: Estimate,
    /// Requests that left late or never over those that should have left: how far the open loop was not one.
    pub late_share: f64,
    /// Failed, short and refused requests in all rounds. They are in no percentile.
    pub errors: u64,
    /// The limiter of most rounds; of two that are equally frequent the one less in favour of the server.
    pub limiter: Limiter,
    /// How many rounds.
    pub rounds: usize,
}

/// Puts the records of open loops together, in the order of the servers' names. Skipped and dropped ones are left out.
pub fn latencies(records: &[Record]) -> Vec<LatencyCurve> {
    let mut servers: BTreeMap<&str, BTreeMap<u64, Vec<&Record>>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.phase == Phase::Latency && !record.dropped) {
        let share = record.open_loop.and_then(|open_loop| open_loop.share_of_peak);
        if let (Some(share), Some(_)) = (share, &record.figures) {
            let points = servers.entry(&record.stage).or_default();
            points.entry(per_mille(share)).or_default().push(record);
        }
    }
    let curve = |(stage, points): (&str, BTreeMap<u64, Vec<&Record>>)| {
        let first = *points.values().next()?.first()?;
        Some(LatencyCurve {
            stage: stage.to_owned(),
            title: first.title.clone(),
            kind: first.kind,
            points: points.into_values().filter_map(|records| point(&records)).collect(),
        })
    };
    servers.into_iter().filter_map(curve).collect()
}

/// A share that can be compared: 0.7 is not always the same number once it was computed.
fn per_mille(share: f64) -> u64 {
    (share * 1000.0).round() as u64
}

fn point(records: &[&Record]) -> Option<LatencyPoint> {
    let loops: Vec<&OpenLoop> = records.iter().filter_map(|record| record.open_loop.as_ref()).collect();
    let figures = || records.iter().filter_map(|record| record.figures.as_ref());
    let estimate = |percentile: fn(&Percentiles) -> u64| {
        let values: Vec<f64> = loops.iter().map(|open| percentile(&open.latency_us) as f64).collect();
        Estimate::of(&values)
    };
    let rates: Vec<f64> = loops.iter().map(|open| open.rate).collect();
    let answered: Vec<f64> = figures().map(|figures| figures.requests_per_second).collect();
    let reached = loops.iter().zip(&answered).filter(|(open, answered)| open.is_reached(**answered)).count();
    let late: u64 = loops.iter().map(|open| open.late + open.never_sent).sum();
    let intended: f64 = loops.iter().zip(figures()).map(|(open, figures)| open.rate * figures.seconds).sum();
    Some(LatencyPoint {
        share_of_peak: per_mille(loops.first()?.share_of_peak?) as f64 / 1000.0,
        rate: median(&rates)?,
        answered: median(&answered)?,
        reached: 2 * reached > records.len(),
        p50: estimate(|latency| latency.p50)?,
        p90: estimate(|latency| latency.p90)?,
        p99: estimate(|latency| latency.p99)?,
        p99_9: estimate(|latency| latency.p99_9)?,
        late_share: if intended > 0.0 { (late as f64 / intended).min(1.0) } else { 0.0 },
        errors: figures().map(|figures| figures.errors).sum(),
        limiter: usual_limiter(figures())?,
        rounds: records.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::record;

    fn open(stage: &str, share: f64, p99: u64, late: u64) -> Record {
        let latency_us = Percentiles { p50: p99 / 4, p90: p99 / 2, p99, p99_9: 2 * p99, max: 3 * p99 };
        let mut record = record(stage, "builtin", 64, true, 1000.0 * share);
        record.phase = Phase::Latency;
        let rate = 1000.0 * share;
        record.open_loop =
            Some(OpenLoop { rate, share_of_peak: Some(share), latency_us, late, never_sent: late });
        record
    }

    #[test]
    fn rounds_at_one_share_become_one_point_of_the_servers_curve() {
        let mut records = Vec::new();
        for p99 in [400, 800, 100] {
            records.push(open("05", 0.9, 10 * p99, 9));
            records.push(open("05", 0.1 + 0.4, p99, 0));
            records.push(open("04", 0.5, p99, 0));
        }
        let curves = latencies(&records);
        assert_eq!(curves.iter().map(|curve| curve.stage.as_str()).collect::<Vec<_>>(), ["04", "05"]);
        let [half, most] = curves[1].points.as_slice() else { panic!("two shares: {curves:?}") };
        assert_eq!((half.share_of_peak, half.rate, half.rounds), (0.5, 500.0, 3));
        assert_eq!((half.p99.median, half.p99.interval), (400.0, Some((100.0, 800.0))));
        assert_eq!((most.share_of_peak, most.p99.median, most.p99_9.median), (0.9, 4000.0, 8000.0));
        assert!((most.late_share - 0.02).abs() < 1e-9, "late and never sent, of 900: {most:?}");
    }

    #[test]
    fn only_what_was_measured_in_an_open_loop_is_a_latency() {
        let mut dropped = open("05", 0.5, 99, 0);
        dropped.dropped = true;
        let mut skipped = open("05", 0.5, 99, 0);
        (skipped.figures, skipped.open_loop) = (None, None);
        let survey = record("05", "builtin", 64, true, 1.0);
        assert_eq!(latencies(&[dropped, skipped, survey]), []);
    }
}
