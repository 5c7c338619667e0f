//! What the probes found.

use super::words::idea;
use super::{Finding, finding};
use crate::figures::Data;
use lab_core::units::count;
use std::collections::BTreeSet;

/// Who starves in a probe and who passes it, by name. A probe is no measurement with a spread: it starves or
/// it does not.
pub(super) fn outcomes<'a>(data: &Data<'a>, probe: &str) -> [BTreeSet<&'a str>; 2] {
    let (grades, _) = data.grades();
    ["starved", "pass"].map(|word| {
        let has = |grade: &&&records::Grade| {
            let probed = grade.probes.iter().find(|probed| probed.probe == probe);
            let is_stage = grade.options.is_empty() && !grade.name.is_empty();
            is_stage && probed.is_some_and(|probed| probed.outcome.starts_with(word))
        };
        grades.iter().filter(has).map(|grade| grade.name.as_str()).collect()
    })
}

fn ideas(names: &BTreeSet<&str>, between: &str) -> String {
    names.iter().map(|name| format!("{} ({name})", idea(name))).collect::<Vec<_>>().join(between)
}

/// Designs that idle clients starve.
pub(super) fn starved(data: &Data) -> Option<Finding> {
    let [starved, passed] = outcomes(data, "idle-holders");
    if starved.is_empty() || passed.is_empty() {
        return None;
    }
    // A twin is no design of its own.
    let others = passed.iter().filter(|name| !name.contains('-')).count();
    let text = format!(
        "Idle clients that keep their connections starve {}, where a loop or a thread waits for each of \
         them: the next client gets no answer. {} {} it.",
        ideas(&starved, " and "),
        count(others, "other design"),
        if others == 1 { "serves" } else { "serve" }
    );
    finding("probes", text)
}

/// Designs in which a slow request keeps other clients waiting.
pub(super) fn delayed(data: &Data) -> Option<Finding> {
    let [delayed, passed] = outcomes(data, "fast-beside-slow");
    if delayed.is_empty() || passed.is_empty() {
        return None;
    }
    let text = format!(
        "A quick request is answered beside a slow one in {}; in {} it can wait for the slow one's end.",
        ideas(&passed, ", "),
        delayed.into_iter().collect::<Vec<_>>().join(", ")
    );
    finding("probes", text)
}

#[cfg(test)]
mod tests {
    use super::super::invented::contains;
    use super::*;
    use crate::figures::Source;
    use records::sample::record;
    use records::{Grade, Probed};
    use std::path::Path;

    fn grade(name: &str, probe: &str, outcome: &str) -> Grade {
        Grade {
            stage: name.into(),
            name: name.into(),
            title: String::new(),
            options: Vec::new(),
            binary_hash: None,
            commit: None,
            started_at: String::new(),
            planned: 1,
            surprises: 0,
            failure: None,
            points: None,
            probes: vec![Probed {
                probe: probe.into(),
                outcome: outcome.into(),
                expected: outcome.into(),
                seconds: 0.0,
                detail: String::new(),
                surprise: false,
                evidence: None,
            }],
            host: record("04", "wrk", 1, true, 1.0).context.host,
        }
    }

    fn says(rule: fn(&Data) -> Option<Finding>, grades: Vec<Grade>) -> Option<String> {
        let sources = [Source { grades, ..Source::default() }];
        rule(&Data::new(&sources, Path::new("."))).map(|finding| finding.text)
    }

    #[test]
    fn starving_is_told_if_some_starve_and_some_do_not() {
        let of = |outcomes: &[(&str, &str)]| {
            says(starved, outcomes.iter().map(|(name, end)| grade(name, "idle-holders", end)).collect())
        };
        contains(
            of(&[("03", "starved"), ("04", "pass")]),
            &["starve a pool of threads (03)", "1 other design serves"],
        );
        assert_eq!(of(&[("03", "pass"), ("04", "pass")]), None);
        assert_eq!(of(&[("03", "starved")]), None, "nobody is known to do better");
        assert_eq!(of(&[]), None);
        assert_eq!(
            says(starved, vec![grade("03", "another", "starved"), grade("04", "another", "pass")]),
            None
        );
    }

    #[test]
    fn waiting_behind_a_slow_request_is_told_if_some_do_not() {
        let of = |outcomes: &[(&str, &str)]| {
            says(delayed, outcomes.iter().map(|(name, end)| grade(name, "fast-beside-slow", end)).collect())
        };
        contains(
            of(&[("04", "starved"), ("06", "pass")]),
            &["handing requests to workers (06)", "in 04 it can wait"],
        );
        assert_eq!(of(&[("04", "pass"), ("06", "pass")]), None);
        assert_eq!(of(&[("04", "starved")]), None);
        assert_eq!(of(&[]), None);
    }
}
