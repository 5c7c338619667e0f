//! How long quick requests wait while a few others sleep.

use super::caption::{Caption, place};
use super::latency::time;
use super::rows::{Mark, Panel, Rows, WIDTH};
use super::source::{Chart, Source};
use super::style::{Look, Style};
use super::text;
use anyhow::Result;
use lab_core::stats::Estimate;
use records::{Limiter, Phase, Record, SlowPoint, label, order, slow};
use std::collections::BTreeMap;

/// The quick requests of each server, if there were slow ones beside them.
pub(super) fn chart(records: &[Record], source: &Source) -> Result<Option<Chart>> {
    let points = slow(records);
    let Some(first) = points.first() else { return Ok(None) };
    let its_records: Vec<&Record> =
        records.iter().filter(|record| record.phase == Phase::Slow && !record.dropped).collect();
    let mut servers: BTreeMap<&str, &str> = BTreeMap::new();
    servers.extend(its_records.iter().map(|record| (record.stage.as_str(), record.title.as_str())));
    let mut servers: Vec<(&str, &str)> = servers.into_iter().collect();
    servers.sort_by_key(|(name, _)| order(name));
    let point_of = |name: &str| points.iter().find(|point| point.stage == name);
    let reason_of = |name: &str| {
        let mut its = its_records.iter().filter(|record| record.stage == name);
        its.find_map(|record| record.skipped.as_deref()).unwrap_or("no figures")
    };
    let most = points.iter().map(|point| point.clients).max().unwrap_or_default();
    let words = |name: &str| match point_of(name) {
        Some(point) => words(point, most),
        None => format!("not measured: {}", reason_of(name)),
    };
    let title = format!(
        "How long a quick request waits while {} % of the requests {}",
        first.percent,
        does(&first.path)
    );
    let mut caption = Caption::new(title.clone(), &its_records, source);
    caption.lines[0] = asked(first, its_records[0], &caption.how, most);
    caption.wrap(WIDTH, 4);
    let picture = Rows {
        names: servers.iter().map(|(name, title)| label(name, title)).collect(),
        series: vec![
            ("half of the quick requests (p50) waited at most".to_owned(), Style::series(0)),
            ("99 of 100 (p99)".to_owned(), Style::series(1)),
        ],
        panels: vec![Panel {
            title: "From the intended time of sending to the whole reply (less is better)".into(),
            axis: "time (logarithmic scale)",
            log: true,
            marks: servers.iter().map(|(name, _)| point_of(name).map_or_else(Vec::new, marks)).collect(),
            texts: servers.iter().map(|(name, _)| words(name)).collect(),
            room: 290,
            number: time,
        }],
        notes: notes(&points, &caption),
    };
    Ok(Some(source.chart("slow.svg", title, picture.svg(&caption)?)))
}

/// `/sleep/50`: `sleep for 50 ms`; of any other path the path.
fn does(path: &str) -> String {
    let millis =
        path.strip_prefix("/sleep/").filter(|millis| millis.bytes().all(|byte| byte.is_ascii_digit()));
    millis.map_or_else(|| format!("ask for {path}"), |millis| format!("sleep for {millis} ms"))
}

fn asked(first: &SlowPoint, record: &Record, how: &str, clients: usize) -> String {
    format!(
        "{how}; {} requests per second (open loop), GET {} and {}, {clients} connections, {} s per point; {}, {}.",
        text::number(first.rate),
        record.path,
        first.path,
        record.duration_seconds,
        place("server", &record.server_cpus),
        place("generator", &record.generator_cpus)
    )
}

/// None where the rate was not reached: how long a request waits then depends on how long one measures.
fn marks(point: &SlowPoint) -> Vec<Mark> {
    if !point.reached {
        return Vec::new();
    }
    let look = match point.limiter {
        Limiter::Generator => Look::Hollow,
        Limiter::Clients => Look::Cross,
        Limiter::Server | Limiter::Neither | Limiter::Unreached => Look::Filled,
    };
    let mark = |series: usize, estimate: &Estimate| Mark {
        series,
        // A wait below a microsecond is none, and has no place on a logarithmic axis.
        value: estimate.median.max(1.0),
        interval: estimate.interval.map(|(low, high)| (low.max(1.0), high.max(1.0))),
        look,
    };
    vec![mark(0, &point.p50), mark(1, &point.p99)]
}

/// `4 workers: 0.2 ms, 1.3 ms`; how many clients, where a server has fewer than the others.
fn words(point: &SlowPoint, most: usize) -> String {
    let workers = point.workers.map(|workers| match workers {
        1 => "1 worker".to_owned(),
        _ => format!("{workers} workers"),
    });
    let fewer = (point.clients < most).then(|| format!("{} clients", point.clients));
    let with: Vec<String> = workers.into_iter().chain(fewer).collect();
    let with = if with.is_empty() { String::new() } else { with.join(", ") + ": " };
    if !point.reached {
        let [answered, rate] = [point.answered, point.rate].map(|speed| text::number(speed.round()));
        return format!(
            "{with}the rate was not reached: {answered} of {rate} answered per second, so no wait is shown"
        );
    }
    let [p50, p99] = [point.p50, point.p99].map(|estimate| short(estimate.median));
    format!("{with}{p50}, {p99}")
}

/// A time with two digits that count.
fn short(us: f64) -> String {
    let digits = if us >= 1.0 { 10f64.powf(us.log10().floor() - 1.0) } else { 1.0 };
    time((us / digits).round() * digits)
}

fn notes(points: &[SlowPoint], caption: &Caption) -> Vec<String> {
    let mut notes = vec![
        "Requests leave at fixed times, whether answers come or not, and the slow ones are spread evenly among them. A server \
         that sleeps in its only loop lets everybody wait; one with a worker to spare does not. The waits of the slow \
         requests themselves are not in the picture."
            .to_owned(),
    ];
    let mut signs = Vec::new();
    if points.iter().any(|point| point.limiter == Limiter::Generator) {
        signs.push("Hollow: the generator was the limit, so part of the waiting is its own.");
    }
    if points.iter().any(|point| point.limiter == Limiter::Clients) {
        signs.push("Cross: some of the clients got no answer at all.");
    }
    signs.extend(caption.whiskers);
    notes.push(signs.join(" "));
    let never: u64 = points.iter().map(|point| point.never_sent).sum();
    if never > 0 {
        let never = text::number(never as f64);
        notes.push(format!("{never} requests never left, because every connection was waiting; the quick ones are in the figures."));
    }
    let errors: u64 = points.iter().map(|point| point.errors).sum();
    if errors > 0 {
        notes.push(format!("{errors} requests failed; they are in no percentile."));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_has_two_digits() {
        let texts = [0.4, 87.0, 187.0, 1_234.0, 98_765.0, 1_234_567.0].map(short);
        assert_eq!(texts, ["0 µs", "87 µs", "190 µs", "1.2 ms", "99 ms", "1.2 s"]);
    }

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
            p99: Estimate { median: 594_000.0, interval: None },
            slow_p50: None,
            never_sent: 0,
            errors: 0,
            limiter: Limiter::Unreached,
            rounds: 1,
        };
        let (late, in_time) = (point(false), point(true));
        assert_eq!((marks(&late).len(), marks(&in_time).len()), (0, 2));
        let text = words(&late, 64);
        assert!(text.contains("1,234 of 2,000") && !text.contains("ms"), "{text}");
        assert!(words(&in_time, 64).contains("590 ms"));
    }

    #[test]
    fn a_path_that_sleeps_says_so() {
        assert_eq!(does("/sleep/50"), "sleep for 50 ms");
        assert_eq!(does("/spin/900"), "ask for /spin/900");
    }
}
