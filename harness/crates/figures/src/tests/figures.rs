//! Each figure, built from records.

use super::{HOSTILE, render};
use crate::figures::{ALL, Data, Source, build};
use crate::model::Plot;
use lab_core::stats::{Percentiles, median};
use records::sample::{idle, open, paired, record, skipped};
use records::{
    Beside, ClientTimeout, Grade, Idle, Mix, OpenLoop, Outcome, Phase, Placement, Probed, Record, WorkerLoad,
};
use std::path::Path;

/// A record of each kind, of a server with that name, whose CPU time could not be told.
fn of_all_kinds(name: &str) -> Vec<Record> {
    let latency_us = Percentiles { p50: 0, p90: 0, p99: 9, p99_9: 9, max: 9 };
    let of = |phase| {
        let mut record = record(name, "wrk", 64, true, 0.0);
        (record.key.phase, record.key.title) = (phase, name.to_owned());
        if let Some(figures) = record.figures_mut() {
            (figures.requests, figures.cpu_us_per_request) = (0, None);
        }
        record
    };
    let pair = |phase, clients| {
        let mut pair = paired(of(phase), [0.0, 0.0]);
        (pair.key.phase, pair.key.concurrency) = (phase, clients);
        pair.outcome.served_mut().clients = clients;
        pair.figures_mut().expect("measured").cpu_us_per_request = Some(0.0);
        pair
    };
    let at = |rate, share_of_peak| OpenLoop {
        rate,
        share_of_peak,
        latency_us,
        over_5ms: Some(1),
        late: 0,
        never_sent: 0,
    };
    let waits = |phase, rate, share| {
        let mut record = open(of(phase), at(rate, share));
        record.key.phase = phase;
        record
    };
    let mut slow = waits(Phase::Slow, 9.0, None);
    let mut beside = waits(Phase::C10k, 9.0, None);
    beside.key.idle = Some(10_000);
    for record in [&mut slow, &mut beside] {
        let Outcome::Latency(latency) = &mut record.outcome else { panic!("an open loop") };
        latency.mix = Some(Mix {
            percent: 5,
            path: name.to_owned(),
            requests: 0,
            errors: 0,
            never_sent: None,
            latency_us: None,
            service_us: None,
        });
        latency.beside =
            Some(Beside { connections: 10, user_bytes: 0, kernel_bytes: None, kernel_source: None });
    }
    let mut beyond = waits(Phase::Overload, 0.0, Some(2.0));
    let Outcome::Latency(latency) = &mut beyond.outcome else { panic!("an open loop") };
    latency.client_timeout = Some(ClientTimeout {
        timeout_ms: 200,
        in_time: 0,
        refused: 0,
        given_up: 0,
        answered_us: Some(Percentiles { p50: 0, p90: 0, p99: 9, p99_9: 9, max: 9 }),
    });
    let mut balance = waits(Phase::Balance, 9.0, None);
    let Outcome::Latency(latency) = &mut balance.outcome else { panic!("an open loop") };
    let worker = |wait_us| WorkerLoad {
        thread: 1,
        slowed: false,
        connections: 0,
        requests: 0,
        cpu_seconds: 0.0,
        samples: 0,
        wait_us,
    };
    let wait = Percentiles { p50: 0, p90: 0, p99: 0, p99_9: 0, max: 0 };
    latency.by_worker = Some(vec![worker(Some(wait)), worker(None)]);
    let stealing = crate::figures::stealing::invented::round(name, Placement::One, 0, &[0, 0]);
    let idle = idle(
        of(Phase::Idle),
        Idle { connections: 9, silent_bytes: 0.0, served_bytes: -8.0, task_bytes: None },
    );
    let mut other_tool = of(Phase::Survey);
    other_tool.key.tool = "ab".into();
    let mut skipped = skipped(of(Phase::Survey), name);
    skipped.key.concurrency = 1;
    let cpus = |cpus| {
        let mut record = of(Phase::Cpus);
        record.key.cpus = Some(cpus);
        record.figures_mut().expect("measured").requests_per_second = 1.0;
        record
    };
    let mut table = of(Phase::Table);
    table.key.title = "serial".into();
    vec![
        of(Phase::Survey),
        pair(Phase::Paired, 64),
        pair(Phase::Uring, 64),
        pair(Phase::Clients, 1),
        pair(Phase::Clients, 64),
        waits(Phase::Latency, 0.0, Some(0.5)),
        waits(Phase::Latency, 100.0, None),
        idle,
        other_tool,
        skipped,
        cpus(1),
        cpus(2),
        beside,
        table,
        of(Phase::Spin),
        slow,
        beyond,
        balance,
        stealing,
    ]
}

fn source(records: Vec<Record>) -> Source {
    Source { path: "data/x.jsonl".into(), records, ..Source::default() }
}

/// The same records as those of the scenario that shares its phases with a run.
fn concurrency(records: Vec<Record>) -> Source {
    Source { path: "data/1-a-concurrency.jsonl".into(), ..source(records) }
}

/// Protects every figure of the lab: a server may be called anything, and a CPU time of nothing over nothing
/// is no number.
#[test]
fn every_figure_bears_hostile_names_and_times_of_zero() {
    let probed = Probed {
        probe: HOSTILE.into(),
        outcome: HOSTILE.into(),
        expected: "pass".into(),
        seconds: 0.0,
        detail: HOSTILE.into(),
        surprise: true,
        evidence: None,
    };
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
        failure: None,
        points: None,
        probes: vec![probed],
        host: record("04", "wrk", 1, true, 1.0).context.host,
    };
    let sources = [
        source(of_all_kinds(HOSTILE)),
        Source { grades: vec![grade], ..Source::default() },
        concurrency(of_all_kinds(HOSTILE)),
    ];
    let mut drawn = Vec::new();
    for figure in build(&Data::new(&sources, Path::new("."))) {
        render(&figure, &figure.id);
        drawn.push(figure.id);
    }
    // Of switches that nothing counted there is no picture.
    for name in ALL.iter().map(|kind| kind.name).filter(|name| *name != "context-switches") {
        assert!(drawn.iter().any(|id| id.starts_with(name)), "{name} is not among {drawn:?}");
    }
    assert!(
        crate::findings::findings(&Data::new(&sources, Path::new("."))).is_empty(),
        "one round says nothing"
    );
}

/// Protects the trace from a point to its records, and from points that mix what does not belong together.
#[test]
fn every_point_is_the_median_of_the_records_that_it_names() {
    let mut records = Vec::new();
    for (round, speed) in [10.0, 30.0, 20.0].into_iter().enumerate() {
        for mut one in of_all_kinds("04").into_iter().filter(|one| one.skipped().is_none()) {
            one.context.round = round as u32;
            if let Some(figures) = one.figures_mut() {
                (figures.requests_per_second, figures.requests) = (speed, 100);
                (figures.cpu_us_per_request, figures.context_switches) = (Some(speed), Some(speed as u64));
            }
            match &mut one.outcome {
                Outcome::Paired(pair) => pair.floor_around = [10.0, 10.2],
                Outcome::IdleMemory(memory) => {
                    (memory.idle.silent_bytes, memory.idle.served_bytes) = (speed, 2.0 * speed);
                }
                _ => {}
            }
            let mut dropped = one.clone();
            dropped.context.dropped = true;
            let mut other = one.clone();
            (other.key.server, other.key.title) = ("05".into(), "other".into());
            records.extend([dropped, one, other]);
        }
    }
    let sources = [source(records.clone()), concurrency(records)];
    let mut checked = 0;
    for figure in build(&Data::new(&sources, Path::new("."))) {
        let Plot::Points(points) = &figure.plot else { continue };
        // A factor of two medians is no median.
        let has_records = |point: &&crate::model::Point| point.is_drawn() && !point.records.is_empty();
        for point in points.points.iter().filter(has_records).filter(|_| figure.id != "second-cpu") {
            let values: Vec<f64> = point.records.iter().map(|(.., value)| *value).collect();
            assert_eq!(Some(point.value), median(&values), "{}: {point:?}", figure.id);
            for &(file, line, _) in &point.records {
                let record = &sources[0].records[line];
                assert!(file == 0 && !record.context.dropped, "{}: {point:?}", figure.id);
                let server = &points.series[point.series].server;
                assert_eq!(&record.key.server, server, "{}: {point:?}", figure.id);
            }
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked} points");
}

/// Protects the figures of a run from the servers of the scenario that has the same phases, and the other way
/// round: a median over both would be of neither.
#[test]
fn the_scenario_that_shares_the_phases_of_a_run_is_on_no_figure_of_it() {
    let sources = [source(of_all_kinds("04")), concurrency(of_all_kinds("12-tokio"))];
    let mut found = 0;
    for figure in build(&Data::new(&sources, Path::new("."))) {
        let is_its_own = figure.id.starts_with("concurrency");
        let Plot::Points(points) = &figure.plot else { continue };
        let expected = if is_its_own { "12-tokio" } else { "04" };
        let servers: Vec<&str> = points.series.iter().map(|series| series.server.as_str()).collect();
        assert!(servers.iter().all(|server| [expected, ""].contains(server)), "{}: {servers:?}", figure.id);
        let file = if is_its_own { "data/1-a-concurrency.jsonl" } else { "data/x.jsonl" };
        assert_eq!(figure.data, [file], "{}", figure.id);
        found += usize::from(is_its_own);
    }
    assert_eq!(found, 2);
}

/// Protects the comparison of speeds from the clock states of the machine: where most points ran in the fast
/// one, a slow round is in no median, and a pair, which has its reference beside it, stays.
#[test]
fn rounds_of_another_clock_state_are_in_no_median_but_those_of_pairs() {
    let at = |clock: f64, speed: f64| {
        let mut one = record("04", "wrk", 64, true, speed);
        one.context.round_trip_ns = Some([clock, clock]);
        one
    };
    let mut records: Vec<Record> = (0..6).map(|n| at(5000.0 + f64::from(n), 100_000.0)).collect();
    records.extend((0..3).map(|n| at(6600.0 + f64::from(n), 70_000.0)));
    let pair = |clock: f64, floor: f64| paired(at(clock, 1e6 / (1.1 * floor)), [floor, floor]);
    records.extend([pair(5000.0, 6.0), pair(6600.0, 8.0), pair(6600.0, 8.0)]);
    // A second run that was mostly in the slow state is compared in the state of both.
    let other: Vec<Record> = [at(5000.0, 100_000.0), at(6600.0, 70_000.0), at(6600.0, 70_000.0)].into();
    let run = |path: &str, records| Source { path: path.into(), records, ..Source::default() };
    let sources = [run("1-a-standard.jsonl", records), run("2-a-standard.jsonl", other)];
    let figures = build(&Data::new(&sources, Path::new(".")));
    let point = |id: &str| {
        let figure = figures.iter().find(|figure| figure.id == id).unwrap_or_else(|| panic!("no {id}"));
        figure.points().expect("points").points[0].clone()
    };
    assert!(point("requests-per-second-wrk").records.iter().all(|(.., speed)| *speed > 80_000.0));
    let cost = point("what-each-idea-costs");
    assert_eq!(cost.records.len(), 3);
    assert!((cost.value - 1.1).abs() < 1e-9, "a ratio is the same in both: {}", cost.value);
    let text = cost.text.unwrap_or_default();
    assert!(text.starts_with("1.10 (6.6 µs)"), "the floor's cost of the fast state: {text}");
}

/// Protects the comparison by clients: servers that were each measured with one number of clients, as a
/// run of everything does with 01, have no line between them.
#[test]
fn one_number_of_clients_is_no_line() {
    let of = |server: &str, clients: usize| {
        let mut pair = paired(record(server, "builtin", clients, true, 100_000.0), [5.0, 5.0]);
        pair.key.phase = Phase::Clients;
        pair
    };
    let servers = |records: Vec<Record>| {
        let sources = [source(records)];
        let figures = build(&Data::new(&sources, Path::new(".")));
        let figure = figures.into_iter().find(|figure| figure.id == "cost-by-clients");
        figure.map(|figure| figure.points().expect("points").series.len())
    };
    assert_eq!(servers(vec![of("01", 1), of("04", 64)]), None);
    assert_eq!(servers(vec![of("01", 1), of("04", 64), of("04", 1)]), Some(1), "04 alone has two");
}
