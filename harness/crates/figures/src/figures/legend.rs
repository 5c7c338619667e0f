//! What stands below a figure: what its markers mean, and what is missing and why.

use super::data::{Line, is_measured};
use crate::model::{Marker, Points};
use std::collections::{BTreeMap, BTreeSet};

/// So many letters of a reason stand on a figure: a server's last words may be a page long.
const REASON: usize = 260;

/// `Not measured: 01 (it serves one client at a time).`: the servers whose every record was skipped.
pub(super) fn skipped(lines: &[Line]) -> String {
    let mut reasons: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for line in lines {
        let server = line.record.key.server.as_str();
        let is_there =
            || lines.iter().any(|other| other.record.key.server == server && is_measured(other.record));
        let Some(reason) = line.record.skipped().filter(|_| !is_there()) else { continue };
        reasons.entry(self::reason(reason)).or_default().insert(server);
    }
    let names = |servers: BTreeSet<&str>| servers.into_iter().collect::<Vec<_>>().join(", ");
    let words =
        reasons.into_iter().map(|(reason, servers)| format!("Not measured: {} ({reason}).", names(servers)));
    words.collect::<Vec<_>>().join(" ")
}

/// What the markers that are among these points mean, in one paragraph. Only a speed has a limit: a cost, or
/// what was published, beside it is filled and says nothing of one.
pub(super) fn legend(points: &Points, hollow: &str) -> String {
    let drawn = points.drawn();
    let shown = || points.points.iter().filter(|point| drawn.contains(&point.panel) && point.is_drawn());
    let limited = |word: &str| {
        let has = |note: &String| {
            note.contains(&format!("limit: {word}")) || note.contains(&format!("limit: the {word}"))
        };
        shown().filter(|point| point.note.as_ref().is_some_and(has)).count()
    };
    let counts = ["generator", "both", "neither"].map(|word| (word, limited(word)));
    let (filled, others) = (limited("server"), counts.iter().map(|(_, count)| count).sum::<usize>());
    let mut words = Vec::new();
    if others > 0 && !hollow.is_empty() {
        let counts = counts.iter().filter(|(_, count)| *count > 0);
        let counts: Vec<String> = counts.map(|(word, count)| format!("{word}: {count}")).collect();
        words.push(format!(
            "Filled ({filled} of {}): the server was the limit. Hollow: it was not ({}). {hollow}",
            filled + others,
            counts.join(", "),
        ));
    }
    if shown().any(|point| point.marker == Marker::Cross) {
        words.push("Cross: some of the clients got no answer at all.".into());
    }
    words.join(" ")
}

/// Why a point was skipped, as figures say it.
pub(super) fn reason(of_record: &str) -> String {
    let reason = without_figures(of_record);
    match after_count(reason) {
        Some(what) => cut(&format!("not all {what}")),
        None => cut(reason),
    }
}

/// What a count is of: `clients are served` of `1 of 64 clients are served`.
fn after_count(text: &str) -> Option<&str> {
    let is_number = |word: &str| word.parse::<u64>().is_ok();
    let (part, rest) = text.split_once(" of ")?;
    let (whole, what) = rest.split_once(' ')?;
    (is_number(part) && is_number(whole)).then_some(what)
}

fn cut(reason: &str) -> String {
    match reason.char_indices().nth(REASON) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.to_owned(),
    }
}

/// A reason may end with figures of the one point, `…: 1 of 64 clients are served`, which would set points
/// apart that lack the same. Anything else behind a colon is the cause, and stays.
fn without_figures(reason: &str) -> &str {
    match reason.rsplit_once(": ") {
        Some((what, figures)) if after_count(figures).is_some() => what,
        _ => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::{distinct, servers};
    use super::super::points::Place;
    use super::*;
    use crate::model::{Axis, Panel, marks};
    use lab_core::units::count;
    use records::Record;
    use records::sample::{record, skipped};

    fn failed(stage: &str, workers: Option<usize>, clients: usize, reason: &str) -> Record {
        let mut record = skipped(record(stage, "builtin", clients, true, 1.0), reason);
        record.key.workers = workers;
        record
    }

    fn missing(records: &[Record]) -> Vec<String> {
        let lines = records.iter().enumerate().map(|(line, record)| Line { file: 0, line, record });
        let lines: Vec<Line> = lines.collect();
        let workers = distinct(&lines, |record| record.key.workers);
        let named = workers.iter().flatten();
        let mut points = Points {
            x: Some(Axis { label: "clients at once".into(), ..Axis::default() }),
            panels: vec![Panel::default()],
            marks: marks(named.map(|workers| (workers.to_string(), count(*workers, "worker")))),
            series: servers(&lines),
            ..Points::default()
        };
        let place = |record: &Record| {
            let mark = workers.iter().position(|workers| *workers == record.key.workers)?;
            Some(Place { panel: 0, mark, x: record.key.concurrency as f64 })
        };
        points.add(&lines, true, place, |record| Some(record.figures()?.requests_per_second));
        points.missing()
    }

    /// Protects a point that is drawn from being called missing, and one that is missing from being called by
    /// less than its name.
    #[test]
    fn what_is_missing_is_named_with_its_workers_and_only_that() {
        let mut drawn = record("06", "builtin", 64, true, 1.0);
        drawn.key.workers = Some(1);
        let lines = missing(&[
            failed("06", Some(1), 64, "a round that broke"),
            drawn,
            failed("06", Some(2), 64, "refused: no such luck"),
            failed("06", Some(2), 64, "refused: another reason in another round"),
            failed("06", Some(4), 64, "refused: no such luck"),
            failed("03", Some(2), 2, "refused: no such luck"),
            failed("03", Some(4), 4, "refused: no such luck"),
        ]);
        assert_eq!(
            lines,
            [
                "Missing: 03 (refused: no such luck)",
                "Missing: 06 with 2 workers, 64 clients; 4 workers, 64 clients (refused: no such luck)",
            ]
        );
    }

    /// Protects the count of what the server limited from costs that stand beside the speeds, and are filled.
    #[test]
    fn only_points_that_have_a_limit_are_counted_as_such() {
        let mut records = [record("04", "wrk", 64, true, 1.0), record("05", "wrk", 64, true, 1.0)];
        records[1].figures_mut().expect("measured").limiter = records::Bottleneck::Generator;
        let lines: Vec<Line> =
            records.iter().enumerate().map(|(line, record)| Line { file: 0, line, record }).collect();
        let mut points = Points {
            panels: vec![Panel::default(), Panel::default()],
            series: servers(&lines),
            ..Points::default()
        };
        let speed = |record: &Record| Some(record.figures()?.requests_per_second);
        points.add(&lines, true, |_| Some(Place::panel(0)), speed);
        points.add(&lines, false, |_| Some(Place::panel(1)), speed);
        let words = legend(&points, "Why.");
        assert!(words.starts_with("Filled (1 of 2)") && words.contains("(generator: 1)"), "{words}");
    }

    #[test]
    fn figures_of_one_point_are_left_out_of_a_reason_and_a_cause_is_not() {
        let would = "ab would hang with keep-alive: 1 of 64 clients are served";
        let others = "ab would hang with keep-alive: 4 of 64 clients are served";
        let named = missing(&[failed("01", None, 64, would), failed("03", None, 64, others)]);
        assert_eq!(named, ["Missing: 01, 03 (ab would hang with keep-alive)"]);
        let served = |clients: u32| format!("4 of {clients} clients that keep their connection are served");
        let folded = missing(&[failed("03", None, 64, &served(64)), failed("03", None, 256, &served(256))]);
        assert_eq!(folded.len(), 1, "{folded:?}");
        assert!(folded[0].ends_with("(not all clients that keep their connection are served)"), "{folded:?}");
        for whole in ["refused: the server ended early: exit status: 1", "refused: 127.0.0.1 of nobody"] {
            assert_eq!(without_figures(whole), whole);
        }
        let endless = missing(&[failed("01", None, 1, &"word ".repeat(1000))]).remove(0);
        assert!(endless.len() < 400 && endless.ends_with("…)"), "{endless}");
    }
}
