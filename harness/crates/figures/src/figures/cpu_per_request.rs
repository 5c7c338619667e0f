//! What a request costs each server, as a multiple of the floor's cost around it.

use super::data::{Data, servers};
use crate::model::{Figure, Measure, Plot, Point, Points, Reference, Scale, Unit};
use anyhow::Result;
use lab_core::stats::Estimate;
use records::{FLOOR, Pair, Phase, pairs};

/// If it was measured in pairs.
pub(super) fn build(data: &Data) -> Result<Vec<Figure>> {
    let (pairs, records) = (pairs(&data.records), data.of_phase(Phase::Paired));
    let Some(first) = records.first() else { return Ok(Vec::new()) };
    let title = format!(
        "What a request costs with {} kept connections ({}), each run between two runs of the floor",
        first.key.concurrency, first.key.tool
    );
    let mut figure = data.figure("cpu-per-request", title, &records);
    figure.about = "Each run stands between two runs of the floor and is divided by their mean: a figure \
                    that survives a slow generator and a busy machine."
        .into();
    let axis = "server CPU time per request ÷ the floor's";
    let floor = pairs.iter().find(|pair| pair.stage == FLOOR);
    let mut points = Points {
        measures: vec![Measure::new("÷ floor", axis, Unit::Hundredths, Scale::Around(1.0))],
        series: servers(pairs.iter().map(|pair| (pair.stage.as_str(), pair.title.as_str()))),
        references: vec![Reference::Line(1.0)],
        gaps: data.gaps(&records, |_| Some(Vec::new())),
        figures: true,
        ..Points::default()
    };
    if let Some((low, high)) = floor.and_then(|floor| floor.interval) {
        points.references.push(Reference::Band(low, high));
        figure.notes.push(
            "Grey band: the floor against itself. A server whose line touches it cannot be told from the \
             floor here."
                .into(),
        );
    }
    for series in points.series.iter_mut().filter(|series| series.server == FLOOR) {
        series.label = "floor against itself".into();
    }
    for pair in &pairs {
        let Some(series) = points.series_of(&pair.stage) else { continue };
        points.points.push(point(data, pair, floor, series));
    }
    figure.plot = Plot::Points(points);
    Ok(vec![figure])
}

fn point(data: &Data, pair: &Pair, floor: Option<&Pair>, series: usize) -> Point {
    let rounds = data.rounds(|record| {
        let is_of_pair = record.key.phase == Phase::Paired && record.key.server == pair.stage;
        record.ratio_to_floor().filter(|_| is_of_pair)
    });
    let verdict = floor.and_then(|floor| pair.verdict(floor));
    let differs = |floor: &Pair| if pair.ratio > floor.ratio { "costs more" } else { "costs less" };
    let estimate = Estimate { median: pair.ratio, interval: pair.interval };
    Point {
        // That the floor is the floor, its name says.
        aside: verdict.filter(|_| pair.stage != FLOOR).map(String::from),
        note: floor.map(|floor| verdict.unwrap_or(differs(floor)).to_owned()),
        ..Point::new(series, 0.0, estimate, rounds)
    }
}
