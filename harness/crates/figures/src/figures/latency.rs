//! How long requests wait at a share of the server's own peak.

use super::data::{Data, servers, signs};
use crate::model::{Axis, Figure, Look, Measure, Plot, Point, Points, Scale, Show, Unit, together};
use anyhow::Result;
use lab_core::stats::{Estimate, Percentiles, median};
use lab_core::units::number;
use records::{Bottleneck, LatencyCurve, LatencyPoint, OpenLoop, Phase, Record, latencies};

/// One of a distribution: its name, its words, how it is read from a point and from a record, and whether the
/// picture has it.
type Percentile = (&'static str, &'static str, fn(&LatencyPoint) -> Estimate, fn(&Percentiles) -> u64, bool);

const PERCENTILES: [Percentile; 4] = [
    ("p50", "half of the requests (p50) waited at most", |point| point.p50, |latency| latency.p50, true),
    ("p90", "9 of 10 (p90) waited at most", |point| point.p90, |latency| latency.p90, false),
    ("p99", "99 of 100 (p99) waited at most", |point| point.p99, |latency| latency.p99, true),
    ("p99.9", "999 of 1,000 (p99.9) waited at most", |point| point.p99_9, |latency| latency.p99_9, true),
];
/// What is looked at first: the wait that one of a hundred exceeds.
const FIRST: usize = 2;

/// The open loops of each server, if there are any.
pub(super) fn build(data: &Data) -> Result<Vec<Figure>> {
    let (curves, records) = (latencies(&data.records), data.of_phase(Phase::Latency));
    if curves.is_empty() {
        return Ok(Vec::new());
    }
    let title = "How long requests wait, at a share of each server's own peak (open loop)";
    let mut figure = data.figure("latency", title.to_owned(), &records);
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let mut shares: Vec<f64> = all().filter_map(|point| point.share_of_peak).collect();
    shares.sort_by(f64::total_cmp);
    shares.dedup();
    let measure = |(name, says, _, _, drawn): Percentile| {
        let measure = Measure::new(name, "latency", Unit::Micros, Scale::Log);
        Measure { says: says.to_owned(), drawn, ..measure }
    };
    let mut points = Points {
        x: Some(Axis {
            label: "share of the server's own peak".into(),
            scale: Scale::Bands(shares.iter().map(|share| Unit::Percent.text(100.0 * share)).collect()),
            ..Axis::default()
        }),
        measures: together(PERCENTILES.map(measure).into()),
        first: FIRST,
        show: Show::Marks,
        series: servers(curves.iter().map(|curve| (curve.stage.as_str(), curve.title.as_str()))),
        gaps: data.gaps(&records, |_| Some(Vec::new())),
        ..Points::default()
    };
    for curve in &curves {
        let Some(series) = points.series_of(&curve.stage) else { continue };
        points.series[series].remark = Some((None, peak(curve)));
        for point in &curve.points {
            let x = shares.iter().position(|&share| Some(share) == point.share_of_peak).unwrap_or(0) as f64;
            let of = |measure| self::point(data, &curve.stage, point, measure);
            let its = (0..PERCENTILES.len()).map(|measure| Point { series, x, measure, ..of(measure) });
            points.points.extend(its);
        }
    }
    figure.about = "Requests leave at fixed times, whether answers come or not; a wait counts from the \
                    intended time of sending to the whole reply. Each server has its own peak, so compare \
                    the shapes at a share, not at a rate. The peak (100 %) is what the built-in generator, \
                    which sends these requests too, got from the server in a closed loop just before; it is \
                    not wrk's figure."
        .into();
    figure.notes = notes(&points, all());
    figure.plot = Plot::Points(points);
    Ok(vec![figure])
}

fn point(data: &Data, stage: &str, at: &LatencyPoint, measure: usize) -> Point {
    let (_, _, estimate, read, _) = PERCENTILES[measure];
    let rounds = data.rounds(|record| {
        let open = open(record).filter(|_| record.key.server == stage)?;
        // As the points are put together: a computed share is not always the same number.
        let is_here = (open.share_of_peak? - at.share_of_peak?).abs() < 0.000_6;
        is_here.then(|| read(&open.latency_us) as f64)
    });
    let (look, words) = match at.limiter {
        _ if !at.reached => (Look::Missed, "the rate was not reached"),
        Bottleneck::Generator | Bottleneck::Both => (Look::Hollow, "limit: the generator"),
        Bottleneck::Clients => (Look::Cross, "some clients were not served"),
        Bottleneck::Server => (Look::Filled, "limit: the server"),
        Bottleneck::Neither | Bottleneck::Unreached => (Look::Filled, ""),
    };
    let mut note = format!("planned {}/s, answered {}/s", number(at.rate), number(at.answered));
    if !words.is_empty() {
        note += &format!("; {words}");
    }
    if at.late_share > 0.0 {
        note += &format!("; {:.2} % late", 100.0 * at.late_share);
    }
    if at.errors > 0 {
        note += &format!("; {} errors in all rounds", at.errors);
    }
    Point { look, note: Some(note), ..Point::new(0, 0.0, estimate(at), rounds) }
}

fn open(record: &Record) -> Option<&OpenLoop> {
    record.open_loop().filter(|_| record.key.phase == Phase::Latency && record.figures().is_some())
}

/// `100 % = 61,000/s; late: 0.2 %`: what the shares are of, and how far the loop was not open.
fn peak(curve: &LatencyCurve) -> String {
    let peaks: Vec<f64> =
        curve.points.iter().filter_map(|point| Some(point.rate / point.share_of_peak?)).collect();
    let reached = curve.points.iter().filter(|point| point.reached);
    let late = match 100.0 * reached.map(|point| point.late_share).fold(0.0, f64::max) {
        none if none < 0.05 => String::new(),
        few => format!("; late: {few:.1} %"),
    };
    format!("100 % = {}/s{late}", Unit::Count.text(median(&peaks).unwrap_or(f64::NAN).round()))
}

fn notes<'a>(points: &Points, all: impl Iterator<Item = &'a LatencyPoint> + Clone) -> Vec<String> {
    let mut notes = vec![signs(
        points,
        &[
            (
                Look::Missed,
                "Arrow at the top edge: the rate was not reached, because of the server, the generator or \
                 other programs. How long a request waits then depends on how long one measures, so there is \
                 no latency to show.",
            ),
            (Look::Hollow, "Hollow: the generator was the limit, so part of the waiting is its own."),
            (Look::Cross, "Cross: some of the clients got no answer at all."),
        ],
    )];
    notes.push("The percentiles of one share stand side by side.".into());
    if all.clone().filter(|point| point.reached).any(|point| point.late_share >= 0.0005) {
        notes.push(
            "Late: requests that left more than a millisecond after their time, or never, at the worst \
             share; their waiting is in the figures."
                .into(),
        );
    }
    let errors: u64 = all.map(|point| point.errors).sum();
    if errors > 0 {
        notes.push(format!("{errors} requests failed; they are in no percentile."));
    }
    notes
}
