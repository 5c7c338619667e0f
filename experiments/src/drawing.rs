//! A chart of a record as a picture, in the style of the lab's other figures.

use crate::ledger;
use crate::report::{Axis, Chart, Figures};
use crate::store::Record;
use anyhow::Result;
use figures::model::{self, Interval, Marker, Panel, Plot, Points, Scale, Series, Style, Unit};
use std::collections::BTreeSet;

/// The SVG text of a record's chart, if it has one. `data` is the name of the file that the record is in.
///
/// # Errors
/// When it cannot be drawn.
pub(crate) fn draw(record: &Record, data: &str) -> Result<Option<String>> {
    let chart = record.report.chart.as_ref();
    chart.map(|chart| figures::picture(&figure(record, chart, data))).transpose()
}

fn figure(record: &Record, chart: &Chart, data: &str) -> model::Figure {
    let judgement = &record.report.judgement;
    let claim = ledger::find(&record.id).map_or(record.claim.as_str(), |claim| claim.text);
    model::Figure {
        id: record.id.clone(),
        title: chart.title.clone(),
        finding: Some(format!("The claim: {claim} Here: {}.", judgement.verdict.word())),
        subtitle: vec![format!(
            "{} run, {}, {}; data: {data}",
            record.profile.word(),
            record.host.summary(),
            record.host.commit_name()
        )],
        notes: chart.y.line.iter().map(|(_, what)| format!("The black line: {what}.")).collect(),
        whiskers: whiskers(&record.report.figures),
        plot: Plot::Points(points(chart)),
        command: format!("./lab experiment {}", record.id),
        ..model::Figure::default()
    }
}

fn points(chart: &Chart) -> Points {
    let of = |axis: &Axis| if axis.is_logarithmic { Scale::Log } else { Scale::Linear };
    let mut points = Points {
        x: Some(model::Axis { label: chart.x.label.clone(), scale: of(&chart.x), ..model::Axis::default() }),
        panels: vec![Panel {
            lines: chart.y.line.iter().map(|(value, _)| *value).collect(),
            ..Panel::new("values", &chart.y.label, Unit::Count, of(&chart.y))
        }],
        ..Points::default()
    };
    for (at, series) in chart.series.iter().enumerate() {
        let (name, label) = (series.name.clone(), series.name.clone());
        let style = Style::series(at);
        points.series.push(Series { server: String::new(), name, label, style, remark: None });
        points.points.extend(series.points.iter().map(|point| model::Point {
            series: at,
            panel: 0,
            mark: 0,
            x: point.x,
            value: point.y,
            interval: point.interval.map(|(low, high)| Interval { low, high, of: String::new() }),
            marker: Marker::Filled,
            note: None,
            text: None,
            records: Vec::new(),
        }));
    }
    points
}

/// What the whiskers are.
fn whiskers(figures: &Figures) -> String {
    let with_interval = figures.0.iter().filter(|figure| figure.interval.is_some());
    let kinds: BTreeSet<&str> = with_interval.map(|figure| figure.interval_is.as_str()).collect();
    let kinds: Vec<&str> = kinds.into_iter().collect();
    if kinds.is_empty() { String::new() } else { format!("Whiskers: {}.", kinds.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{self, Point};
    use crate::store::tests::record;

    /// Protects a reader from a picture without units, intervals or origin.
    #[test]
    fn a_picture_has_its_axes_its_whiskers_and_its_data() {
        let point = |x, y| Point { x, y, interval: Some((0.9 * y, 1.1 * y)) };
        let series = |name: &str, y| report::Series {
            name: name.to_owned(),
            points: vec![point(1.0, y), point(64.0, 2.0 * y)],
        };
        let mut record = record("units", "2026-01-02T03:04:05Z");
        record.report.figures = Figures(vec![report::Figure {
            interval: Some((1.0, 2.0)),
            interval_is: "the range".into(),
            ..report::Figure::exact("x", "µs", 1.5)
        }]);
        assert_eq!(draw(&record, "x.jsonl").expect("nothing to draw"), None);
        record.report.chart = Some(Chart {
            title: "What it costs".into(),
            x: Axis::logarithmic("clients at once"),
            y: Axis::linear("CPU time, µs").with_line(4.0, "as it was"),
            series: vec![series("one <way>", 3.0), series("another way", 5.0)],
        });
        let svg = draw(&record, "x-claims.jsonl").expect("it is drawn").expect("there is a chart");
        for words in [
            "What it costs",
            "clients at once",
            "CPU time, µs",
            "one &lt;way&gt;",
            "another way",
            "Whiskers: the range.",
            "The black line: as it was.",
            "x-claims.jsonl",
            "refuted",
        ] {
            assert!(svg.contains(words), "{words} is missing:\n{svg}");
        }
    }
}
