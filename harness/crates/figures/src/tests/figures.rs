//! Each figure, built from records.

use super::{HOSTILE, render};
use crate::figures::{Data, build};
use crate::model::Plot;
use lab_core::stats::Percentiles;
use records::sample::{idle, open, paired, record, skipped};
use records::{Content, Grade, Idle, Mix, OpenLoop, Outcome, Phase, Probed, Record};
use std::path::{Path, PathBuf};

/// A record of each kind, of a server with that name, whose CPU time could not be told.
fn of_all_kinds(name: &str) -> [(Content, Vec<Record>); 4] {
    let latency_us = Percentiles { p50: 0, p90: 0, p99: 9, p99_9: 9, max: 9 };
    let of = |phase| {
        let mut record = record(name, "wrk", 64, true, 0.0);
        (record.key.phase, record.key.title) = (phase, name.to_owned());
        if let Some(figures) = record.figures_mut() {
            (figures.requests, figures.cpu_us_per_request) = (0, None);
        }
        record
    };
    let mut paired = paired(of(Phase::Paired), [0.0, 0.0]);
    if let Some(figures) = paired.figures_mut() {
        figures.cpu_us_per_request = Some(0.0);
    }
    let at = |rate, share_of_peak| OpenLoop {
        rate,
        share_of_peak,
        latency_us,
        over_5ms: None,
        late: 0,
        never_sent: 0,
    };
    let latency = open(of(Phase::Latency), at(0.0, Some(0.5)));
    let idle = idle(of(Phase::Idle), Idle { connections: 9, silent_bytes: 0.0, served_bytes: -8.0 });
    let mut other_tool = of(Phase::Survey);
    other_tool.key.tool = "ab".into();
    let mut skipped = skipped(of(Phase::Survey), name);
    skipped.key.concurrency = 1;
    let mut slow = open(of(Phase::Slow), at(9.0, None));
    slow.key.phase = Phase::Slow;
    if let Outcome::Latency(latency) = &mut slow.outcome {
        latency.mix = Some(Mix {
            percent: 5,
            path: name.to_owned(),
            requests: 0,
            errors: 0,
            never_sent: None,
            latency_us: None,
            service_us: None,
        });
    }
    let mut table = of(Phase::Table);
    table.key.title = "serial".into();
    [
        (Content::Run, vec![of(Phase::Survey), paired, latency, idle, other_tool, skipped]),
        (Content::Table, vec![table]),
        (Content::Spin, vec![of(Phase::Spin)]),
        (Content::Slow, vec![slow]),
    ]
}

/// Protects every figure of the lab: a server may be called anything, and a CPU time of nothing over nothing
/// is no number.
#[test]
fn every_figure_bears_hostile_names_and_times_of_zero() {
    let (files, out) = ([PathBuf::from("data/x.jsonl")], Path::new("."));
    let mut drawn = Vec::new();
    for (content, records) in of_all_kinds(HOSTILE) {
        let data = match content {
            Content::Run => Data::of_run(&records, &files, out).expect("a run"),
            _ => Data::new(&records, &files, out),
        };
        for figure in build(content, &data).expect("figures") {
            render(&figure, &figure.id);
            drawn.push(figure.id);
        }
    }
    let probed = Probed {
        probe: HOSTILE.into(),
        outcome: HOSTILE.into(),
        expected: "pass".into(),
        seconds: 0.0,
        detail: HOSTILE.into(),
        surprise: true,
    };
    let host = record("04", "wrk", 1, true, 1.0).context.host;
    let grade = Grade {
        stage: HOSTILE.into(),
        name: HOSTILE.into(),
        title: HOSTILE.into(),
        options: Vec::new(),
        binary_hash: None,
        commit: None,
        started_at: HOSTILE.into(),
        planned: 1,
        surprises: 1,
        probes: vec![probed],
        host,
    };
    let grades = [grade];
    for figure in build(Content::Grades, &Data::of_grades(&grades, &files, out)).expect("figures") {
        render(&figure, &figure.id);
        drawn.push(figure.id);
    }
    drawn.sort_unstable();
    let all: Vec<&str> = drawn.iter().map(String::as_str).collect();
    let mut names: Vec<&str> = crate::figures::ALL.iter().map(|kind| kind.name).collect();
    names.sort_unstable();
    for name in names.iter().filter(|name| **name != "context-switches") {
        assert!(all.iter().any(|id| id.starts_with(name)), "{name} is not among {all:?}");
    }
}

/// Protects the trace from a point to its records, and from points that mix what does not belong together.
#[test]
fn every_point_is_the_median_of_the_records_that_it_names() {
    let mut lines = Vec::new();
    for (round, speed) in [10.0, 30.0, 20.0].into_iter().enumerate() {
        for (_, records) in of_all_kinds("04") {
            for mut one in records.into_iter().filter(|one| one.skipped().is_none()) {
                one.context.round = round as u32;
                if let Some(figures) = one.figures_mut() {
                    (figures.requests_per_second, figures.requests) = (speed, 100);
                    (figures.cpu_us_per_request, figures.context_switches) =
                        (Some(speed), Some(speed as u64));
                }
                match &mut one.outcome {
                    Outcome::Paired(pair) => pair.floor_around = [10.0, 20.0],
                    Outcome::IdleMemory(memory) => {
                        (memory.idle.silent_bytes, memory.idle.served_bytes) = (speed, 2.0 * speed);
                    }
                    _ => {}
                }
                let mut dropped = one.clone();
                dropped.context.dropped = true;
                let mut other = one.clone();
                (other.key.server, other.key.title) = ("05".into(), "other".into());
                lines.extend([dropped, one, other]);
            }
        }
    }
    let files = [PathBuf::from("data/x.jsonl")];
    let mut checked = 0;
    for content in [Content::Run, Content::Table, Content::Spin, Content::Slow] {
        let data = match content {
            Content::Run => Data::of_run(&lines, &files, Path::new(".")).expect("a run"),
            _ => Data::new(&lines, &files, Path::new(".")),
        };
        for figure in build(content, &data).expect("figures") {
            let Plot::Points(points) = &figure.plot else { continue };
            for point in points.points.iter().filter(|point| point.is_drawn() && !point.records.is_empty()) {
                let values: Vec<f64> = point.records.iter().map(|(_, value)| *value).collect();
                let median = lab_core::stats::median(&values).expect("records");
                assert_eq!(point.value.max(1.0), median.max(1.0), "{}: {point:?}", figure.id);
                for &(line, _) in &point.records {
                    let record = &lines[line];
                    assert!(!record.context.dropped, "{}: {point:?}", figure.id);
                    assert_eq!(
                        record.key.server, points.series[point.series].server,
                        "{}: {point:?}",
                        figure.id
                    );
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 30, "{checked} points");
}

#[test]
fn a_server_like_the_floor_is_not_told_from_it() {
    let mut records = Vec::new();
    for (stage, costs) in [("floor", [10.0, 10.2, 9.9, 10.1, 10.0]), ("04", [10.1, 10.0, 10.3, 9.9, 10.0])] {
        records.extend(costs.map(|cost| paired(record(stage, "wrk", 64, true, 1e6 / cost), [10.0, 10.0])));
    }
    let data = Data::of_run(&records, &[], Path::new(".")).expect("a run");
    let figures = build(Content::Run, &data).expect("figures");
    let ratio = figures.iter().find(|figure| figure.id == "cpu-per-request").expect("it is drawn");
    let mut notes: Vec<_> =
        ratio.points().expect("points").points.iter().map(|point| point.note.clone()).collect();
    notes.sort_unstable();
    assert_eq!(notes, [Some("not distinguishable".into()), Some("the floor against itself".into())]);
}
