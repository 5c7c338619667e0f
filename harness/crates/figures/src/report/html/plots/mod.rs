//! The charts that the page draws itself: points, each with the records behind it.
//!
//! * `speed` and `switches`: a figure against the number of clients;
//! * `ratio`: what a request costs, over the floor's cost around it;
//! * `latency`: how long requests wait, against the load;
//! * `idle`: memory of connections that say nothing;
//! * `table`: seed 002's table.

mod idle;
mod latency;
mod ratio;
mod speed;
mod switches;
mod table;

use super::servers::Server;
use lab_core::stats::Estimate;
use records::{Limiter, Phase, Record};
use serde::Serialize;
use std::collections::BTreeSet;

/// One chart.
#[derive(Debug, Serialize)]
pub(super) struct Plot {
    pub(super) id: &'static str,
    #[serde(skip)]
    pub(super) title: String,
    #[serde(skip)]
    pub(super) about: String,
    /// What the file names of the same chart as a picture begin with.
    #[serde(skip)]
    pub(super) picture: &'static str,
    /// The files that its records are in, as indices.
    #[serde(skip)]
    pub(super) files: Vec<usize>,
    form: Form,
    /// What the figures are, with the unit.
    y: &'static str,
    x: &'static str,
    /// The numbers along x lie far apart: each doubling gets the same room.
    doubling: bool,
    /// Written behind the numbers along x.
    suffix: &'static str,
    /// The value that a row is compared with.
    baseline: Option<f64>,
    /// Whether the figures are on a logarithmic axis until the reader chooses.
    logarithmic: bool,
    choices: Vec<Choice>,
    points: Vec<Point>,
    gaps: Vec<Gap>,
}

impl Plot {
    /// The numbers of the records behind its points.
    pub(super) fn records(&self) -> impl Iterator<Item = usize> {
        self.points.iter().flat_map(|point| &point.rounds).map(|&(at, _)| at)
    }
}

/// How a chart is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    /// A line per server over x.
    Lines,
    /// A row per server.
    Rows,
}

/// One of several, such as the generator.
#[derive(Debug, Serialize)]
struct Choice {
    id: &'static str,
    label: &'static str,
    options: Vec<String>,
}

/// One point of a chart.
#[derive(Debug, Serialize)]
struct Point {
    /// The server, as an index.
    server: usize,
    /// What this line of the server is called, where one server has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<String>,
    /// For each choice the option that it belongs to.
    options: Vec<usize>,
    x: f64,
    y: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<(f64, f64)>,
    look: Look,
    /// What the reader should know of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Its records, as their numbers on the page, each with its own figure.
    rounds: Vec<(usize, f64)>,
}

/// How a point is drawn; see `charts::style`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Look {
    Filled,
    Hollow,
    Cross,
    /// Not drawn, but listed: what was to be measured was something else.
    Missed,
}

/// A point that was not measured.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Gap {
    server: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<String>,
    /// For each choice the option; empty if it is not measured whatever is chosen.
    options: Vec<usize>,
    x: usize,
    reason: String,
}

/// Every chart that the records allow.
pub(super) fn all(records: &[Record], servers: &[Server]) -> Vec<Plot> {
    let lab = Lab { records, servers };
    let plots = [
        speed::plot(&lab),
        ratio::plot(&lab),
        latency::plot(&lab),
        idle::plot(&lab),
        switches::plot(&lab),
        table::plot(&lab),
    ];
    plots.into_iter().filter(|plot| !plot.points.is_empty()).collect()
}

/// What the charts are made from.
struct Lab<'a> {
    records: &'a [Record],
    servers: &'a [Server],
}

impl Lab<'_> {
    fn server(&self, name: &str) -> Option<usize> {
        self.servers.iter().position(|server| server.name == name)
    }

    /// The rounds of a point: the records that have such a figure, each as its number on the page.
    fn rounds(&self, figure: impl Fn(&Record) -> Option<f64>) -> Vec<(usize, f64)> {
        let counting = self.records.iter().enumerate().filter(|(_, record)| !record.dropped);
        counting.filter_map(|(at, record)| Some((at, figure(record)?))).collect()
    }

    /// The points of a phase that were skipped, each with the reason.
    fn gaps(&self, phases: &[Phase], options: impl Fn(&Record) -> Option<Vec<usize>>) -> Vec<Gap> {
        let gap = |record: &Record| {
            // The reason begins with what matters and ends with figures of the one point.
            let reason = record.skipped.as_deref()?.split(':').next()?.to_owned();
            let series = (record.phase == Phase::Table).then(|| record.title.clone());
            let server = self.server(&record.stage)?;
            Some(Gap { server, series, options: options(record)?, x: record.concurrency, reason })
        };
        let of_phase = self.records.iter().filter(|record| phases.contains(&record.phase));
        of_phase.filter_map(gap).collect::<BTreeSet<Gap>>().into_iter().collect()
    }
}

impl Point {
    /// A point without anything to be said about it.
    fn new(server: usize, x: f64, estimate: Estimate, rounds: Vec<(usize, f64)>) -> Self {
        let Estimate { median, interval } = estimate;
        let (look, options) = (Look::Filled, Vec::new());
        Self { server, series: None, options, x, y: median, interval, look, note: None, rounds }
    }
}

/// The same in another unit.
fn scaled(estimate: Estimate, factor: f64) -> Estimate {
    let interval = estimate.interval.map(|(low, high)| (factor * low, factor * high));
    Estimate { median: factor * estimate.median, interval }
}

/// What was the limit, as a mark and in words.
fn limit(limiter: Limiter, clients_served: usize, clients: usize) -> (Look, String) {
    if clients_served < clients {
        return (Look::Cross, format!("only {clients_served} of {clients} clients were served"));
    }
    let (look, words) = match limiter {
        Limiter::Generator => (Look::Hollow, "the generator was the limit: the server could do more"),
        Limiter::Server => (Look::Filled, "the server was the limit"),
        Limiter::Clients => (Look::Filled, "in most rounds some clients were not served"),
        Limiter::Neither => (Look::Filled, "neither side was busy all the time"),
        Limiter::Unreached => (Look::Filled, "the rate was not reached"),
    };
    (look, words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::servers;
    use super::*;
    use lab_core::stats::{Percentiles, median};
    use records::sample::record;
    use records::{Idle, OpenLoop};

    fn drawn(records: &[Record], id: &str) -> Plot {
        let plot = all(records, &servers::of(records)).into_iter().find(|plot| plot.id == id);
        plot.unwrap_or_else(|| panic!("{id} is not drawn"))
    }

    /// Rounds of every phase, with two that do not count.
    fn every_phase() -> Vec<Record> {
        let mut records = Vec::new();
        for (round, speed) in [10.0, 30.0, 20.0].into_iter().enumerate() {
            for phase in [Phase::Survey, Phase::Paired, Phase::Latency, Phase::Idle, Phase::Table] {
                let mut record = record("04", "wrk", 64, true, speed + round as f64);
                record.phase = phase;
                record.figures.as_mut().expect("measured").context_switches = Some(speed as u64);
                let wait = speed as u64;
                let latency_us = Percentiles { p50: wait, p90: wait, p99: 2 * wait, p99_9: wait, max: wait };
                let open =
                    OpenLoop { rate: 10.0, share_of_peak: Some(0.5), latency_us, late: 0, never_sent: 0 };
                let idle = Idle { connections: 9, silent_bytes: speed, served_bytes: 2.0 * speed };
                match phase {
                    Phase::Paired => record.floor_around = Some([10.0, 20.0]),
                    Phase::Latency => record.open_loop = Some(open),
                    Phase::Idle => record.idle = Some(idle),
                    _ => {}
                }
                let mut dropped = record.clone();
                (dropped.dropped, dropped.concurrency) = (true, 64);
                records.extend([dropped, record]);
            }
            records.push(record("05", "wrk", 64, true, speed));
        }
        records
    }

    #[test]
    fn a_rate_that_was_not_reached_has_no_latency() {
        let mut record = record("04", "builtin", 64, true, 10.0);
        record.phase = Phase::Latency;
        let latency_us = Percentiles { p50: 300_000, p90: 0, p99: 594_000, p99_9: 0, max: 0 };
        let open = OpenLoop { rate: 9.0, share_of_peak: Some(0.5), latency_us, late: 0, never_sent: 0 };
        record.open_loop = Some(open);
        let look = |record: &Record| drawn(std::slice::from_ref(record), "latency").points[0].look;
        assert_eq!(look(&record), Look::Filled);
        record.open_loop = Some(OpenLoop { rate: 90.0, never_sent: 80, ..open });
        assert_eq!(look(&record), Look::Missed);
    }

    #[test]
    fn every_point_is_the_median_of_the_records_that_it_names() {
        let records = every_phase();
        let plots = all(&records, &servers::of(&records));
        assert_eq!(plots.len(), 6, "one of each");
        for plot in &plots {
            for point in &plot.points {
                let figures: Vec<f64> = point.rounds.iter().map(|(_, figure)| *figure).collect();
                assert_eq!(median(&figures), Some(point.y), "{}: {point:?}", plot.id);
                let of_others = point.rounds.iter().filter(|(at, _)| {
                    let record = &records[*at];
                    record.dropped || (record.stage == "05") != (point.server == 1)
                });
                assert_eq!(of_others.count(), 0, "{}: {point:?}", plot.id);
            }
        }
    }

    #[test]
    fn what_was_skipped_is_a_gap_with_its_reason() {
        let mut skipped = record("01", "ab", 64, true, 1.0);
        (skipped.figures, skipped.skipped) = (None, Some("ab would hang: 1 of 64".into()));
        let plot = drawn(&[record("04", "wrk", 64, true, 1.0), skipped], "speed");
        assert_eq!((plot.gaps.len(), plot.gaps[0].reason.as_str()), (1, "ab would hang"));
    }

    #[test]
    fn a_server_like_the_floor_is_not_told_from_it() {
        let mut records = Vec::new();
        for (stage, costs) in
            [("floor", [10.0, 10.2, 9.9, 10.1, 10.0]), ("04", [10.1, 10.0, 10.3, 9.9, 10.0])]
        {
            records.extend(costs.map(|cost| {
                let mut record = record(stage, "wrk", 64, true, 1e6 / cost);
                (record.phase, record.floor_around) = (Phase::Paired, Some([10.0, 10.0]));
                record
            }));
        }
        let notes: Vec<_> =
            drawn(&records, "ratio").points.into_iter().filter_map(|point| point.note).collect();
        assert_eq!(notes, ["not distinguishable", "the floor against itself"]);
    }
}
