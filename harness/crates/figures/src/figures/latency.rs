//! How long requests wait at a fixed rate.

use super::data::{Data, Line, distinct, only, servers};
use super::legend::skipped;
use super::points::Place;
use crate::model::{Axis, Figure, Panel, Point, Points, Scale, Unit, groups};
use lab_core::stats::{Percentiles, median};
use lab_core::units::{number, time};
use records::{Phase, Record};
use std::collections::BTreeMap;

/// The wait that figures and findings are about, µs.
pub(crate) const LIMIT: f64 = 1000.0;

/// Why a rate that was not reached has no wait.
pub(super) const BEHIND: &str = "the rate was not reached: the wait would say how long the run was";

/// Why a point in which the loop was not open is left out.
const LATE: &str = "requests left late: the generator was behind, and part of the wait would be its own";

/// Measures of one path: p99 is drawn, the page and the tables have the others.
type Read = fn(&Percentiles) -> u64;
const PERCENTILES: [(&str, Read); 4] =
    [("p99", |p| p.p99), ("p50", |p| p.p50), ("p90", |p| p.p90), ("p99.9", |p| p.p99_9)];

/// The percentile that the question is asked of.
pub(crate) struct Asked {
    /// `p99`.
    pub(crate) name: &'static str,
    /// How many of 100 requests waited at most so long.
    of_100: u64,
    /// Its wait, µs.
    pub(crate) read: Read,
    /// The floor's p99 at the lowest rate, µs, and that rate, where it is above the limit.
    floor: Option<(f64, f64)>,
}

impl Asked {
    /// p99, if the machine lets anybody keep it below the limit: if the floor does, which only answers, at
    /// the lowest rate. Else p90: the p99 of a machine that stalls says nothing of a server.
    pub(crate) fn of(lines: &[Line]) -> Self {
        let p99 = Self { name: "p99", of_100: 99, read: |p| p.p99, floor: None };
        let of_floor = only(lines, |record| record.key.server == "floor" && record.key.path == "/");
        let rate = |line: &Line| line.record.open_loop().map(|open| open.rate);
        let Some(least) = of_floor.iter().filter_map(rate).min_by(f64::total_cmp) else { return p99 };
        let at_least = of_floor.iter().filter(|line| rate(line) == Some(least));
        let waits = at_least.filter_map(|line| Some(line.record.open_loop()?.latency_us.p99 as f64));
        match median(&waits.collect::<Vec<_>>()) {
            Some(wait) if wait > LIMIT => {
                Self { name: "p90", of_100: 90, read: |p| p.p90, floor: Some((wait, least)) }
            }
            _ => p99,
        }
    }

    /// Why it is not p99, or nothing.
    fn why(&self) -> String {
        self.floor.map_or_else(String::new, |(wait, rate)| {
            format!(
                "p99 is not asked here: that of the floor, which only answers, is {} at {}/s already, since the \
                 machine itself stalls for more than one request in a hundred. p99 is in the table.",
                time(wait),
                number(rate)
            )
        })
    }
}

/// The open loops, if there are any.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let lines = data.in_one_state(data.of(&[Phase::Latency]));
    let measured = only(&lines, |record| record.open_loop().is_some());
    if measured.is_empty() {
        return Vec::new();
    }
    let paths = distinct(&measured, |record| record.key.path.as_str());
    let per_path = PERCENTILES.len() + 1;
    let asked = Asked::of(&measured);
    let asked_at = PERCENTILES.iter().position(|(name, _)| *name == asked.name).unwrap_or(0);
    let mut points = Points {
        x: Some(Axis {
            label: "requests per second, sent at fixed times".into(),
            scale: Scale::Log,
            ..Axis::default()
        }),
        panels: paths.iter().flat_map(|path| panels(path, asked.name)).collect(),
        series: servers(&lines),
        ..Points::default()
    };
    let at_rates = at_rates(&measured);
    let rate = |record: &Record| at_rates.get(&rate_key(record)?).map(|at| at.rate);
    let is_late = |record: &Record| {
        let key = rate_key(record);
        key.and_then(|key| at_rates.get(&key)).is_some_and(|at| at.is_late)
    };
    // A point that is left out has its row in the table all the same.
    for (is_shown, why) in [(true, BEHIND), (false, LATE)] {
        for (at, path) in paths.iter().enumerate() {
            let its = only(&measured, |record| record.key.path == *path && is_late(record) != is_shown);
            let mut add = |panel: usize, value: &dyn Fn(&Record) -> Option<f64>| {
                let place =
                    |record: &Record| Some(Place { panel: per_path * at + panel, mark: 0, x: rate(record)? });
                points.add(&its, false, place, |record| value(record).filter(|_| is_shown));
            };
            for (panel, (_, read)) in PERCENTILES.into_iter().enumerate() {
                let wait = |record: &Record| Some(read(&record.open_loop()?.latency_us) as f64);
                add(panel, &|record| wait(record).filter(|_| is_reached(record)));
            }
            add(PERCENTILES.len(), &|record| server_share(record).map(|share| 100.0 * share));
        }
        points.explain(why);
    }
    for at in 0..points.series.len() {
        let limits = paths.iter().enumerate().filter_map(|(path, name)| {
            let words = limit_of(&points, at, per_path * path + asked_at)?;
            Some(format!("{name} {words}"))
        });
        let limits = limits.collect::<Vec<_>>().join("; ");
        points.series[at].remark = (!limits.is_empty()).then_some(limits);
    }
    let colours = groups(&points.series);
    let title = format!("How much load before {} passes 1 ms?", asked.name);
    let mut figure = data.figure("latency", &title, &lines, points);
    figure.about = format!(
        "Requests leave at fixed times, whether answers come or not; a wait counts from the intended time of \
         sending to the whole reply, and {} of 100 waited at most {}. Below each name: the rates at which its \
         lines pass 1 ms. The server's share of its CPU at each rate is in the table and, on the page, a \
         picture.",
        asked.of_100, asked.name
    );
    figure.notes.extend([
        colours,
        asked.why(),
        format!(
            "{} of {} points are left out, since more than 1 % of the requests left late in half of the rounds \
             or more.",
            at_rates.values().filter(|at| at.is_late).count(),
            at_rates.len()
        ),
        skipped(&lines),
    ]);
    vec![figure]
}

fn panels(path: &str, asked: &'static str) -> impl Iterator<Item = Panel> {
    let percentiles = PERCENTILES.into_iter().map(move |(name, _)| Panel {
        hidden: name != asked,
        lines: vec![LIMIT],
        ..Panel::new(&format!("{name}, GET {path}"), &format!("{name} of the wait"), Unit::Micros, Scale::Log)
    });
    let busy = Panel {
        hidden: true,
        ..Panel::new(
            &format!("CPU, GET {path}"),
            "share of its CPU that the server used",
            Unit::Percent,
            Scale::Linear,
        )
    };
    percentiles.chain([busy])
}

/// The rates of one point differ from round to round where they are shares of a peak.
fn rate_key(record: &Record) -> Option<(String, String, u64)> {
    let open = record.open_loop()?;
    let rate = open.share_of_peak.map_or(open.rate, |share| 1000.0 * share).round() as u64;
    Some((record.key.server.clone(), record.key.path.clone(), rate))
}

/// The rounds of one point.
struct AtRate {
    /// Median.
    rate: f64,
    /// The loop was not open in half of the rounds or more.
    is_late: bool,
}

fn at_rates(lines: &[Line]) -> BTreeMap<(String, String, u64), AtRate> {
    let mut rounds: BTreeMap<_, Vec<(f64, bool)>> = BTreeMap::new();
    for record in lines.iter().map(|line| line.record) {
        let (Some(key), Some(open)) = (rate_key(record), record.open_loop()) else { continue };
        let seconds = record.figures().map_or(0.0, |figures| figures.seconds);
        rounds.entry(key).or_default().push((open.rate, !open.kept_its_times(seconds)));
    }
    let point = |(key, rounds): (_, Vec<(f64, bool)>)| {
        let rates: Vec<f64> = rounds.iter().map(|(rate, _)| *rate).collect();
        let late = rounds.iter().filter(|(_, is_late)| *is_late).count();
        Some((key, AtRate { rate: median(&rates)?, is_late: 2 * late >= rounds.len() }))
    };
    rounds.into_iter().filter_map(point).collect()
}

pub(crate) fn is_reached(record: &Record) -> bool {
    let answered = record.answered_per_second().unwrap_or(0.0);
    record.open_loop().is_some_and(|open| open.is_reached(answered))
}

/// The share of its CPUs that the server used.
fn server_share(record: &Record) -> Option<f64> {
    let figures = record.figures()?;
    let cpus = record.context.server_cpus.len();
    (cpus > 0)
        .then(|| Some(figures.shares((cpus, 1)).0))
        .flatten()
        .filter(|_| figures.server_cpu_seconds.is_some())
}

/// `48,000/s`, `over 60,000/s`: where a line passes the limit.
fn limit_of(points: &Points, series: usize, panel: usize) -> Option<String> {
    let mut line: Vec<&Point> = points.on(panel).filter(|point| point.series == series).collect();
    line.sort_by(|one, other| one.x.total_cmp(&other.x));
    let last = line.last()?;
    Some(match crossing(&line) {
        // Three digits: a rate between two others is known no better.
        Some(rate) => format!("{}/s", number(round(rate))),
        None if last.value < LIMIT => format!("over {}/s", number(round(last.x))),
        None => "at no rate".into(),
    })
}

/// To three digits.
fn round(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let unit = 10f64.powf(value.log10().floor() - 2.0);
    (value / unit).round() * unit
}

/// The rate at which a line passes the limit for good: between the last point below it and the next, evenly
/// on the logarithms.
fn crossing(line: &[&Point]) -> Option<f64> {
    let at = line.iter().rposition(|point| point.value < LIMIT)?;
    let (below, above) = (line[at], line.get(at + 1)?);
    let share = (LIMIT / below.value).ln() / (above.value / below.value).ln();
    Some(below.x * (above.x / below.x).powf(share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::points::point;

    #[test]
    fn a_line_passes_the_limit_between_two_rates() {
        let at = |x: f64, value: f64| Point {
            value,
            ..point(0, Place { x, ..Place::default() }, &[], (false, Unit::Count), |_| None)
        };
        let line = [at(100.0, 100.0), at(1000.0, 2000.0), at(2000.0, 500.0), at(8000.0, 2000.0)];
        let line: Vec<&Point> = line.iter().collect();
        let rate = crossing(&line).expect("it passes");
        assert!(
            (rate - 4000.0).abs() < 1.0,
            "half way on both logarithms, after the last time below: {rate}"
        );
        assert_eq!(crossing(&line[..3]), None);
    }
}
