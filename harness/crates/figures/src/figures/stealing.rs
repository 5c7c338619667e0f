//! How long quick requests wait beside long ones, by which threads have the long ones.

use super::data::{Data, Line, only};
use super::latency::{BEHIND, is_reached};
use super::legend::skipped;
use super::points::Place;
use crate::model::{Figure, Panel, Points, Scale, Series, Unit, groups};
use lab_core::stats::Percentiles;
use lab_core::units::{number, time};
use records::{LongRequests, Phase, Placement, Record, WorkerLoad, order};
use std::collections::BTreeMap;

/// The name of the figure.
pub(crate) const STEALING: &str = "stealing";

/// The panels: no long requests; as many for each thread; all of them for one, the clients of that one and of
/// the others; and all clients together.
pub(crate) const NONE: usize = 0;
pub(crate) const EACH: usize = 1;
pub(crate) const ITS: usize = 2;
pub(crate) const OTHERS: usize = 3;
pub(crate) const ALL: usize = 4;
/// The same in the middle, for the three loads, and the waits of the long requests themselves.
const MEDIANS: usize = 5;
const LONG: usize = 8;

/// The three loads, in this order.
const LOADS: [(Placement, &str, usize); 3] = [
    (Placement::None, "no long requests", NONE),
    (Placement::Each, "on every thread", EACH),
    (Placement::One, "on one: all", ALL),
];

/// What of a load with long requests on one thread is known by thread.
pub(crate) const NO_OTHERS: &str = "not bound to a thread";

/// What a server makes of a connection, and whether its threads steal.
const HOLDERS: [(&str, &str); 4] = [
    ("10", "state machine, a loop per CPU"),
    ("12", "future, a thread per CPU"),
    ("12-fibers", "fiber, a thread per CPU"),
    ("12-tokio", "future, work stealing"),
];

/// The waits of the quick requests under each load.
pub(crate) fn build(data: &Data) -> Vec<Figure> {
    let lines = data.of(&[Phase::Stealing]);
    let Some((first, long)) = lines.iter().find_map(|line| Some((line.record, long(line.record)?))) else {
        return Vec::new();
    };
    let p99 = |name: &str| Panel::new(name, "p99 (less is better)", Unit::Micros, Scale::Log);
    let hidden = |name: String, what: &str| Panel {
        hidden: true,
        ..Panel::new(&name, what, Unit::Micros, Scale::Log)
    };
    let mut panels =
        vec![p99(LOADS[0].1), p99(LOADS[1].1), p99("on one: its clients"), p99("on one: the others")];
    panels.push(hidden(LOADS[2].1.to_owned(), "p99 of all quick requests (less is better)"));
    let medians = LOADS.map(|(_, name, _)| hidden(format!("p50, {name}"), "p50 (less is better)"));
    panels.extend(medians);
    let of_long =
        LOADS[1..].iter().map(|(_, name, _)| hidden(format!("long, {name}"), "p99 of the long ones"));
    panels.extend(of_long);
    let mut points = Points { panels, series: holders(&lines), ..Points::default() };
    let mut add = |lines: &[Line], panel: usize, value: &dyn Fn(&Record) -> Option<u64>| {
        // A wait below a microsecond is none, and has no place on a logarithmic axis.
        let value = |record: &Record| Some(value(record).filter(|_| is_reached(record))?.max(1) as f64);
        points.add(lines, false, |_| Some(Place::panel(panel)), value);
    };
    for (at, (placement, _, panel)) in LOADS.into_iter().enumerate() {
        let its = only(&lines, |record| record.key.placement == Some(placement));
        add(&its, panel, &|record| Some(quick(record)?.p99));
        add(&its, MEDIANS + at, &|record| Some(quick(record)?.p50));
        if at > 0 {
            add(&its, LONG + at - 1, &|record| Some(self::long(record)?.wait_us?.p99));
        }
    }
    points.explain(BEHIND);
    let mut add = |lines: &[Line], panel: usize, has_long: bool| {
        let value =
            |record: &Record| Some(worst(record, has_long).filter(|_| is_reached(record))?.max(1) as f64);
        points.add(lines, false, |_| Some(Place::panel(panel)), value);
    };
    let of_one = only(&lines, |record| record.key.placement == Some(Placement::One));
    let (shared, apart): (Vec<Line>, Vec<Line>) =
        of_one.into_iter().partition(|line| workers(line.record).is_some_and(|workers| workers.len() == 1));
    let is_asked = apart.iter().all(|line| is_reached(line.record));
    add(&apart, ITS, true);
    add(&shared, ITS, true);
    add(&apart, OTHERS, false);
    points.explain(if is_asked { "not asked: no such connection" } else { BEHIND });
    points.add(&shared, false, |_| Some(Place::panel(OTHERS)), |_| None);
    points.explain(NO_OTHERS);
    points.write_values();
    let colours = groups(&points.series);
    let title = "How long do quick requests wait if one thread has all the long ones?";
    let mut figure = data.figure(STEALING, title, &lines, points);
    let (micros, open) = (micros(long), first.open_loop());
    let needs = 100.0 * long.rate * micros / 1e6;
    figure.about = format!(
        "{} quick requests per second leave at fixed times; beside them {} other clients ask for {} long ones per \
         second, at random times. Each of these keeps the thread that serves it busy for {}, all together {} of one \
         CPU. No long requests; as many for every thread; and all of them for one: then the clients whose \
         connections belong to that thread wait, and the others do not. The waits are of a few clients more, each \
         with times of its own, and as many of every thread. Where threads steal, no connection belongs to one of \
         them, and every client may wait.",
        number(open.map_or(0.0, |open| open.rate)),
        number(long.connections as f64),
        number(long.rate),
        time(micros),
        Unit::Percent.text(needs),
    );
    figure.notes.extend([skipped(&lines), colours]);
    vec![figure]
}

/// The long requests of a record, and what came of them.
fn long(record: &Record) -> Option<&LongRequests> {
    record.latency()?.long_requests.as_ref()
}

/// How long the quick requests took whose waits are looked at.
pub(crate) fn quick(record: &Record) -> Option<Percentiles> {
    record.latency()?.sampled_us
}

/// The CPU time of one of them, µs.
fn micros(long: &LongRequests) -> f64 {
    long.path.rsplit('/').next().and_then(|micros| micros.parse().ok()).unwrap_or(f64::NAN)
}

fn workers(record: &Record) -> Option<&[WorkerLoad]> {
    record.latency()?.by_worker.as_deref()
}

/// p99 of the clients of the thread with the long requests, or of that other thread whose clients wait
/// longest.
fn worst(record: &Record, has_long: bool) -> Option<u64> {
    let its = workers(record)?.iter().filter(|worker| worker.slowed == has_long);
    its.filter_map(|worker| Some(worker.wait_us?.p99)).max()
}

/// The servers of these records, by what holds a connection.
fn holders(lines: &[Line]) -> Vec<Series> {
    let keys = lines.iter().map(|line| &line.record.key);
    let servers: BTreeMap<_, _> = keys.map(|key| (order(&key.server), key.title.as_str())).collect();
    let series = |((_, server), title): ((u8, &str), &str)| {
        let known = HOLDERS.iter().find(|(known, _)| *known == server);
        Series::server(server, known.map_or(title, |(_, what)| what))
    };
    servers.into_iter().map(series).collect()
}

/// Invented records for tests.
#[cfg(test)]
pub(crate) mod invented {
    use super::*;
    use records::sample::{open, record};
    use records::{OpenLoop, Outcome};

    fn percentiles(p99: u64) -> Percentiles {
        Percentiles { p50: p99 / 10, p90: p99 / 2, p99, p99_9: p99, max: p99 }
    }

    /// One round of a load: p99 of all clients, µs, and of those of each worker, the one with the long
    /// requests first.
    pub(crate) fn round(server: &str, placement: Placement, all: u64, by_worker: &[u64]) -> Record {
        let sent = OpenLoop {
            rate: 2000.0,
            share_of_peak: None,
            latency_us: percentiles(all),
            over_5ms: None,
            late: 0,
            never_sent: 0,
        };
        let mut one = open(record(server, "builtin", 64, true, 2000.0), sent);
        (one.key.phase, one.key.placement) = (Phase::Stealing, Some(placement));
        let Outcome::Latency(latency) = &mut one.outcome else { panic!("an open loop") };
        latency.long_requests = (placement != Placement::None).then(|| LongRequests {
            path: "/spin/2000".into(),
            connections: 16,
            rate: 400.0,
            requests: 800,
            wait_us: Some(percentiles(20_000)),
        });
        let worker = |(at, p99): (usize, &u64)| WorkerLoad {
            thread: at as i32,
            slowed: at == 0 && placement == Placement::One,
            connections: 32,
            requests: 2000,
            cpu_seconds: 0.1,
            samples: 400,
            wait_us: Some(percentiles(*p99)),
        };
        latency.sampled_us = Some(percentiles(all));
        latency.by_worker = Some(by_worker.iter().enumerate().map(worker).collect());
        one
    }
}

#[cfg(test)]
mod tests {
    use super::invented::round;
    use super::*;
    use crate::figures::Source;
    use crate::model::Plot;
    use std::path::Path;

    fn figure(records: Vec<Record>) -> Figure {
        let sources = [Source { path: "1-a-stealing.jsonl".into(), records, ..Source::default() }];
        build(&Data::new(&sources, Path::new("."))).pop().expect("a figure")
    }

    fn values(figure: &Figure, panel: usize) -> Vec<(&str, f64)> {
        let Plot::Points(points) = &figure.plot else { panic!("points") };
        points.on(panel).map(|point| (points.series[point.series].server.as_str(), point.value)).collect()
    }

    /// Protects the comparison: the clients of the thread with the long requests are told from the others,
    /// and of a server whose threads steal nobody is one of the others.
    #[test]
    fn the_clients_of_the_hot_thread_are_told_from_the_others() {
        let of = |server: &str, one: (u64, &[u64])| {
            vec![
                round(server, Placement::None, 300, &[250, 260]),
                round(server, Placement::Each, 5_000, &[5_100, 4_900]),
                round(server, Placement::One, one.0, one.1),
            ]
        };
        let figure = figure([of("12", (12_000, &[14_000, 400])), of("12-tokio", (3_000, &[2_900]))].concat());
        assert_eq!(values(&figure, NONE), [("12", 300.0), ("12-tokio", 300.0)]);
        assert_eq!(values(&figure, EACH), [("12", 5_000.0), ("12-tokio", 5_000.0)]);
        assert_eq!(values(&figure, ITS), [("12", 14_000.0), ("12-tokio", 2_900.0)]);
        assert_eq!(values(&figure, OTHERS), [("12", 400.0)]);
        assert_eq!(values(&figure, ALL), [("12", 12_000.0), ("12-tokio", 3_000.0)]);
        let Plot::Points(points) = &figure.plot else { panic!("points") };
        assert_eq!(points.why_not(1, OTHERS), NO_OTHERS);
        assert!(figure.about.contains("busy for 2.00 ms, all together 80 % of one CPU"), "{}", figure.about);
    }

    /// Protects a drawing on a machine that is too busy: where no server has kept up with the rate, the
    /// figure says so, and there is one.
    #[test]
    fn a_rate_that_nobody_reached_is_no_figure_of_waits_and_is_drawn_all_the_same() {
        let mut record = round("12", Placement::One, 900_000, &[900_000, 800_000]);
        let figures = record.figures_mut().expect("measured");
        figures.requests_per_second = 100.0;
        let figure = figure(vec![record]);
        for panel in [ITS, OTHERS, ALL] {
            assert_eq!(values(&figure, panel), []);
        }
        let Plot::Points(points) = &figure.plot else { panic!("points") };
        assert!(points.why_not(0, ITS).contains("the rate was not reached"));
        crate::svg::picture(&figure).expect("it can be drawn");
    }
}
