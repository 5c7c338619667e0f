//! Invented records, for the tests of the rules.

use super::Rule;
use crate::figures::{Data, Source};
use lab_core::stats::Percentiles;
use records::sample::{open, paired, record};
use records::{Mix, OpenLoop, Outcome, Phase, Record};
use std::path::Path;

/// What a rule says of these records.
pub(super) fn says(rule: Rule, records: Vec<Record>) -> Option<String> {
    let sources = [Source { records, ..Source::default() }];
    rule(&Data::new(&sources, Path::new("."))).map(|finding| finding.text)
}

/// Seven rounds around a value, this many per cent apart.
pub(super) fn around(value: f64, apart: f64) -> impl Iterator<Item = f64> {
    (-3..=3).map(move |round| value * (1.0 + f64::from(round) * apart / 100.0))
}

/// Pairs of a server whose request costs so many times the floor's.
pub(super) fn pairs(server: &str, ratio: f64, apart: f64) -> Vec<Record> {
    let pair = |ratio: f64| paired(record(server, "builtin", 64, true, 1e6 / (10.0 * ratio)), [10.0, 10.0]);
    around(ratio, apart).map(pair).collect()
}

/// The floor and some servers.
pub(super) fn costs_of(servers: &[(&str, f64)], apart: f64) -> Vec<Record> {
    let floor = pairs("floor", 1.0, 0.1);
    servers.iter().flat_map(|(server, ratio)| pairs(server, *ratio, apart)).chain(floor).collect()
}

pub(super) fn contains(text: Option<String>, words: &[&str]) {
    let text = text.expect("the rule speaks");
    words.iter().for_each(|word| assert!(text.contains(word), "{word}: {text}"));
}

/// Rounds in which so many of a thousand quick requests waited, behind slow ones.
pub(super) fn slow_of(server: &str, over: f64, apart: f64) -> Vec<Record> {
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
