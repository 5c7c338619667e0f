//! What a connection costs, by what holds it: a process, a thread, a fiber, a future, a state machine.

use super::data::{Data, Line, only};
use super::latency::{BEHIND, is_reached};
use super::legend::skipped;
use super::points::Place;
use super::slow::{over_5ms, what_it_does};
use super::{context_switches, idle_memory};
use crate::model::{Figure, Panel, Points, Scale, Series, Unit, groups, marks};
use crate::sample::Sample;
use lab_core::units::{count, number};
use records::{FLOOR, Phase, Record, order};
use std::collections::BTreeMap;

/// What holds a connection in which server, in the order of the rows.
static HOLDERS: [Holder; 7] = [
    Holder { server: "02", what: "process", how: "" },
    Holder { server: "02-threads", what: "thread", how: "" },
    Holder { server: "12-fibers", what: "fiber", how: "" },
    Holder { server: "12", what: "future", how: "" },
    Holder { server: "12-tokio", what: "future", how: ", work stealing" },
    Holder { server: "10", what: "state machine", how: ", a loop per CPU" },
    Holder { server: "04", what: "state machine", how: ", one loop" },
];

struct Holder {
    server: &'static str,
    what: &'static str,
    /// What tells it from others of its kind.
    how: &'static str,
}

/// The names of the two figures.
pub(crate) const MEMORY: &str = "concurrency";
pub(crate) const LOAD: &str = "concurrency-load";

/// The panels of the first figure: a connection's memory in the process, and in the kernel.
pub(crate) const BYTES: usize = 0;
pub(crate) const TASKS: usize = 1;

/// The panels of the second one.
pub(crate) const KEPT: usize = 0;
pub(crate) const SHORT: usize = 1;
pub(crate) const SWITCHES: usize = 2;
pub(crate) const P99: usize = 3;
const SWITCHES_SHORT: usize = 4;
const OVER: usize = 5;

/// Connections of a server that have asked for nothing.
pub(crate) struct Silent {
    pub(crate) server: &'static str,
    /// What holds them.
    pub(crate) what: &'static str,
    /// The memory of one, bytes.
    pub(crate) sample: Sample,
}

/// What the servers of the comparison take for one, in the order of the rows.
pub(crate) fn silent(data: &Data) -> Vec<Silent> {
    let lines = data.of_concurrency(Phase::Idle);
    let of = |holder: &'static Holder| {
        let mut sample = Sample::default();
        for line in only(&lines, |record| record.key.server == holder.server) {
            line.record.idle().into_iter().for_each(|idle| sample.push(line.file, idle.silent_bytes));
        }
        Silent { server: holder.server, what: holder.what, sample }
    };
    HOLDERS.iter().map(of).collect()
}

/// Its memory while it waits; and what its requests cost, and how long they wait beside slow ones.
pub(crate) fn build(data: &Data) -> Vec<Figure> {
    [memory(data), load(data)].into_iter().flatten().collect()
}

fn memory(data: &Data) -> Option<Figure> {
    let lines = data.of_concurrency(Phase::Idle);
    let connections =
        lines.iter().filter_map(|line| line.record.idle()).map(|idle| idle.connections).max()?;
    let axis = "bytes of user memory per connection, logarithmic (fewer is better)";
    let tasks = "bytes of kernel stacks and page tables per silent connection";
    let mut points = Points {
        panels: vec![
            Panel::new("bytes", axis, Unit::Bytes, Scale::Log),
            Panel { hidden: true, ..Panel::new("in the kernel", tasks, Unit::Bytes, Scale::Linear) },
        ],
        marks: marks([
            ("silent", "silent: connected, has asked for nothing yet"),
            ("served", "served: answered once, kept"),
        ]),
        series: holders(&lines),
        ..Points::default()
    };
    let mut add = |panel: usize, mark: usize, value: &dyn Fn(&Record) -> Option<f64>| {
        points.add(&lines, false, |_| Some(Place { panel, mark, x: 0.0 }), value);
    };
    add(BYTES, 0, &|record| Some(record.idle()?.silent_bytes));
    add(BYTES, 1, &|record| Some(record.idle()?.served_bytes));
    add(TASKS, 0, &|record| record.idle()?.task_bytes);
    points.write_values();
    let all = number(connections as f64);
    let title = format!("What does a connection cost while it waits, by what holds it? {all} at once");
    let mut figure = data.figure(MEMORY, &title, &lines, points);
    figure.about = format!(
        "Growth of the process tree's Pss with {all} connections, divided by their number; pages that several \
         processes share are counted in equal parts. The resolution is a page, here {:.1} B a connection: a \
         smaller difference is none. What the kernel needs comes to it. The socket is the same for all of \
         them; the stacks and page tables of processes and threads are in the table, as the machine's own \
         counters have grown.",
        idle_memory::PAGE / connections as f64
    );
    figure.notes.push(skipped(&lines));
    Some(figure)
}

fn load(data: &Data) -> Option<Figure> {
    let (pairs, slow) = (data.of_concurrency(Phase::Paired), data.of_concurrency(Phase::Slow));
    let counted = only(&pairs, |record| !record.straddles());
    let lines: Vec<Line> = pairs.iter().chain(&slow).copied().collect();
    let series = holders(&lines);
    let clients = lines.iter().find(|line| line.record.figures().is_some())?.record.key.concurrency;
    let cost = |name: &str, is_kept: bool| Panel {
        lines: vec![1.0],
        band: of_floor(&counted, is_kept),
        ..Panel::new(name, "CPU time of a request", Unit::Hundredths, Scale::Log)
    };
    let switches = |name: &str| Panel::new(name, "switches per request", Unit::Short, Scale::Log);
    let over = Panel::new("over 5 ms", "share beside slow requests", Unit::Percent, Scale::Linear);
    let mut points = Points {
        panels: vec![
            cost("÷ floor, kept", true),
            cost("÷ floor, short", false),
            switches("switches, kept"),
            Panel::new("p99", "beside slow requests", Unit::Micros, Scale::Log),
            Panel { hidden: true, ..switches("switches, short") },
            Panel { hidden: true, ..over },
        ],
        series,
        ..Points::default()
    };
    let mut add = |panel: usize, lines: &[Line], value: &dyn Fn(&Record) -> Option<f64>| {
        points.add(lines, false, |_| Some(Place::panel(panel)), value);
    };
    let (kept, short) =
        (only(&pairs, |record| record.key.keep_alive), only(&pairs, |record| !record.key.keep_alive));
    let ratio = |record: &Record| record.ratio_to_floor().filter(|_| !record.straddles());
    add(KEPT, &kept, &ratio);
    add(SHORT, &short, &ratio);
    points.explain("not known: other clock states");
    let mut add = |panel: usize, lines: Vec<Line>| {
        let place = |_: &Record| Some(Place::panel(panel));
        points.add(&data.in_one_state(lines), false, place, context_switches::per_request);
    };
    add(SWITCHES, kept);
    add(SWITCHES_SHORT, short);
    points.explain("not known: its tasks have ended");
    let mut add = |panel: usize, value: &dyn Fn(&Record) -> Option<f64>| {
        let value = |record: &Record| value(record).filter(|_| is_reached(record));
        points.add(&slow, false, |_| Some(Place::panel(panel)), value);
    };
    add(P99, &|record| Some(record.open_loop()?.latency_us.p99.max(1) as f64));
    add(OVER, &|record| over_5ms(record).map(|share| 100.0 * share));
    points.explain(BEHIND);
    points.write_values();
    let colours = groups(&points.series);
    let title = "What does a request cost, and how long does it wait, by what holds its connection?";
    let mut figure = data.figure(LOAD, title, &lines, points);
    let mixed = slow.iter().find_map(|line| Some((line.record.mix()?, line.record.open_loop()?.rate)));
    let beside = mixed.map_or(String::new(), |(mix, rate)| {
        format!(
            " Beside slow requests: {} requests per second leave at fixed times, and {} % of them {}; the waits are of \
             the others.",
            number(rate),
            mix.percent,
            what_it_does(&mix.path)
        )
    });
    figure.about = format!(
        "CPU time and context switches: {}, which keep their connections or make one for each request (short), \
         in turns with the floor, a bare server with a constant reply; processes and threads that end take their \
         count of switches along. The vertical line is the floor, the grey \
         band what it measured against itself: what lies within it cannot be told from it.{beside}",
        count(clients, "client")
    );
    figure.notes.extend([skipped(&lines), colours]);
    Some(figure)
}

/// How far the floor strays from itself.
fn of_floor(counted: &[Line], is_kept: bool) -> Option<(f64, f64)> {
    let mut sample = Sample::default();
    let its = only(counted, |record| record.key.server == FLOOR && record.key.keep_alive == is_kept);
    for line in its {
        line.record.ratio_to_floor().into_iter().for_each(|ratio| sample.push(line.file, ratio));
    }
    sample.interval().map(|interval| (interval.low, interval.high))
}

/// The servers of these records but for the floor, by what holds a connection: `12 future`. Those that hold
/// it in another way have their titles, and stand behind.
fn holders(lines: &[Line]) -> Vec<Series> {
    let rank = |server: &str| HOLDERS.iter().position(|holder| holder.server == server);
    let keys = lines.iter().map(|line| &line.record.key).filter(|key| key.server != FLOOR);
    let servers: BTreeMap<_, _> = keys
        .map(|key| {
            let server = key.server.as_str();
            ((rank(server).unwrap_or(HOLDERS.len()), order(server)), key.title.as_str())
        })
        .collect();
    let series = |((rank, (_, server)), title): ((usize, (u8, &str)), &str)| match HOLDERS.get(rank) {
        Some(Holder { what, how, .. }) => Series::server(server, &format!("{what}{how}")),
        None => Series::server(server, title),
    };
    servers.into_iter().map(series).collect()
}
