//! What is left of a server beyond its peak, by whom its queue serves.

use super::data::{Data, Line, distinct, only};
use super::legend::skipped;
use super::points::Place;
use crate::model::{Axis, Figure, Panel, Points, Scale, Series, Style, Unit};
use lab_core::units::{number, time};
use records::{ClientTimeout, Phase, Record};

/// Answers in time against the offered load, a line for each policy; below it how long the answered waited.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let lines = data.in_one_state(data.of(&[Phase::Overload]));
    let measured = only(&lines, |record| client_timeout(record).is_some());
    let Some((first, limit)) =
        measured.first().and_then(|line| Some((line.record, client_timeout(line.record)?)))
    else {
        return Vec::new();
    };
    let timeout = time(1000.0 * limit.timeout_ms as f64);
    let peak = peak(first);
    let hidden = |name: &str, label: &str| Panel {
        hidden: true,
        ..Panel::new(name, label, Unit::Percent, Scale::Linear)
    };
    let mut points = Points {
        x: Some(Axis {
            label: "times the peak (offered load)".into(),
            unit: Unit::Hundredths,
            ..Axis::default()
        }),
        panels: vec![
            Panel {
                lines: Some(peak).filter(|peak| Unit::is_number(*peak)).into_iter().collect(),
                ..Panel::new(
                    "goodput",
                    &format!("answers within {timeout}, per second (more is better)"),
                    Unit::Count,
                    Scale::Linear,
                )
            },
            Panel::new("p99", "p99 of the wait of the answered (less is better)", Unit::Micros, Scale::Log),
            Panel {
                hidden: true,
                ..Panel::new("p50", "median wait of the answered", Unit::Micros, Scale::Log)
            },
            hidden("refused", "share of the requests that were refused (503)"),
            hidden("given up", "share of the requests that their clients gave up"),
        ],
        series: policies(&measured),
        ..Points::default()
    };
    let mut add = |panel: usize, value: &dyn Fn(&Record) -> Option<f64>| {
        let place = |record: &Record| Some(Place { panel, mark: 0, x: record.open_loop()?.share_of_peak? });
        points.add(&measured, false, place, value);
    };
    add(0, &goodput);
    add(1, &|record| Some(client_timeout(record)?.answered_us?.p99.max(1) as f64));
    add(2, &|record| Some(client_timeout(record)?.answered_us?.p50.max(1) as f64));
    add(3, &|record| share(record, |client_timeout| client_timeout.refused));
    add(4, &|record| share(record, |client_timeout| client_timeout.given_up));
    // A policy whose every point has errors is meant to have them; they have panels of their own.
    points.points.iter_mut().filter(|point| point.is_drawn()).for_each(|point| point.note = None);
    points.explain("nobody was answered");
    let title = format!("What is left of a server beyond its peak, when clients give up after {timeout}?");
    let mut figure = data.figure("overload", &title, &lines, points);
    figure.about = format!(
        "Requests leave at fixed times, at multiples of the {} per second that a closed loop found to be the \
         peak (the line). A client that gives up closes its connection, and the server does not know it: work \
         for it is lost. The wait is of those that were answered alone.",
        number(peak)
    );
    figure.notes.push(skipped(&lines));
    vec![figure]
}

/// What became of the requests of clients that give up.
fn client_timeout(record: &Record) -> Option<&ClientTimeout> {
    record.latency()?.client_timeout.as_ref()
}

/// Answers in time, per second.
pub(crate) fn goodput(record: &Record) -> Option<f64> {
    let seconds = record.figures()?.seconds.max(f64::MIN_POSITIVE);
    Some(client_timeout(record)?.in_time as f64 / seconds)
}

/// Requests per second of the peak.
pub(crate) fn peak(record: &Record) -> f64 {
    let open = record.open_loop();
    open.and_then(|open| Some(open.rate / open.share_of_peak?)).unwrap_or(f64::NAN)
}

/// The share of the requests that should have left, in hundredths.
fn share(record: &Record, of: impl Fn(&ClientTimeout) -> u64) -> Option<f64> {
    let sent = record.open_loop()?.rate * record.figures()?.seconds;
    Some(100.0 * of(client_timeout(record)?) as f64 / sent.max(1.0))
}

/// The policies: a name each.
fn policies(lines: &[Line]) -> Vec<Series> {
    let titles =
        distinct(lines, |record| (rank(record), record.key.title.as_str(), record.key.server.as_str()));
    let series = |(at, (_, title, server)): (usize, (usize, &str, &str))| Series {
        server: server.to_owned(),
        name: title.to_owned(),
        label: title.to_owned(),
        style: Style::series(at),
        remark: None,
    };
    titles.into_iter().enumerate().map(series).collect()
}

/// The plain queue first.
fn rank(record: &Record) -> usize {
    const ORDER: [&str; 4] = ["unbounded", "bounded", "by-age", "lifo"];
    let policy = record.context.configuration.as_deref().unwrap_or_default();
    ORDER.iter().position(|known| policy.contains(&format!(" {known}"))).unwrap_or(ORDER.len())
}
