//! What 10,000 idle connections cost the clients that are active.

use super::data::{Data, cost, distinct, servers};
use super::latency::{BEHIND, is_reached};
use super::points::Place;
use crate::model::{Figure, Panel, Points, Scale, Unit, marks};
use lab_core::units::number;
use records::{Beside, Phase, Record};

/// Cost and wait of the active clients, a mark for each number of idle connections; their memory in the
/// table.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let lines = data.in_one_state(data.of(&[Phase::C10k]));
    let measured: Vec<_> = lines.iter().filter(|line| line.record.latency().is_some()).copied().collect();
    let Some(first) = measured.first() else { return Vec::new() };
    let idle = distinct(&measured, |record| record.key.idle.unwrap_or(0));
    let hidden = |panel| Panel { hidden: true, ..panel };
    let mut points = Points {
        panels: vec![
            Panel::new("CPU µs", "server CPU time per request, µs", Unit::Count, Scale::Linear),
            Panel::new("p99", "p99 of the wait (logarithmic)", Unit::Micros, Scale::Log),
            hidden(Panel::new(
                "user memory",
                "bytes of user memory per idle connection",
                Unit::Bytes,
                Scale::Linear,
            )),
            hidden(Panel::new(
                "kernel memory",
                "bytes of kernel memory per idle connection, both ends",
                Unit::Bytes,
                Scale::Linear,
            )),
        ],
        marks: marks(idle.iter().map(|&idle| {
            let name = number(idle as f64);
            let label = format!("{name} idle connections beside");
            (name, label)
        })),
        series: servers(&lines),
        ..Points::default()
    };
    let beside = |record: &Record, bytes: fn(&Beside) -> Option<u64>| {
        let beside = record.latency()?.beside.as_ref().filter(|beside| beside.connections > 0)?;
        Some(bytes(beside)? as f64 / beside.connections as f64)
    };
    let mut add = |panel: usize, value: &dyn Fn(&Record) -> Option<f64>| {
        let place = |record: &Record| {
            let mark = idle.iter().position(|idle| *idle == record.key.idle.unwrap_or(0))?;
            // Without idle connections there is no memory of them.
            (panel < 2 || idle[mark] > 0).then_some(Place { panel, mark, x: 0.0 })
        };
        points.add(&lines, false, place, value);
    };
    add(0, &cost);
    let p99 = |record: &Record| Some(record.open_loop()?.latency_us.p99 as f64);
    add(1, &|record| p99(record).filter(|_| is_reached(record)));
    add(2, &|record| beside(record, |beside| Some(beside.user_bytes)));
    add(3, &|record| beside(record, |beside| beside.kernel_bytes));
    points.explain(BEHIND);
    let clients = first.record.key.concurrency;
    let most = number(idle.last().copied().unwrap_or(0) as f64);
    let title = format!("What do {most} idle connections change for {clients} active clients?");
    let mut figure = data.figure("c10k", &title, &lines, points);
    figure.about =
        "The active clients send at a fixed rate, the idle connections say nothing. Their memory, the \
         server's and the kernel's, is in the table and, on the page, a picture."
            .into();
    vec![figure]
}
