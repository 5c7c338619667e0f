//! What each server makes of more workers, when every request keeps a CPU busy.

use super::data::{Data, cost, distinct, servers};
use super::legend::legend;
use super::points::Place;
use super::requests_per_second::SPEED;
use crate::model::{Figure, Panel, Points, Scale, Unit, marks};
use lab_core::units::count;
use records::{Phase, Record};

/// Requests per second, a mark for each number of workers.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let lines = data.in_one_state(data.of(&[Phase::Spin]));
    let measured: Vec<_> = lines.iter().filter(|line| line.record.figures().is_some()).copied().collect();
    let Some(first) = measured.first().map(|line| line.record) else { return Vec::new() };
    let spin_us = spin_us(&first.key.path);
    let cpus = first.context.server_cpus.len();
    let workers = distinct(&lines, |record| record.key.workers);
    let mark = |workers: &Option<usize>| match workers {
        Some(workers) => (workers.to_string(), count(*workers, "worker")),
        None => ("no option".to_owned(), "no option --workers".to_owned()),
    };
    let ideals = (1..=cpus).map(|cpus| cpus as f64 * 1e6 / spin_us);
    let costs = Panel {
        hidden: true,
        ..Panel::new("CPU µs", "server CPU time per request, µs", Unit::Count, Scale::Linear)
    };
    let mut points = Points {
        panels: vec![
            Panel { lines: ideals.collect(), ..Panel::new("requests/s", SPEED, Unit::Count, Scale::Linear) },
            costs,
        ],
        marks: marks(workers.iter().map(mark)),
        series: servers(&lines),
        ..Points::default()
    };
    let place = |panel: usize| {
        let workers = &workers;
        move |record: &Record| {
            let mark = workers.iter().position(|workers| *workers == record.key.workers)?;
            Some(Place { panel, mark, x: 0.0 })
        }
    };
    points.add(&lines, true, place(0), |record| Some(record.figures()?.requests_per_second));
    points.add(&lines, false, place(1), cost);
    let is_shared = first.context.server_cpus == first.context.generator_cpus;
    let why =
        if is_shared { "The generator uses the same CPUs, so that no server has them alone." } else { "" };
    let signs = legend(&points, why);
    let title = format!(
        "What do more workers make of requests that keep a CPU busy for {spin_us:.0} µs? {}",
        count(cpus, "CPU")
    );
    let shares: Vec<f64> = measured.iter().filter_map(|line| generator_share(line.record)).collect();
    let mut figure = data.figure("spin", &title, &lines, points);
    figure.about = format!(
        "Lines: what one CPU, or all, could do if nothing but the busy time of {spin_us:.0} µs cost \
         anything. Where each connection keeps a worker for itself, there are only as many clients as \
         workers."
    );
    figure.notes.push(signs);
    if is_shared && !shares.is_empty() {
        let (least, most) =
            shares.iter().fold((f64::MAX, 0.0_f64), |(a, b), &share| (a.min(share), b.max(share)));
        let [least, most] = [least, most].map(|share| format!("{:.0} %", 100.0 * share));
        let share = if least == most { most } else { format!("{least} to {most}") };
        figure.notes.push(format!(
            "The generator shares the CPUs with the server and takes {share} of them. A server with one \
             worker still has a whole CPU for itself."
        ));
    }
    vec![figure]
}

/// The part of the CPUs that the generator took.
fn generator_share(record: &Record) -> Option<f64> {
    let figures = record.figures()?;
    Some(figures.generator_cpu_seconds / (figures.seconds * record.context.generator_cpus.len() as f64))
}

/// `/spin/100` is 100.
fn spin_us(path: &str) -> f64 {
    path.rsplit('/').next().and_then(|number| number.parse().ok()).filter(|us| *us > 0.0).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busy_time_is_in_the_path() {
        assert_eq!(
            ["/spin/100", "/spin/1", "/spin/0", "/", "/spin/x"].map(spin_us),
            [100.0, 1.0, 1.0, 1.0, 1.0]
        );
    }
}
