//! What each worker of a server has of the load, by how a connection finds a worker.

use super::data::{Data, Line, distinct, only};
use super::legend::skipped;
use super::points::Place;
use crate::model::{Figure, Panel, Point, Points, Scale, Series, Style, Unit, marks};
use records::{Phase, Record, WorkerLoad};

/// The loads, a picture each: whether connections are kept, and whether a worker is slowed down.
const LOADS: [(&str, bool, bool); 4] = [
    ("kept", true, false),
    ("kept, one slow", true, true),
    ("short", false, false),
    ("short, one slow", false, true),
];
/// The measures of a load, a panel each.
const MEASURES: usize = 3;

/// How long the clients of each worker wait, and beside it what part of the requests is its own.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let lines = data.in_one_state(data.of(&[Phase::Balance]));
    let measured = only(&lines, |record| workers(record).is_some());
    let Some(most) = measured.iter().filter_map(|line| workers(line.record)).map(<[_]>::len).max() else {
        return Vec::new();
    };
    let panels = LOADS.iter().flat_map(|(name, ..)| {
        let share = |what: &str| Panel {
            hidden: true,
            lines: vec![100.0 / most as f64],
            ..Panel::new(
                &format!("{name}: {what}"),
                &format!("share of the {what}"),
                Unit::Percent,
                Scale::Linear,
            )
        };
        let wait = Panel::new(name, "p99 (less is better)", Unit::Micros, Scale::Log);
        [wait, share("requests"), share("connections")]
    });
    let named = (1..=most).map(|at| (format!("worker {at}"), format!("worker {at}")));
    let mut points = Points {
        panels: panels.collect(),
        marks: marks(named),
        series: policies(&measured),
        ..Points::default()
    };
    for (at, (_, keep_alive, slowed)) in LOADS.into_iter().enumerate() {
        let its =
            only(&measured, |record| record.key.keep_alive == keep_alive && record.key.slowed == slowed);
        for mark in 0..most {
            let mut add = |measure: usize, value: &dyn Fn(&Record) -> Option<f64>| {
                let place = Place { panel: MEASURES * at + measure, mark, x: 0.0 };
                points.add(&its, false, |_| Some(place), value);
            };
            add(0, &|record| Some(workers(record)?.get(mark)?.wait_us?.p99.max(1) as f64));
            add(1, &|record| share(record, mark, |worker| worker.requests));
            add(2, &|record| share(record, mark, |worker| worker.connections));
        }
    }
    points.explain("it had none of the connections whose wait is known");
    // The shares stand beside the waits, once in a row.
    for panel in (0..points.panels.len()).step_by(MEASURES) {
        for series in 0..points.series.len() {
            let text = requests(&points, panel + 1, series);
            let is_here =
                |point: &&mut Point| (point.panel, point.series) == (panel, series) && point.is_drawn();
            if let Some(first) = points.points.iter_mut().filter(is_here).min_by_key(|point| point.mark) {
                first.text = Some(text);
            }
        }
    }
    let title = "Who gets the connections, and what if one worker is slow?";
    let mut figure = data.figure("balance", title, &lines, points);
    figure.about = "Kept: the clients keep their connections; short: they make one for each request. Worker 1 is the one that is slowed down, where one is; else the workers are in the order of \
                    their requests, whose shares stand beside each row. A slowed worker sleeps for 10 ms, then \
                    serves for 10 ms. No reply names its worker: its connections are those that its epoll instance \
                    watches, its requests its part of the bytes read, and the wait is of a few connections beside \
                    the load whose worker is known, with the time in the accept queue where a connection carries \
                    one request."
        .into();
    figure.notes.push(
        "By CPU: over the loopback a connection's first packet is processed on the CPU of its client, so the \
         clients' CPUs decide."
            .into(),
    );
    figure.notes.push(skipped(&lines));
    vec![figure]
}

/// `61, 39 %`: the parts of the workers.
fn requests(points: &Points, panel: usize, series: usize) -> String {
    let mut its: Vec<_> = points.points.iter().filter(|p| p.panel == panel && p.series == series).collect();
    its.sort_by_key(|point| point.mark);
    let shares: Vec<String> = its.iter().map(|point| format!("{:.0}", point.value)).collect();
    format!("{} %", shares.join(", "))
}

/// What each worker had.
fn workers(record: &Record) -> Option<&[WorkerLoad]> {
    record.latency()?.by_worker.as_deref()
}

/// The part of one worker, in hundredths.
fn share(record: &Record, at: usize, of: impl Fn(&WorkerLoad) -> u64) -> Option<f64> {
    let all: u64 = workers(record)?.iter().map(&of).sum();
    Some(100.0 * of(workers(record)?.get(at)?) as f64 / all.max(1) as f64)
}

/// How a connection finds a worker: a name each.
fn policies(lines: &[Line]) -> Vec<Series> {
    let titles =
        distinct(lines, |record| (rank(record), record.key.title.as_str(), record.key.server.as_str()));
    let series = |(at, (_, title, server)): (usize, (usize, &str, &str))| Series {
        server: server.to_owned(),
        name: title.to_owned(),
        label: title.to_owned(),
        style: Style::series(at),
        remark: None,
    };
    titles.into_iter().enumerate().map(series).collect()
}

/// Stage 09's ways first, then stage 10's.
fn rank(record: &Record) -> usize {
    const ORDER: [&str; 5] = ["shared", "exclusive", "notify", "hash", "cpu"];
    let policy = record.context.configuration.as_deref().unwrap_or_default();
    ORDER.iter().position(|known| policy.contains(&format!(" {known} "))).unwrap_or(ORDER.len())
}
