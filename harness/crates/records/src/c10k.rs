//! Active clients at a fixed rate beside silent connections: what those cost, over all rounds.

use super::latencies::{LatencyPoint, point};
use super::rounds::Rounds;
use super::{Beside, Kind, Phase, Record};
use lab_core::stats::{Estimate, median};

/// One server with one number of silent connections.
#[derive(Clone, Debug, PartialEq)]
pub struct C10kPoint {
    /// The server.
    pub stage: String,
    /// Its title.
    pub title: String,
    /// What it is to the lab.
    pub kind: Kind,
    /// Active clients.
    pub clients: usize,
    /// Silent connections beside them.
    pub idle: usize,
    /// How long the active clients' requests waited, and whether the rate was reached.
    pub latency: LatencyPoint,
    /// Server CPU time per right answer, µs.
    pub cpu_us_per_request: Option<Estimate>,
    /// What the silent connections added to the server's Pss, each, bytes; `None` without any.
    pub user_bytes: Option<f64>,
    /// What each added to the kernel's memory, both of its ends, bytes; `None` where it cannot be read.
    pub kernel_bytes: Option<f64>,
}

/// Puts the rounds together, in the order of the servers' names and of the numbers of silent connections.
pub fn c10k(records: &[Record]) -> Vec<C10kPoint> {
    let key = |record: &'_ Record| record.latency().map(|_| (record.key.server.clone(), record.key.idle));
    let points = Rounds::by(records, Phase::C10k, key).into_values();
    points
        .filter_map(|rounds| {
            let Record { key, context, .. } = rounds.first();
            let each = |bytes: fn(&Beside) -> Option<u64>| {
                let beside = rounds.iter().filter_map(|record| record.latency()?.beside.as_ref());
                let each = beside.filter(|beside| beside.connections > 0);
                let each = each.filter_map(|beside| Some(bytes(beside)? as f64 / beside.connections as f64));
                median(&each.collect::<Vec<_>>())
            };
            Some(C10kPoint {
                stage: key.server.clone(),
                title: key.title.clone(),
                kind: context.kind,
                clients: key.concurrency,
                idle: key.idle.unwrap_or(0),
                latency: point(&rounds)?,
                cpu_us_per_request: rounds.estimate(|figures| figures.cpu_us_per_request),
                user_bytes: each(|beside| Some(beside.user_bytes)),
                kernel_bytes: each(|beside| beside.kernel_bytes),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenLoop, Outcome, sample};
    use lab_core::stats::Percentiles;

    #[test]
    fn the_memory_of_silent_connections_is_told_for_each() {
        let latency_us = Percentiles { p50: 1, p90: 2, p99: 3, p99_9: 4, max: 5 };
        let open =
            OpenLoop { rate: 100.0, share_of_peak: None, latency_us, over_5ms: None, late: 0, never_sent: 0 };
        let at = |idle: usize, user_bytes, kernel_bytes| {
            let mut record = sample::open(sample::record("04", "builtin", 64, true, 100.0), open);
            (record.key.phase, record.key.idle) = (Phase::C10k, Some(idle));
            let Outcome::Latency(latency) = &mut record.outcome else { panic!("it is an open loop") };
            latency.beside =
                Some(Beside { connections: idle, user_bytes, kernel_bytes, kernel_source: None });
            record
        };
        let records = [at(0, 0, None), at(1000, 100_000, Some(4_000_000)), at(1000, 300_000, None)];
        let [none, thousand] = c10k(&records).try_into().expect("two numbers of connections");
        assert_eq!((none.idle, none.user_bytes, none.kernel_bytes), (0, None, None));
        assert_eq!(
            (thousand.idle, thousand.user_bytes, thousand.kernel_bytes),
            (1000, Some(200.0), Some(4000.0))
        );
        assert_eq!((thousand.latency.rounds, thousand.latency.p99.median), (2, 3.0));
    }
}
