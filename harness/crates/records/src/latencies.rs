//! How long requests wait at a given share of a server's peak, over all rounds.

use super::rounds::Rounds;
use super::{Bottleneck, Kind, Phase, Record};
use lab_core::stats::Estimate;

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
    /// Whether the rate was reached in more than half of the rounds. If not, the times are lower bounds and
    /// no latencies at this rate: not to be drawn as such.
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
    pub limiter: Bottleneck,
    /// How many rounds.
    pub rounds: usize,
}

/// Puts the records of open loops together, in the order of the servers' names. Skipped and dropped ones are
/// left out.
pub fn latencies(records: &[Record]) -> Vec<LatencyCurve> {
    let mut curves: Vec<LatencyCurve> = Vec::new();
    let key =
        |record: &'_ Record| Some((record.key.server.clone(), per_mille(record.open_loop()?.share_of_peak?)));
    for ((server, share), rounds) in Rounds::by(records, Phase::Latency, key) {
        let first = rounds.first();
        if curves.last().is_none_or(|curve| curve.stage != server) {
            curves.push(LatencyCurve {
                stage: server,
                title: first.key.title.clone(),
                kind: first.context.kind,
                points: Vec::new(),
            });
        }
        let curve = curves.last_mut().expect("it was just made");
        curve.points.extend(point(share as f64 / 1000.0, &rounds));
    }
    curves
}

/// A share that can be compared: 0.7 is not always the same number once it was computed.
fn per_mille(share: f64) -> u64 {
    (share * 1000.0).round() as u64
}

fn point(share_of_peak: f64, rounds: &Rounds) -> Option<LatencyPoint> {
    let (answered, reached) = rounds.answered()?;
    let late: u64 = rounds.open_loops().map(|open| open.late + open.never_sent).sum();
    let sent = rounds.open_loops().zip(rounds.figures()).map(|(open, figures)| open.rate * figures.seconds);
    let intended: f64 = sent.sum();
    Some(LatencyPoint {
        share_of_peak,
        rate: rounds.rate()?,
        answered,
        reached,
        p50: rounds.wait(|latency| latency.p50)?,
        p90: rounds.wait(|latency| latency.p90)?,
        p99: rounds.wait(|latency| latency.p99)?,
        p99_9: rounds.wait(|latency| latency.p99_9)?,
        late_share: if intended > 0.0 { (late as f64 / intended).min(1.0) } else { 0.0 },
        errors: rounds.errors(),
        limiter: rounds.bottleneck()?,
        rounds: rounds.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenLoop, sample};
    use lab_core::stats::Percentiles;

    fn open(stage: &str, share: f64, p99: u64, late: u64) -> Record {
        let latency_us = Percentiles { p50: p99 / 4, p90: p99 / 2, p99, p99_9: 2 * p99, max: 3 * p99 };
        let rate = 1000.0 * share;
        let open_loop = OpenLoop { rate, share_of_peak: Some(share), latency_us, late, never_sent: late };
        sample::open(sample::record(stage, "builtin", 64, true, rate), open_loop)
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
        dropped.context.dropped = true;
        let skipped = sample::skipped(open("05", 0.5, 99, 0), "refused");
        let survey = sample::record("05", "builtin", 64, true, 1.0);
        assert_eq!(latencies(&[dropped, skipped, survey]), []);
    }
}
