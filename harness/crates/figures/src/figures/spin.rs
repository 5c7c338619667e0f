//! What each server makes of more workers, when every request keeps a CPU busy.

use super::caption::Caption;
use super::data::{Data, limit, servers, signs};
use super::overview::speed_and_cost;
use crate::machine::places;
use crate::model::{Axis, Figure, Look, Plot, Point, Points, Reference, Scale};
use anyhow::Result;
use records::{Phase, Record, SpinPoint, spin};
use std::collections::BTreeSet;

/// Of the servers that have no such option.
const NO_OPTION: &str = "no --workers";

/// Requests per second against workers, if that was measured.
pub(super) fn build(data: &Data) -> Result<Vec<Figure>> {
    let (measured, records) = (spin(&data.records), data.of_phase(Phase::Spin));
    let (Some(first), Some(record)) = (measured.first(), records.first()) else { return Ok(Vec::new()) };
    let spin_us = spin_us(&record.key.path);
    let cpus = lab_core::units::count(first.cpus, "CPU");
    let title =
        format!("What more workers make of requests that keep a CPU busy for {spin_us:.0} µs, on {cpus}");
    let mut figure = data.figure("spin", title, &records);
    let caption = Caption::new(&records, &data.name());
    let clients = measured.iter().map(|point| point.clients).max().unwrap_or_default();
    let asked = format!(
        "{}; GET {} ({}), {clients} kept connections, {} s per point; {}.",
        caption.how,
        record.key.path,
        record.key.tool,
        record.context.duration_seconds,
        places(record)
    );
    figure.subtitle = caption.asking(asked).lines();
    // One that failed everywhere has its place all the same: a reader would look for it.
    let numbers: BTreeSet<usize> = records.iter().filter_map(|record| record.key.workers).collect();
    let without = measured.iter().any(|point| point.workers.is_none()).then_some(None);
    let bands: Vec<Option<usize>> = numbers.into_iter().map(Some).chain(without).collect();
    let ideals = bands.iter().enumerate();
    let ideals = ideals.map(|(at, &band)| (at as f64, SpinPoint::ideal_of(band, first.cpus, spin_us)));
    let name = |band: &Option<usize>| band.map_or(NO_OPTION.into(), |workers| workers.to_string());
    let mut points = Points {
        x: Some(Axis {
            label: "workers".into(),
            scale: Scale::Bands(bands.iter().map(name).collect()),
            ..Axis::default()
        }),
        measures: speed_and_cost(),
        series: servers(measured.iter().map(|point| (point.stage.as_str(), point.title.as_str()))),
        references: vec![Reference::Steps(
            format!("ideal: CPUs at work ÷ {spin_us:.0} µs"),
            ideals.collect(),
        )],
        gaps: data.gaps(&records, |_| Some(Vec::new())),
        ..Points::default()
    };
    for point in &measured {
        let Some(series) = points.series_of(&point.stage) else { continue };
        let x = bands.iter().position(|&band| band == point.workers).unwrap_or(0) as f64;
        points.points.extend(points_of(data, point, series, x));
    }
    figure.about = "Ideal: nothing but the busy time costs anything, and as many CPUs work as there are \
                    workers and CPUs. Where each connection keeps a worker for itself, there are only as \
                    many clients as workers."
        .into();
    figure.notes = notes(&measured, record, &points);
    figure.plot = Plot::Points(points);
    Ok(vec![figure])
}

fn points_of(data: &Data, point: &SpinPoint, series: usize, x: f64) -> Vec<Point> {
    let (look, mut note) = limit(point.limiter, point.clients_served, point.clients);
    note = format!("{note}; {} clients", point.clients);
    if point.errors > 0 {
        note += &format!("; {} errors in all rounds", point.errors);
    }
    let is_of_point = |record: &Record| {
        record.key.phase == Phase::Spin
            && record.key.server == point.stage
            && record.key.workers == point.workers
    };
    let speeds = data.rounds_of(is_of_point, |figures| Some(figures.requests_per_second));
    let costs = data.rounds_of(is_of_point, |figures| figures.cpu_us_per_request);
    let speed = Point { look, note: Some(note), ..Point::new(series, x, point.requests_per_second, speeds) };
    let cost =
        point.cpu_us_per_request.map(|cost| Point { measure: 1, ..Point::new(series, x, cost, costs) });
    std::iter::once(speed).chain(cost).collect()
}

/// `/spin/100` is 100.
fn spin_us(path: &str) -> f64 {
    path.rsplit('/').next().and_then(|number| number.parse().ok()).filter(|us| *us > 0.0).unwrap_or(1.0)
}

fn notes(measured: &[SpinPoint], record: &Record, points: &Points) -> Vec<String> {
    let mut notes: Vec<String> = shared(measured, record).into_iter().collect();
    let mut words = vec!["Markers stand side by side at each number of workers.".to_owned()];
    if !points.gaps.is_empty() {
        words.push("A gap in a line: not measured.".to_owned());
    }
    words.push(signs(
        points,
        &[super::data::HOLLOW, (Look::Cross, "Cross: some of the clients got no answer at all.")],
    ));
    notes.push(words.join(" ").trim_end().to_owned());
    let errors: u64 = measured.iter().map(|point| point.errors).sum();
    if errors > 0 {
        notes.push(format!("{errors} requests failed; they are not in the figures."));
    }
    notes
}

/// What the server does not get, where both have the same CPUs.
fn shared(points: &[SpinPoint], record: &Record) -> Option<String> {
    let shares = || points.iter().map(|point| 100.0 * point.generator_share);
    let (least, most) = (shares().fold(f64::MAX, f64::min).round(), shares().fold(0.0, f64::max).round());
    let share = if least < most { format!("{least} to {most} %") } else { format!("{most} %") };
    (record.context.server_cpus == record.context.generator_cpus).then(|| {
        format!(
            "The generator shares the CPUs with the server and takes {share} of their time, so nobody \
             reaches the ideal."
        )
    })
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
