//! Invented records, for the tests of the rules.

use super::Rule;
use crate::figures::{Data, Source};
use records::Record;
use records::sample::{paired, record};
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
