//! What a figure says of how its data were made: how often, for how long, on what, how much of it other
//! programs disturbed, and the data's name.

use super::data::{Line, Source, is_measured};
use crate::machine::places;
use lab_core::units::count;
use records::{Key, Phase, Record};
use std::collections::{BTreeMap, BTreeSet};

/// The lines under a title.
pub(super) fn lines(lines: &[Line], data: &str) -> Vec<String> {
    let data = format!("Data: {data}");
    let Some(first) = lines.first().map(|line| line.record) else { return vec![data] };
    let measured: Vec<&Record> = lines.iter().map(|line| line.record).filter(|r| is_measured(r)).collect();
    let how = if measured.iter().all(|record| record.context.quick) {
        "Quick look: one short round, for orientation only".to_owned()
    } else {
        rounds(lines)
    };
    let paths: BTreeSet<&str> = measured.iter().map(|record| record.key.path.as_str()).collect();
    let paths = paths.into_iter().collect::<Vec<_>>().join(" and ");
    let depth = match first.key.pipeline {
        0 | 1 => String::new(),
        depth => format!(", {depth} requests pipelined"),
    };
    let times = seconds(measured.iter().copied()).map(|seconds| format!(", {seconds} s per point"));
    // Each once: a figure may compare one CPU with two.
    let where_they_ran: BTreeSet<String> = measured.iter().map(|record| places(record)).collect();
    let where_they_ran = match where_they_ran.len() {
        0 => places(first),
        _ => where_they_ran.into_iter().collect::<Vec<_>>().join("; "),
    };
    let made = format!("{how}; GET {paths}{depth}{}; {where_they_ran}.", times.unwrap_or_default());
    let disturbed = disturbed(measured.iter().copied()).map(|words| format!(" {words}."));
    let host = &first.context.host;
    let machine = format!("{}; {}.{}", host.summary(), host.commit_name(), disturbed.unwrap_or_default());
    vec![made, machine, data]
}

/// How much of these measurements other programs disturbed: the one place that says it. `None` if nothing.
pub(crate) fn disturbed<'a>(records: impl Iterator<Item = &'a Record>) -> Option<String> {
    let figures: Vec<_> = records.filter_map(|record| record.figures()).collect();
    let disturbed = figures.iter().filter(|figures| figures.is_disturbed()).count();
    let of = figures.len();
    (disturbed > 0).then(|| {
        format!(
            "Other programs used more than a tenth of a CPU during {disturbed} of these {of} measurements"
        )
    })
}

/// `1`, or `0.6 to 1`; nothing where no load was timed.
pub(crate) fn seconds<'a>(records: impl Iterator<Item = &'a Record>) -> Option<String> {
    let timed = records.filter(|record| record.figures().is_some());
    let all: BTreeSet<u64> =
        timed.map(|record| (1000.0 * record.context.duration_seconds).round() as u64).collect();
    let [least, most] = [all.first()?, all.last()?].map(|millis| *millis as f64 / 1000.0);
    Some(if least < most { format!("{least} to {most}") } else { most.to_string() })
}

/// `Medians of 5 rounds`.
fn rounds(lines: &[Line]) -> String {
    let mut points: BTreeMap<(&Key, Option<u64>), usize> = BTreeMap::new();
    for line in lines.iter().filter(|line| is_measured(line.record)) {
        *points.entry((&line.record.key, rate(line.record))).or_default() += 1;
    }
    let runs = lines.iter().map(|line| line.file).collect::<BTreeSet<_>>().len();
    let runs = if runs > 1 { format!(" in {runs} runs") } else { String::new() };
    let (few, many) = (points.values().min().unwrap_or(&0), points.values().max().unwrap_or(&0));
    match (few, many) {
        (_, 0 | 1) => "One round".to_owned(),
        _ if few == many => format!("Medians of {many} rounds{runs}"),
        _ => format!("Medians of {few} to {many} rounds{runs}"),
    }
}

/// The rates of an open loop share a key: the share of the peak in thousandths, or the rate itself.
pub(crate) fn rate(record: &Record) -> Option<u64> {
    let open = record.open_loop()?;
    Some(open.share_of_peak.map_or(open.rate.round() as u64, |share| (1000.0 * share).round() as u64))
}

/// What a run that was interrupted lacks, or one in which a server failed.
pub(super) fn incomplete(source: &Source) -> Option<String> {
    let planned = source.grades.iter().map(|grade| grade.planned).max().unwrap_or(0);
    let graded: BTreeSet<&str> = source.grades.iter().map(|grade| grade.stage.as_str()).collect();
    if graded.len() < planned {
        return Some(format!("{} of {}", graded.len(), count(planned, "server")));
    }
    // What the floor did beside the pairs is in no plan, and a pair that was repeated is one point of it.
    let is_planned =
        |record: &&Record| is_measured(record) && !record.context.dropped && record.key.phase != Phase::Floor;
    let point =
        |record: &'_ Record| (record.context.seed, record.key.clone(), rate(record), record.context.round);
    let measured = source.records.iter().filter(is_planned).map(point).collect::<BTreeSet<_>>().len();
    let planned = source.records.iter().map(|record| (record.context.seed, record.context.points_planned));
    let planned: usize = planned.collect::<BTreeMap<_, _>>().values().sum();
    (measured < planned).then(|| format!("{measured} of {planned} points"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::sample::record;

    #[test]
    fn points_that_differ_in_nothing_but_the_title_are_not_counted_together() {
        let mut records = Vec::new();
        for (title, round) in [("1 process", 1), ("1 process", 2), ("2 processes", 1), ("2 processes", 2)] {
            let mut record = record("09", "webbench", 5, false, 1.0);
            (record.key.title, record.context.round) = (title.into(), round);
            records.push(record);
        }
        let lines = records.iter().enumerate().map(|(line, record)| Line { file: 0, line, record });
        assert_eq!(rounds(&lines.collect::<Vec<_>>()), "Medians of 2 rounds");
    }

    #[test]
    fn points_of_different_lengths_are_both_named() {
        let long = record("04", "wrk", 64, true, 1.0);
        let mut short = record("04", "builtin", 64, true, 1.0);
        assert_eq!(seconds([&long, &short].into_iter()).as_deref(), Some("1"));
        short.context.duration_seconds = 0.6;
        assert_eq!(seconds([&long, &short].into_iter()).as_deref(), Some("0.6 to 1"));
    }

    #[test]
    fn what_was_disturbed_is_counted() {
        let calm = record("05", "wrk", 64, true, 10.0);
        let mut busy = calm.clone();
        busy.figures_mut().expect("measured").other_cpu_seconds = Some(0.5);
        assert_eq!(disturbed([&calm].into_iter()), None);
        let words = disturbed([&calm, &busy].into_iter()).expect("one was");
        assert!(words.contains("1 of these 2"), "{words}");
    }
}
