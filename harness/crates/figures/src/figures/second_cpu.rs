//! What each design makes of a second CPU.

use super::data::{Data, Line, distinct, only, servers};
use crate::model::{Figure, Interval, Marker, Panel, Point, Points, Scale, Unit, groups};
use crate::sample::{Change, Sample};
use records::{Phase, Record};

/// What is said where the machine has no third CPU.
const SHARED: &str = "On two CPUs the generator shares them with the server, since the machine has no third. \
    It takes little of them for a dear request, and about half of them for GET /: that picture shows what \
    server and generator do together, so it cannot tell servers apart.";

/// The factor from one CPU to two, a picture for each path.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let lines = data.in_one_state(data.of(&[Phase::Cpus]));
    let measured = only(&lines, |record| record.figures().is_some());
    let mut paths = distinct(&measured, |record| record.key.path.as_str());
    // The dear request first: there the server is the limit.
    paths.sort_by_key(|path| *path == "/");
    let label = "times as fast on two CPUs as on one";
    let panel = |path: &&str| Panel {
        lines: vec![1.0, 2.0],
        ..Panel::new(&format!("GET {path}"), label, Unit::Hundredths, Scale::Linear)
    };
    let mut points =
        Points { panels: paths.iter().map(panel).collect(), series: servers(&measured), ..Points::default() };
    for series in 0..points.series.len() {
        for (panel, path) in paths.iter().enumerate() {
            let is_here = |record: &Record| {
                record.key.server == points.series[series].server && record.key.path == *path
            };
            let its = only(&measured, is_here);
            if let Some(change) = factor(&its) {
                points.points.push(point(series, panel, &its, change));
            }
        }
    }
    if points.points.is_empty() {
        return Vec::new();
    }
    points.write_values();
    let shares = |line: &Line| {
        let context = &line.record.context;
        context.server_cpus.iter().any(|cpu| context.generator_cpus.contains(cpu))
    };
    let shared = measured.iter().any(shares).then_some(SHARED);
    let colours = groups(&points.series);
    let mut figure = data.figure("second-cpu", "What is a second CPU worth?", &lines, points);
    figure.about =
        "A factor of 1: the second CPU is idle; 2: it does as much as the first. Whiskers: the factor's 95 \
         % interval, or what the ranges of few rounds allow."
            .into();
    figure.notes.extend(shared.map(str::to_owned).into_iter().chain([colours]));
    vec![figure]
}

/// The speeds on so many CPUs.
fn on(cpus: usize, lines: &[Line]) -> Sample {
    let mut sample = Sample::default();
    for line in lines.iter().filter(|line| line.record.key.cpus == Some(cpus)) {
        line.record.figures().into_iter().for_each(|f| sample.push(line.file, f.requests_per_second));
    }
    sample
}

/// The speed on two CPUs over that on one.
pub(crate) fn factor(lines: &[Line]) -> Option<Change> {
    on(2, lines).over(&on(1, lines))
}

/// Each record's own value is its speed over the median on one CPU.
fn point(series: usize, panel: usize, lines: &[Line], change: Change) -> Point {
    let (low, high) = (change.low, change.high);
    let one = on(1, lines).median().unwrap_or(f64::NAN);
    let own = |line: &Line| Some((line.file, line.line, line.record.figures()?.requests_per_second / one));
    Point {
        series,
        panel,
        mark: 0,
        x: 0.0,
        value: change.ratio,
        interval: (low < high).then(|| Interval { low, high, of: "the factor's interval".into() }),
        marker: Marker::Filled,
        note: None,
        text: None,
        records: lines.iter().filter_map(own).collect(),
    }
}
