//! How long quick requests wait while a few others sleep.

use super::data::{Data, distinct, servers};
use super::latency::{BEHIND, is_reached};
use super::points::Place;
use crate::model::{Figure, Panel, Point, Points, Scale, Unit};
use lab_core::units::number;
use records::{Phase, Record};

/// The quick requests of each server, if there were slow ones beside them. Of older data, which have not
/// counted those over 5 ms, p90 is drawn.
pub(crate) fn build(data: &Data) -> Vec<Figure> {
    let lines = data.of(&[Phase::Slow]);
    let whole: Vec<_> = lines.iter().filter(|line| line.record.mix().is_some()).copied().collect();
    let Some((first, mix)) = whole.first().and_then(|line| Some((line.record, line.record.mix()?))) else {
        return Vec::new();
    };
    let has_shares = whole.iter().any(|line| over_5ms(line.record).is_some());
    let share = "share of the quick requests over 5 ms (less is better)";
    let wait = |name: &str, hidden| {
        let label = format!("{name} of the wait, logarithmic (less is better)");
        Panel { hidden, ..Panel::new(name, &label, Unit::Micros, Scale::Log) }
    };
    let mut points = Points {
        panels: vec![
            Panel { hidden: !has_shares, ..Panel::new("over 5 ms", share, Unit::Percent, Scale::Linear) },
            wait("p90", has_shares),
            wait("p99", has_shares),
            wait("p50", true),
        ],
        series: servers(&lines),
        bars: has_shares,
        ..Points::default()
    };
    let mut add = |panel: usize, value: &dyn Fn(&Record) -> Option<f64>| {
        points.add(
            &lines,
            false,
            |_| Some(Place::panel(panel)),
            |record| value(record).filter(|_| is_reached(record)),
        );
    };
    if has_shares {
        add(0, &|record| over_5ms(record).map(|share| 100.0 * share));
    }
    // A wait below a microsecond is none, and has no place on a logarithmic axis.
    add(1, &|record| Some(record.open_loop()?.latency_us.p90.max(1) as f64));
    add(2, &|record| Some(record.open_loop()?.latency_us.p99.max(1) as f64));
    add(3, &|record| Some(record.open_loop()?.latency_us.p50.max(1) as f64));
    // The shares stand beside the waits that they are of.
    let waits = |points: &Points, series: usize| {
        let its = [1, 2].into_iter().filter_map(|at| points.on(at).find(|point| point.series == series));
        let text =
            |point: &Point| format!("{} {}", points.panels[point.panel].name, Unit::Micros.text(point.value));
        its.map(text).collect::<Vec<_>>().join(", ")
    };
    let texts: Vec<_> = (0..points.series.len()).map(|series| waits(&points, series)).collect();
    for point in points.points.iter_mut().filter(|point| point.panel == 0) {
        point.text = Some(texts[point.series].clone());
    }
    points.explain(BEHIND);
    points.write_values();
    let rate = number(first.open_loop().map_or(0.0, |open| open.rate));
    let title = format!(
        "How many quick requests wait behind a slow one? {} % of the requests {}",
        mix.percent,
        what_it_does(&mix.path)
    );
    let mut figure = data.figure("slow", &title, &lines, points);
    figure.about = format!(
        "{rate} requests per second leave at fixed times, whether answers come or not, and the slow ones \
         are spread evenly among them. A server that sleeps in its only loop delays all clients; one with a \
         worker to spare does not. The waits of the slow requests themselves are not in the picture."
    );
    let workers = distinct(&whole, |record| record.key.workers).into_iter().flatten();
    let workers = workers.map(|workers| workers.to_string()).collect::<Vec<_>>().join(" or ");
    if !workers.is_empty() {
        figure.notes.push(format!(
            "A server with workers has {workers} of them; where each connection keeps a worker for itself, there \
             are only as many clients as workers."
        ));
    }
    let never = |record: &Record| {
        record.open_loop().map_or(0, |open| open.never_sent)
            + record.mix().and_then(|mix| mix.never_sent).unwrap_or(0)
    };
    let never: u64 = whole.iter().map(|line| never(line.record)).sum();
    if never > 0 {
        figure.notes.push(format!(
            "{} request{} never left, because every connection was waiting; the quick ones are in the \
             figures.",
            number(never as f64),
            if never == 1 { "" } else { "s" }
        ));
    }
    vec![figure]
}

/// The share of the quick requests that took longer than 5 ms, or never left.
pub(crate) fn over_5ms(record: &Record) -> Option<f64> {
    let (figures, open) = record.figures().zip(record.open_loop())?;
    Some(open.over_5ms? as f64 / ((figures.requests + open.never_sent) as f64).max(1.0))
}

/// `/sleep/50`: `sleep for 50 ms`; of any other path the path.
pub(crate) fn what_it_does(path: &str) -> String {
    let millis =
        path.strip_prefix("/sleep/").filter(|millis| millis.bytes().all(|byte| byte.is_ascii_digit()));
    millis.map_or_else(|| format!("ask for {path}"), |millis| format!("sleep for {millis} ms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_sleeps_says_so() {
        assert_eq!(what_it_does("/sleep/50"), "sleep for 50 ms");
        assert_eq!(what_it_does("/spin/900"), "ask for /spin/900");
    }
}
