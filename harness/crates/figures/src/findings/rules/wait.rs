//! How long requests wait: behind slow ones, and under more and more load.

use super::words::idea;
use super::{Finding, finding, is_stage, of_server, sample, servers, sorted};
use crate::figures::{Data, Line, latency, slow};
use lab_core::units::{number, time};
use records::{Phase, Record};
use std::collections::BTreeSet;

/// How many quick requests wait behind slow ones.
pub(super) fn waits(data: &Data) -> Option<Finding> {
    let lines = data.of(&[Phase::Slow]);
    let lines: Vec<Line> = lines.into_iter().filter(|line| latency::is_reached(line.record)).collect();
    let share = |server| {
        let shares = sample(&of_server(&lines, server), slow::over_5ms);
        Some((server, shares.median()?, shares.interval()?))
    };
    let all = sorted(servers(&lines).into_iter().filter_map(share), |(_, share, _)| *share);
    let ((good, least, low), (bad, most, high)) = (all.first()?, all.last()?);
    (high.low > low.high).then_some(())?;
    let text = format!(
        "Of the quick requests beside slow ones, {:.0} % wait longer than 5 ms in {} ({bad}), {:.1} % in {} \
         ({good}).",
        100.0 * most,
        idea(bad),
        100.0 * least,
        idea(good)
    );
    finding("slow", text)
}

/// The highest rate at which the whole interval of p99 is below the limit, by server.
pub(super) fn knee(data: &Data) -> Option<Finding> {
    let lines = data.in_one_state(data.of(&[Phase::Latency]));
    let lines: Vec<Line> = lines.into_iter().filter(|line| line.record.key.path != "/").collect();
    let rate = |record: &Record| record.open_loop().map_or(0, |open| open.rate.round() as u64);
    let holds = |server: &str, at: u64| {
        let its: Vec<Line> = of_server(&lines, server).into_iter().filter(|l| rate(l.record) == at).collect();
        let reached = !its.is_empty() && its.iter().all(|line| latency::is_reached(line.record));
        let p99 = sample(&its, |record| Some(record.open_loop()?.latency_us.p99 as f64));
        reached && p99.interval().is_some_and(|interval| interval.high < latency::LIMIT)
    };
    let limit = |server: &str| {
        let rates: BTreeSet<u64> = of_server(&lines, server).iter().map(|line| rate(line.record)).collect();
        rates.into_iter().take_while(|rate| holds(server, *rate)).last()
    };
    let stages = servers(&lines).into_iter().filter(is_stage);
    let all = sorted(stages.filter_map(|server| Some((server, limit(server)?))), |(_, rate)| *rate as f64);
    let ((bad, least), (good, most)) = (*all.first()?, *all.last()?);
    let path = &lines.first()?.record.key.path;
    (most > least).then_some(())?;
    let text = format!(
        "With GET {path}, {} ({good}) keeps p99 below {} up to {} requests per second, {} ({bad}) up to {}.",
        idea(good),
        time(latency::LIMIT),
        number(most as f64),
        idea(bad),
        number(least as f64)
    );
    finding("latency", text)
}

#[cfg(test)]
mod tests {
    use super::super::invented::{around, contains, says};
    use super::*;
    use lab_core::stats::Percentiles;
    use records::sample::{open, record};
    use records::{Mix, OpenLoop, Outcome};

    fn slow_of(server: &str, over: f64, apart: f64) -> Vec<Record> {
        let latency_us = Percentiles { p50: 1, p90: 1, p99: 1, p99_9: 1, max: 1 };
        let one = |over: f64| {
            let over_5ms = Some(over as u64);
            let sent =
                OpenLoop { rate: 1000.0, share_of_peak: None, latency_us, over_5ms, late: 0, never_sent: 0 };
            let mut one = open(record(server, "builtin", 64, true, 1000.0), sent);
            one.key.phase = Phase::Slow;
            let Outcome::Latency(latency) = &mut one.outcome else { panic!("an open loop") };
            latency.mix = Some(Mix {
                percent: 5,
                path: "/sleep/50".into(),
                requests: 50,
                errors: 0,
                never_sent: None,
                latency_us: None,
                service_us: None,
            });
            one
        };
        around(over, apart).map(one).collect()
    }

    #[test]
    fn waits_behind_slow_requests_are_told_if_the_intervals_are_apart() {
        contains(
            says(waits, [slow_of("04", 400.0, 1.0), slow_of("09", 20.0, 1.0)].concat()),
            &["40 % wait longer than 5 ms in an event loop (04)", "2.0 % in processes with a loop each (09)"],
        );
        assert_eq!(says(waits, [slow_of("04", 400.0, 20.0), slow_of("09", 390.0, 20.0)].concat()), None);
        assert_eq!(says(waits, slow_of("04", 400.0, 1.0)), None, "one server alone");
        assert_eq!(says(waits, Vec::new()), None);
        let mut older = [slow_of("04", 400.0, 1.0), slow_of("09", 20.0, 1.0)].concat();
        for record in &mut older {
            let Outcome::Latency(latency) = &mut record.outcome else { panic!("an open loop") };
            latency.open_loop.over_5ms = None;
        }
        assert_eq!(says(waits, older), None, "records of before they were counted");
    }

    fn wait_of(server: &str, rate: f64, p99: f64, apart: f64) -> Vec<Record> {
        let one = |p99: f64| {
            let latency_us = Percentiles { p50: 1, p90: 1, p99: p99 as u64, p99_9: 1, max: 1 };
            let sent =
                OpenLoop { rate, share_of_peak: None, latency_us, over_5ms: None, late: 0, never_sent: 0 };
            let mut one = open(record(server, "builtin", 64, true, rate), sent);
            one.key.path = "/spin/50".into();
            one
        };
        around(p99, apart).map(one).collect()
    }

    #[test]
    fn a_knee_is_told_if_the_whole_interval_is_below_the_limit() {
        let of = |p99: f64, apart: f64| {
            let (four, ten) = (wait_of("04", 1e4, 300.0, 1.0), wait_of("10", 1e4, 300.0, 1.0));
            says(knee, [four, wait_of("04", 2e4, 5000.0, 1.0), ten, wait_of("10", 2e4, p99, apart)].concat())
        };
        contains(
            of(500.0, 1.0),
            &["a listener per thread (10)", "up to 20,000 requests", "an event loop (04) up to 10,000"],
        );
        assert_eq!(of(950.0, 5.0), None, "the interval holds the limit");
        assert_eq!(says(knee, wait_of("04", 1e4, 300.0, 1.0)), None, "one server alone");
        assert_eq!(says(knee, Vec::new()), None);
    }
}
