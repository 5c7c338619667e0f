//! What Tsung writes: samples every ten seconds, the last ones at the end.

use super::scenario::arrivals_per_second;
use anyhow::{Context, Result, ensure};
use records::{Bottleneck, Figures};
use serde::Deserialize;

#[derive(Deserialize)]
struct Log {
    stats: Vec<Interval>,
}

#[derive(Deserialize)]
struct Interval {
    samples: Vec<Sample>,
}

/// A count has a `total`; a sample of times has its number in this interval (`value`) and in those before it.
#[derive(Deserialize)]
struct Sample {
    name: String,
    value: f64,
    total: Option<u64>,
    max: Option<f64>,
    global_count: Option<u64>,
}

/// Reads `tsung.log` as JSON. What the clients did was done in the longest session and the time within which
/// they came, so the speed is rather too low than too high.
pub(super) fn parse(log: &str, clients: u32) -> Result<Figures> {
    let log: Log = serde_json::from_str(log).context("it is no whole JSON")?;
    // A sample that did not change may be missing from the last interval.
    let mut last: Vec<&Sample> = Vec::new();
    for sample in log.stats.iter().rev().flat_map(|interval| &interval.samples) {
        if last.iter().all(|known| known.name != sample.name) {
            last.push(sample);
        }
    }
    let total = |wanted: &dyn Fn(&str) -> bool| -> u64 {
        last.iter().filter(|sample| wanted(&sample.name)).filter_map(|sample| sample.total).sum()
    };
    let session =
        last.iter().find(|sample| sample.name == "session").context("no client has come to its end")?;
    let ended = session.value as u64 + session.global_count.unwrap_or(0);
    ensure!(ended == u64::from(clients), "{ended} of {clients} clients have come to their end");
    let longest = session.max.context("no longest session")? / 1000.0;
    let seconds = longest + f64::from(clients) / f64::from(arrivals_per_second(clients));
    let right = |name: &str| name == "http_200";
    // A client that gives up is counted as `error_abort…` too, beside what went wrong.
    let wrong = |name: &str| {
        (name.starts_with("http_") && !right(name))
            || (name.starts_with("error_") && !name.starts_with("error_abort"))
    };
    let requests = total(&right);
    Ok(Figures {
        requests,
        errors: total(&wrong),
        seconds,
        window_seconds: None,
        requests_per_second: requests as f64 / seconds,
        bytes: total(&|name| name == "size_rcv"),
        cpu_us_per_request: None,
        server_cpu_seconds: None,
        generator_cpu_seconds: 0.0,
        other_cpu_seconds: None,
        context_switches: None,
        peak_memory_bytes: None,
        listen_overflows: None,
        listen_drops: None,
        steal_seconds: None,
        closed_loop_us: None,
        // Nothing is known of either side.
        limiter: Bottleneck::Neither,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../tests/fixtures/tsung-good.json");
    const LONG: &str = include_str!("../../tests/fixtures/tsung-long.json");
    const NOT_FOUND: &str = include_str!("../../tests/fixtures/tsung-404.json");
    const REFUSED: &str = include_str!("../../tests/fixtures/tsung-refused.json");

    #[test]
    fn a_recorded_log_is_read() {
        let counted = parse(GOOD, 16).expect("a whole log");
        assert_eq!((counted.requests, counted.errors, counted.bytes), (31_730, 0, 4_696_040));
        assert!((counted.seconds - 2.116565).abs() < 1e-6, "{counted:?}");
    }

    /// The figures of a long run are those of all its intervals, not of the last one.
    #[test]
    fn a_log_of_several_intervals_is_read_whole() {
        let counted = parse(LONG, 16).expect("a whole log");
        let log: Log = serde_json::from_str(LONG).expect("a log");
        assert!(log.stats.len() > 3, "several intervals");
        let samples = log.stats.iter().flat_map(|interval| &interval.samples);
        let all: f64 = samples.filter(|sample| sample.name == "http_200").map(|sample| sample.value).sum();
        assert_eq!(counted.requests as f64, all);
        assert!((21.0..25.0).contains(&counted.seconds), "{counted:?}");
    }

    #[test]
    fn wrong_replies_and_refused_connections_are_errors() {
        let counted = parse(NOT_FOUND, 16).expect("a whole log");
        assert_eq!((counted.requests, counted.errors), (0, 38_350));
        let counted = parse(REFUSED, 16).expect("a whole log");
        assert_eq!((counted.requests, counted.errors), (0, 16));
    }

    #[test]
    fn a_broken_log_is_refused() {
        for cut in (0..GOOD.trim_end().len()).step_by(7) {
            assert!(parse(&GOOD[..cut], 16).is_err(), "cut at {cut}");
        }
        assert!(parse(GOOD, 17).is_err(), "a client is missing");
        assert!(parse("{\"stats\": []}", 16).is_err());
    }
}
