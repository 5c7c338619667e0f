//! Rounds put together: how records become points.

use super::data::{Line, is_measured};
use super::legend::reason;
use crate::model::{Marker, Point, Points, Unit};
use crate::sample::Sample;
use records::{Bottleneck, Record};
use std::collections::BTreeMap;

/// Of a point that was measured and has no such value.
const UNKNOWN: &str = "not known";

/// Where a record's value stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Place {
    pub(super) panel: usize,
    pub(super) mark: usize,
    pub(super) x: f64,
}

impl Place {
    pub(super) fn panel(panel: usize) -> Self {
        Self { panel, ..Self::default() }
    }
}

impl Points {
    /// Puts records together: those of one server at one place are a point. Its value is the median of
    /// theirs, and its marker says what was the limit, where `limits` asks for that. Where every round was
    /// skipped, there is a point without a value that says why.
    pub(super) fn add(
        &mut self,
        lines: &[Line],
        limits: bool,
        place: impl Fn(&Record) -> Option<Place>,
        value: impl Fn(&Record) -> Option<f64>,
    ) {
        type Group<'a> = (Place, Vec<Line<'a>>);
        let mut groups: BTreeMap<(usize, usize, usize, u64), Group> = BTreeMap::new();
        for line in lines {
            let Some(place) = place(line.record) else { continue };
            let Some(series) = self.series_of(line.record) else { continue };
            let key = (series, place.panel, place.mark, place.x.to_bits());
            groups.entry(key).or_insert((place, Vec::new())).1.push(*line);
        }
        for ((series, ..), (place, lines)) in groups {
            let unit = self.panels.get(place.panel).map_or(Unit::Short, |panel| panel.axis.unit);
            self.points.push(point(series, place, &lines, (limits, unit), &value));
        }
    }

    /// Which of the series a record belongs to. A series that is no server has a name of its own.
    fn series_of(&self, record: &Record) -> Option<usize> {
        let named = self.series.iter().position(|series| series.label == record.key.title);
        named.or_else(|| self.series.iter().position(|series| series.server == record.key.server))
    }

    /// Says why a point that was measured has no such value.
    pub(super) fn explain(&mut self, why: &str) {
        let is_unknown = |point: &&mut Point| point.note.as_deref() == Some(UNKNOWN);
        self.points.iter_mut().filter(is_unknown).for_each(|point| point.note = Some(why.into()));
    }

    /// `12.9`, with its interval: beside each row.
    pub(super) fn write_values(&mut self) {
        for point in &mut self.points {
            let unit = self.panels[point.panel].axis.unit;
            let value = unit.text(point.value);
            let value = match self.marks.get(point.mark) {
                Some(mark) => format!("{} {value}", mark.name),
                None => value,
            };
            let text = point.text.take().map_or(value.clone(), |text| format!("{value}, {text}"));
            point.text = Some(text);
        }
    }
}

/// Rounds put together.
pub(super) fn point(
    series: usize,
    place: Place,
    lines: &[Line],
    (limits, unit): (bool, Unit),
    value: impl Fn(&Record) -> Option<f64>,
) -> Point {
    let mut sample = Sample::default();
    let mut records = Vec::new();
    let why = lines.iter().find_map(|line| line.record.skipped()).map(reason);
    let lines: Vec<Line> = lines.iter().filter(|line| is_measured(line.record)).copied().collect();
    for line in &lines {
        let Some(value) = value(line.record).filter(|value| value.is_finite()) else { continue };
        sample.push(line.file, value);
        records.push((line.file, line.line, value));
    }
    let (marker, note) = limit(&lines, limits);
    let runs = sample.by_run();
    let runs = (!runs.is_empty()).then(|| format!("medians of the runs: {}", texts(&runs, unit)));
    let note: Vec<String> = [note, runs.unwrap_or_default()].into_iter().filter(|n| !n.is_empty()).collect();
    let note = (!note.is_empty()).then(|| note.join("; "));
    let (marker, note) = match sample.median() {
        Some(_) => (marker, note),
        None if lines.is_empty() => (Marker::Missed, why),
        None => (Marker::Missed, Some(UNKNOWN.into())),
    };
    Point {
        series,
        panel: place.panel,
        mark: place.mark,
        x: place.x,
        value: sample.median().unwrap_or(f64::NAN),
        interval: sample.interval(),
        marker,
        note,
        text: None,
        records,
    }
}

fn texts(values: &[f64], unit: Unit) -> String {
    values.iter().map(|value| unit.text(*value)).collect::<Vec<_>>().join(", ")
}

/// What was the limit in most rounds, as a marker and in words; of two that are equally frequent the one less
/// in favour of the server.
fn limit(lines: &[Line], limits: bool) -> (Marker, String) {
    let clients = lines.iter().map(|line| line.record.key.concurrency).max().unwrap_or(0);
    let served = lines.iter().map(|line| line.record.served().clients).min().unwrap_or(0);
    let errors = lines.iter().filter_map(|line| line.record.figures()).map(|figures| figures.errors);
    let errors = errors.sum::<u64>();
    let errors = if errors > 0 { format!("; {errors} errors in all rounds") } else { String::new() };
    if served < clients {
        return (Marker::Cross, format!("{served} of {clients} clients served{errors}"));
    }
    let count = |kind: &Bottleneck| {
        let figures = lines.iter().filter_map(|line| line.record.figures());
        figures.filter(|figures| figures.limiter == *kind).count()
    };
    // max_by_key takes the last of equals.
    let order = [
        (Bottleneck::Server, Marker::Filled, "limit: the server"),
        (Bottleneck::Both, Marker::Hollow, "limit: both"),
        (Bottleneck::Neither, Marker::Hollow, "limit: neither"),
        (Bottleneck::Generator, Marker::Hollow, "limit: the generator"),
        (Bottleneck::Unreached, Marker::Hollow, "the rate was not reached"),
        (Bottleneck::Clients, Marker::Cross, "some clients were not served in most rounds"),
    ];
    match order.into_iter().max_by_key(|(kind, ..)| count(kind)) {
        Some((_, marker, words)) if limits => (marker, format!("{words}{errors}")),
        _ => (Marker::Filled, errors.trim_start_matches("; ").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::sample::record;

    #[test]
    fn equally_many_rounds_are_decided_against_the_server() {
        let mut records = [record("05", "wrk", 64, true, 1.0), record("05", "wrk", 64, true, 1.0)];
        records[1].figures_mut().expect("measured").limiter = Bottleneck::Generator;
        let lines = [0, 1].map(|line| Line { file: 0, line, record: &records[line] });
        assert_eq!(limit(&lines, true), (Marker::Hollow, "limit: the generator".into()));
        assert_eq!(limit(&[lines[1], lines[0]], true).0, Marker::Hollow);
        assert_eq!(limit(&lines, false).0, Marker::Filled);
    }
}
