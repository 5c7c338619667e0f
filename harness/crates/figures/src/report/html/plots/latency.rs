//! How long requests wait, against the load.

use super::{Choice, Form, Lab, Look, Plot, Point, limit, scaled};
use lab_core::stats::{Estimate, Percentiles};
use lab_core::units::number;
use records::{LatencyPoint, OpenLoop, Phase, Record, latencies};

/// Records have µs.
const MS: f64 = 1.0 / 1000.0;

/// What a reader chooses from: its name, its estimate, and how it is read from a record.
type Percentile = (&'static str, fn(&LatencyPoint) -> Estimate, fn(&Percentiles) -> u64);

/// What is looked at first: the wait that one of a hundred exceeds.
const PERCENTILES: [Percentile; 4] = [
    ("99 %", |point| point.p99, |latency| latency.p99),
    ("50 %", |point| point.p50, |latency| latency.p50),
    ("90 %", |point| point.p90, |latency| latency.p90),
    ("99.9 %", |point| point.p99_9, |latency| latency.p99_9),
];

pub(super) fn plot(lab: &Lab) -> Plot {
    let options = PERCENTILES.map(|(name, _, _)| name.to_owned()).into();
    let mut points = Vec::new();
    for curve in latencies(lab.records) {
        for at in &curve.points {
            points.extend((0..PERCENTILES.len()).filter_map(|option| point(lab, &curve.stage, at, option)));
        }
    }
    Plot {
        id: "latency",
        title: "How long requests wait, against the load".into(),
        about: "An open loop of the built-in generator: requests leave at fixed times, whether answers come or not, at a share \
                of the peak that the same generator found. Counted from the intended time of sending to the whole reply. \
                Choose how many of the requests waited no longer than what is drawn."
            .into(),
        picture: "latency",
        files: Vec::new(),
        form: Form::Lines,
        y: "latency, ms",
        x: "load, as a share of the server's peak",
        doubling: false,
        suffix: " %",
        baseline: None,
        logarithmic: true,
        choices: vec![Choice { id: "share", label: "Requests that waited no longer", options }],
        points,
        gaps: lab.gaps(&[Phase::Latency], |_| Some(Vec::new())),
    }
}

fn point(lab: &Lab, stage: &str, at: &LatencyPoint, option: usize) -> Option<Point> {
    let (_, estimate, read) = PERCENTILES[option];
    let rounds = lab.rounds(|record| {
        let open = open(record).filter(|_| record.stage == stage)?;
        // As the points are put together: a computed share is not always the same number.
        let is_here = (open.share_of_peak? - at.share_of_peak).abs() < 0.000_6;
        is_here.then(|| MS * read(&open.latency_us) as f64)
    });
    let (look, words) = limit(at.limiter, 1, 1);
    let mut note =
        format!("planned {}, answered {} requests per second", number(at.rate), number(at.answered));
    note += &if at.reached { format!("; {words}") } else { "; the rate was not reached".into() };
    let look = if at.reached { look } else { Look::Missed };
    if at.late_share > 0.0 {
        note += &format!("; {:.2} % left late or never", 100.0 * at.late_share);
    }
    if at.errors > 0 {
        note += &format!("; {} errors in all rounds", at.errors);
    }
    let point = Point::new(lab.server(stage)?, 100.0 * at.share_of_peak, scaled(estimate(at), MS), rounds);
    Some(Point { options: vec![option], look, note: Some(note), ..point })
}

fn open(record: &Record) -> Option<&OpenLoop> {
    record.open_loop.as_ref().filter(|_| record.phase == Phase::Latency && record.figures.is_some())
}
