//! What the probes found.

use super::words::idea;
use super::{Finding, finding};
use crate::figures::Data;
use std::collections::BTreeSet;

/// Designs that idle clients starve. A probe is no measurement with a spread: it starves or it does not.
pub(super) fn starved(data: &Data) -> Option<Finding> {
    const PROBE: &str = "idle-holders";
    let (grades, _) = data.grades();
    let outcome = |grade: &&records::Grade, word: &str| {
        let probed = grade.probes.iter().find(|probed| probed.probe == PROBE);
        grade.options.is_empty()
            && !grade.name.is_empty()
            && probed.is_some_and(|p| p.outcome.starts_with(word))
    };
    let with = |word: &str| {
        let names = grades.iter().filter(|grade| outcome(grade, word)).map(|grade| grade.name.as_str());
        names.collect::<BTreeSet<_>>()
    };
    let (starved, passed) = (with("starved"), with("pass"));
    if starved.is_empty() || passed.is_empty() {
        return None;
    }
    let names: Vec<String> = starved.iter().map(|name| format!("{} ({name})", idea(name))).collect();
    let text = format!(
        "Idle clients that keep their connections starve {}; {} other designs serve the next client beside \
         them.",
        names.join(" and "),
        passed.len()
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

    #[test]
    fn starving_is_told_if_some_starve_and_some_do_not() {
        let grade = |name: &str, outcome: &str| Grade {
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
                probe: "idle-holders".into(),
                outcome: outcome.into(),
                expected: outcome.into(),
                seconds: 0.0,
                detail: String::new(),
                surprise: false,
            }],
            host: record("04", "wrk", 1, true, 1.0).context.host,
        };
        let of = |grades: Vec<Grade>| {
            let sources = [Source { grades, ..Source::default() }];
            starved(&Data::new(&sources, Path::new("."))).map(|finding| finding.text)
        };
        contains(
            of(vec![grade("03", "starved"), grade("04", "pass")]),
            &["starve a pool of threads (03)", "1 other"],
        );
        assert_eq!(of(vec![grade("03", "pass"), grade("04", "pass")]), None);
    }
}
