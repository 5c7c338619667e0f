//! How long requests wait at fixed rates, over all rounds: the same rates for every server, or shares of each
//! server's own peak.

use super::rounds::Rounds;
use super::{Bottleneck, Key, Kind, Phase, Record};
use lab_core::stats::{Estimate, median};

/// The latencies of one server and path, from little load to much.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyCurve {
    /// The server.
    pub stage: String,
    /// Its title.
    pub title: String,
    /// What it is to the lab.
    pub kind: Kind,
    /// What was asked for.
    pub path: String,
    /// In ascending order of the rate.
    pub points: Vec<LatencyPoint>,
}

/// The rounds at one rate. Latencies are in µs, from the intended time of sending.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyPoint {
    /// The rate over the peak that a closed loop found; `None` where the rate is the same for every server.
    pub share_of_peak: Option<f64>,
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
    /// Median share of its CPUs that the server used; `None` for a server on another host.
    pub server_share: Option<f64>,
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
    let key = |record: &'_ Record| {
        let open = record.open_loop()?;
        // A number that can be compared: 0.7 is not always the same once it was computed.
        let rate = (open.share_of_peak.unwrap_or(open.rate) * 1000.0).round() as u64;
        let Key { server, path, .. } = &record.key;
        Some((server.clone(), path.clone(), open.share_of_peak.is_some(), rate))
    };
    for ((stage, path, ..), rounds) in Rounds::by(records, Phase::Latency, key) {
        let first = rounds.first();
        if curves.last().is_none_or(|curve| (&curve.stage, &curve.path) != (&stage, &path)) {
            let (title, kind) = (first.key.title.clone(), first.context.kind);
            curves.push(LatencyCurve { stage, title, kind, path, points: Vec::new() });
        }
        let curve = curves.last_mut().expect("it was just made");
        curve.points.extend(point(&rounds));
    }
    curves
}

pub(crate) fn point(rounds: &Rounds) -> Option<LatencyPoint> {
    let (answered, reached) = rounds.answered()?;
    let late: u64 = rounds.open_loops().map(|open| open.late + open.never_sent).sum();
    let sent = rounds.open_loops().zip(rounds.figures()).map(|(open, figures)| open.rate * figures.seconds);
    let intended: f64 = sent.sum();
    let shares = rounds.iter().filter_map(|record| Some(record.figures()?.shares(record.cpus()?).0));
    Some(LatencyPoint {
        share_of_peak: rounds.open_loops().next()?.share_of_peak,
        rate: rounds.rate()?,
        answered,
        reached,
        p50: rounds.wait(|latency| latency.p50)?,
        p90: rounds.wait(|latency| latency.p90)?,
        p99: rounds.wait(|latency| latency.p99)?,
        p99_9: rounds.wait(|latency| latency.p99_9)?,
        late_share: if intended > 0.0 { (late as f64 / intended).min(1.0) } else { 0.0 },
        server_share: median(&shares.collect::<Vec<_>>()),
        errors: rounds.errors(),
        limiter: rounds.bottleneck()?,
        rounds: rounds.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenLoop, Outcome, sample};
    use lab_core::stats::Percentiles;

    fn open(stage: &str, share: f64, p99: u64, late: u64) -> Record {
        let latency_us = Percentiles { p50: p99 / 4, p90: p99 / 2, p99, p99_9: 2 * p99, max: 3 * p99 };
        let rate = 1000.0 * share;
        let open_loop =
            OpenLoop { rate, share_of_peak: Some(share), latency_us, over_5ms: None, late, never_sent: late };
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
        assert_eq!((half.share_of_peak, half.rate, half.rounds), (Some(0.5), 500.0, 3));
        assert_eq!((half.p99.median, half.p99.interval), (400.0, Some((100.0, 800.0))));
        assert_eq!((most.share_of_peak, most.p99.median, most.p99_9.median), (Some(0.9), 4000.0, 8000.0));
        assert!((most.late_share - 0.02).abs() < 1e-9, "late and never sent, of 900: {most:?}");
    }

    #[test]
    fn a_rate_that_is_the_same_for_all_servers_is_a_point_of_each_paths_curve() {
        let mut records = Vec::new();
        for (rate, path) in [(800.0, "/spin/50"), (400.0, "/spin/50"), (400.0, "/")] {
            let mut record = open("05", rate / 1000.0, 100, 0);
            record.key.path = path.into();
            let Outcome::Latency(latency) = &mut record.outcome else { panic!("it is an open loop") };
            latency.open_loop.share_of_peak = None;
            records.push(record);
        }
        let curves = latencies(&records);
        let rates = |at: usize| curves[at].points.iter().map(|point| point.rate).collect::<Vec<_>>();
        assert_eq!((curves[0].path.as_str(), rates(0)), ("/", vec![400.0]));
        assert_eq!((curves[1].path.as_str(), rates(1)), ("/spin/50", vec![400.0, 800.0]));
        assert_eq!(curves[1].points[0].server_share, Some(1.0), "a second of CPU time in a second");
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
