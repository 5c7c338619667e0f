//! How long quick requests wait while a few others sleep.

use super::caption::Caption;
use super::data::{Data, servers_in, signs};
use crate::machine::places;
use crate::model::{Figure, Look, Measure, Plot, Point, Points, Scale, Show, Unit, together};
use anyhow::Result;
use lab_core::stats::{Estimate, Percentiles};
use lab_core::units::count;
use records::{Bottleneck, Phase, Record, SlowPoint, slow};

/// One of a distribution: its name, its words, and how it is read from a point and from a record.
type Percentile = (&'static str, &'static str, fn(&SlowPoint) -> Estimate, fn(&Percentiles) -> u64);

const PERCENTILES: [Percentile; 2] = [
    ("p50", "half of the quick requests (p50) waited at most", |point| point.p50, |latency| latency.p50),
    ("p99", "99 of 100 (p99)", |point| point.p99, |latency| latency.p99),
];

/// The quick requests of each server, if there were slow ones beside them.
pub(super) fn build(data: &Data) -> Result<Vec<Figure>> {
    let (measured, records) = (slow(&data.records), data.of_phase(Phase::Slow));
    let (Some(first), Some(record)) = (measured.first(), records.first()) else { return Ok(Vec::new()) };
    let most = measured.iter().map(|point| point.clients).max().unwrap_or_default();
    let title = format!(
        "How long a quick request waits while {} % of the requests {}",
        first.percent,
        does(&first.path)
    );
    let mut figure = data.figure("slow", title, &records);
    let caption = Caption::new(&records, &data.name());
    let asked = format!(
        "{}; {} requests per second (open loop), GET {} and {}, {most} connections, {} s per point; {}.",
        caption.how,
        Unit::Count.text(first.rate),
        record.key.path,
        first.path,
        record.context.duration_seconds,
        places(record)
    );
    figure.subtitle = caption.asking(asked).lines();
    let axis = "from the intended time of sending to the whole reply, logarithmic (less is better)";
    let measure = |(name, says, ..): Percentile| Measure {
        says: says.to_owned(),
        ..Measure::new(name, axis, Unit::Micros, Scale::Log)
    };
    let mut points = Points {
        measures: together(PERCENTILES.map(measure).into()),
        show: Show::Marks,
        series: servers_in(&records),
        gaps: data.gaps(&records, |_| Some(Vec::new())),
        figures: true,
        ..Points::default()
    };
    for point in &measured {
        let Some(series) = points.series_of(&point.stage) else { continue };
        let of = |measure| self::point(data, point, most, PERCENTILES[measure]);
        points.points.extend([0, 1].map(|measure| Point { series, measure, ..of(measure) }));
    }
    figure.about =
        "Requests leave at fixed times, whether answers come or not, and the slow ones are spread \
                    evenly among them. A server that sleeps in its only loop lets everybody wait; one with a \
                    worker to spare does not. The waits of the slow requests themselves are not in the \
                    picture."
            .into();
    figure.notes = notes(&measured, &points);
    figure.plot = Plot::Points(points);
    Ok(vec![figure])
}

/// None where the rate was not reached: how long a request waits then depends on how long one measures.
fn point(data: &Data, at: &SlowPoint, most: usize, (_, _, of, read): Percentile) -> Point {
    let with = with(at, most);
    if !at.reached {
        let [answered, rate] = [at.answered, at.rate].map(|speed| Unit::Count.text(speed.round()));
        let with = with.map_or(String::new(), |with| with + ": ");
        return Point::missed(
            0,
            0.0,
            format!(
                "{with}the rate was not reached: {answered} of {rate} answered per second, so no wait is \
                 shown"
            ),
        );
    }
    let rounds = data.rounds(|record| {
        let is_here = record.key.phase == Phase::Slow
            && record.key.server == at.stage
            && record.key.workers == at.workers;
        let open = record.open_loop().filter(|_| is_here && is_whole(record))?;
        Some(read(&open.latency_us) as f64)
    });
    let (look, limit) = match at.limiter {
        Bottleneck::Generator | Bottleneck::Both => (Look::Hollow, "; limit: the generator"),
        Bottleneck::Clients => (Look::Cross, "; some clients were not served"),
        Bottleneck::Server | Bottleneck::Neither | Bottleneck::Unreached => (Look::Filled, ""),
    };
    let Estimate { median, interval } = of(at);
    // A wait below a microsecond is none, and has no place on a logarithmic axis.
    let interval = interval.map(|(low, high)| (low.max(1.0), high.max(1.0)));
    let estimate = Estimate { median: median.max(1.0), interval };
    let answered = Unit::Count.text(at.answered.round());
    let note = format!(
        "answered {answered}/s{}{limit}",
        with.as_ref().map_or(String::new(), |with| format!("; {with}"))
    );
    Point { look, note: Some(note), aside: with, ..Point::new(0, 0.0, estimate, rounds) }
}

fn is_whole(record: &Record) -> bool {
    record.figures().is_some() && record.mix().is_some()
}

/// `4 workers, 4 clients`; how many clients, where a server has fewer than the others.
fn with(point: &SlowPoint, most: usize) -> Option<String> {
    let workers = point.workers.map(|workers| count(workers, "worker"));
    let fewer = (point.clients < most).then(|| count(point.clients, "client"));
    let with: Vec<String> = workers.into_iter().chain(fewer).collect();
    (!with.is_empty()).then(|| with.join(", "))
}

/// `/sleep/50`: `sleep for 50 ms`; of any other path the path.
fn does(path: &str) -> String {
    let millis =
        path.strip_prefix("/sleep/").filter(|millis| millis.bytes().all(|byte| byte.is_ascii_digit()));
    millis.map_or_else(|| format!("ask for {path}"), |millis| format!("sleep for {millis} ms"))
}

fn notes(measured: &[SlowPoint], points: &Points) -> Vec<String> {
    let mut notes = vec![signs(
        points,
        &[
            (Look::Hollow, "Hollow: the generator was the limit, so part of the waiting is its own."),
            (Look::Cross, "Cross: some of the clients got no answer at all."),
        ],
    )];
    let never: u64 = measured.iter().map(|point| point.never_sent).sum();
    if never > 0 {
        let never = Unit::Count.text(never as f64);
        notes.push(format!(
            "{never} requests never left, because every connection was waiting; the quick ones are in the \
             figures."
        ));
    }
    let errors: u64 = measured.iter().map(|point| point.errors).sum();
    if errors > 0 {
        notes.push(format!("{errors} requests failed; they are in no percentile."));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Such a wait would grow with the time that one measures.
    #[test]
    fn a_rate_that_was_not_reached_has_no_wait() {
        let point = |reached| SlowPoint {
            stage: "06".into(),
            title: "t".into(),
            workers: Some(4),
            clients: 64,
            rate: 2000.0,
            answered: 1234.0,
            reached,
            percent: 5,
            path: "/sleep/50".into(),
            p50: Estimate { median: 300_000.0, interval: None },
            p90: Estimate { median: 500_000.0, interval: None },
            over_5ms: None,
            p99: Estimate { median: 594_000.0, interval: None },
            slow_p50: None,
            never_sent: 0,
            errors: 0,
            limiter: Bottleneck::Unreached,
            rounds: 1,
        };
        let data = Data::new(&[], &[], Path::new("."));
        let of = |reached| super::point(&data, &point(reached), 64, PERCENTILES[1]);
        let (late, in_time) = (of(false), of(true));
        assert_eq!((late.is_drawn(), in_time.is_drawn(), in_time.value), (false, true, 594_000.0));
        let note = late.note.expect("the reason");
        assert!(
            note.starts_with("4 workers: ") && note.contains("1,234 of 2,000") && !note.contains("ms"),
            "{note}"
        );
    }

    #[test]
    fn a_path_that_sleeps_says_so() {
        assert_eq!(does("/sleep/50"), "sleep for 50 ms");
        assert_eq!(does("/spin/900"), "ask for /spin/900");
    }
}
