//! What each server makes of more workers, when every request keeps a CPU busy.

mod columns;
mod plot;

use super::caption::{Caption, place};
use super::source::{Chart, Source};
use super::style::Look;
use anyhow::Result;
use plot::Plot;
use records::{Limiter, Phase, Record, SpinPoint, spin};
use std::collections::BTreeSet;

/// Requests per second against workers, if that was measured.
pub(super) fn chart(records: &[Record], source: &Source) -> Result<Option<Chart>> {
    let points = spin(records);
    let its_records: Vec<&Record> =
        records.iter().filter(|record| record.phase == Phase::Spin && !record.dropped).collect();
    let (Some(first), Some(record)) = (points.first(), its_records.first()) else { return Ok(None) };
    let spin_us = spin_us(&record.path);
    let title = format!(
        "What more workers make of requests that keep a CPU busy for {spin_us:.0} µs, on {}",
        cpus_in_words(first.cpus)
    );
    let mut caption = Caption::new(title.clone(), &its_records, source);
    caption.lines[0] = asked(&points, record, &caption.how);
    // One that failed everywhere has a column all the same: a reader would look for it.
    let workers: BTreeSet<usize> = its_records.iter().filter_map(|record| record.workers).collect();
    let plot = Plot::new(&points, workers, spin_us);
    caption.wrap(plot.width(), 4);
    let mut notes = notes(&points, &plot, &caption);
    notes.splice(1..1, shared(&points, record));
    Ok(Some(source.chart("spin.svg", title, plot.svg(&caption, &notes)?)))
}

/// `/spin/100` is 100.
fn spin_us(path: &str) -> f64 {
    path.rsplit('/').next().and_then(|number| number.parse().ok()).filter(|us| *us > 0.0).unwrap_or(1.0)
}

fn cpus_in_words(cpus: usize) -> String {
    if cpus == 1 { "1 CPU".into() } else { format!("{cpus} CPUs") }
}

fn asked(points: &[SpinPoint], record: &Record, how: &str) -> String {
    let clients = points.iter().map(|point| point.clients).max().unwrap_or_default();
    format!(
        "{how}; GET {} ({}), {clients} kept connections, {} s per point; {}, {}.",
        record.path,
        record.tool,
        record.duration_seconds,
        place("server", &record.server_cpus),
        place("generator", &record.generator_cpus)
    )
}

/// What the server does not get, where both have the same CPUs.
fn shared(points: &[SpinPoint], record: &Record) -> Option<String> {
    let shares = || points.iter().map(|point| 100.0 * point.generator_share);
    let (least, most) = (shares().fold(f64::MAX, f64::min).round(), shares().fold(0.0, f64::max).round());
    let share = if least < most { format!("{least} to {most} %") } else { format!("{most} %") };
    (record.server_cpus == record.generator_cpus).then(|| {
        format!("The generator shares the CPUs with the server and takes {share} of their time, so nobody reaches the ideal.")
    })
}

fn notes(points: &[SpinPoint], plot: &Plot, caption: &Caption) -> Vec<String> {
    let mut notes = vec![
        "Ideal: nothing but the busy time costs anything, and as many CPUs work as there are workers and CPUs. Where each \
         connection keeps a worker for itself, there are only as many clients as workers."
            .to_owned(),
    ];
    let mut signs = vec!["Markers stand side by side at each number of workers."];
    if plot.has_gaps() {
        signs.push("A gap in a line: not measured.");
    }
    if points.iter().any(|point| look(point) == Look::Hollow) {
        signs.push("Hollow: the generator was the limit, the server could do more.");
    }
    if points.iter().any(|point| look(point) == Look::Cross) {
        signs.push("Cross: some of the clients got no answer at all.");
    }
    signs.extend(caption.whiskers);
    notes.push(signs.join(" "));
    let errors: u64 = points.iter().map(|point| point.errors).sum();
    if errors > 0 {
        notes.push(format!("{errors} requests failed; they are not in the figures."));
    }
    notes.extend(caption.not_measured.iter().cloned());
    notes
}

fn look(point: &SpinPoint) -> Look {
    match point.limiter {
        _ if point.clients_served < point.clients => Look::Cross,
        Limiter::Generator => Look::Hollow,
        _ => Look::Filled,
    }
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
