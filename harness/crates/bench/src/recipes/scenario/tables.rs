//! The tables that the scenarios end with.

use crate::recipes::grid::grid;
use lab_core::stats::Estimate;
use lab_core::units::number;
use records::{SlowPoint, SpinPoint};

/// Requests per second, and how near they are to what the CPUs could do if requests of this length were all
/// that they did.
pub(super) fn spin(points: &[SpinPoint], spin_us: u32) -> String {
    let mut table = grid(["stage", "workers", "clients", "requests/s", "of the ideal", "CPU µs", "errors"]);
    for point in points {
        let ideal = point.ideal(f64::from(spin_us));
        table.add_row([
            format!("{} {}", point.stage, point.title),
            workers(point.workers),
            clients(point.clients_served, point.clients),
            count(&point.requests_per_second),
            format!("{:.0} %", 100.0 * point.requests_per_second.median / ideal),
            point.cpu_us_per_request.map_or("–".into(), |cost| format!("{:.1}", cost.median)),
            point.errors.to_string(),
        ]);
    }
    format!(
        "ideal: as many CPUs as workers, where there are so many, and {spin_us} µs for a request; a server without the \
         option is compared with all CPUs\n{table}"
    )
}

/// How long the quick requests waited, and the slow ones.
pub(super) fn slow(points: &[SlowPoint]) -> String {
    let mut table =
        grid(["stage", "workers", "clients", "p50 ms", "p99 ms", "slow p50 ms", "never sent", "errors"]);
    for point in points {
        table.add_row([
            format!("{} {}", point.stage, point.title),
            workers(point.workers),
            point.clients.to_string(),
            if point.reached { millis(&point.p50) } else { "–".into() },
            if point.reached { millis(&point.p99) } else { "rate not reached".into() },
            point.slow_p50.as_ref().filter(|_| point.reached).map_or("–".into(), millis),
            point.never_sent.to_string(),
            point.errors.to_string(),
        ]);
    }
    let what = points.first().map_or(String::new(), |point| {
        format!("; {} % of {} requests a second ask for {}", point.percent, number(point.rate), point.path)
    });
    format!("p50, p99: of the quick requests, from the intended time of sending{what}\n{table}")
}

fn workers(workers: Option<usize>) -> String {
    workers.map_or("–".into(), |workers| workers.to_string())
}

fn clients(served: usize, clients: usize) -> String {
    if served < clients { format!("{served} of {clients} served") } else { clients.to_string() }
}

fn count(estimate: &Estimate) -> String {
    match estimate.interval {
        Some((low, high)) => format!("{} [{}–{}]", number(estimate.median), number(low), number(high)),
        None => number(estimate.median),
    }
}

fn millis(estimate: &Estimate) -> String {
    let text = |us: f64| format!("{:.2}", us / 1000.0);
    match estimate.interval {
        Some((low, high)) => format!("{} [{}–{}]", text(estimate.median), text(low), text(high)),
        None => text(estimate.median),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::Bottleneck;

    fn estimate(median: f64, spread: f64) -> Estimate {
        Estimate { median, interval: Some((median - spread, median + spread)) }
    }

    #[test]
    fn a_row_says_how_near_it_is_to_the_ideal() {
        let point = |workers, speed| SpinPoint {
            stage: "06".into(),
            title: "EPOLLONESHOT".into(),
            workers,
            clients: 64,
            cpus: 2,
            requests_per_second: estimate(speed, 100.0),
            cpu_us_per_request: Some(estimate(112.34, 1.0)),
            generator_share: 0.1,
            errors: 3,
            clients_served: if workers.is_none() { 4 } else { 64 },
            limiter: Bottleneck::Server,
            rounds: 5,
        };
        let text = spin(&[point(Some(1), 9_000.0), point(Some(4), 18_000.0), point(None, 5_000.0)], 100);
        for part in ["9,000 [8,900–9,100]", "112.3", "4 of 64 served", " 3 "] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!((text.matches("90 %").count(), text.matches("25 %").count()), (2, 1), "{text}");
    }

    #[test]
    fn waits_are_told_in_milliseconds() {
        let point = SlowPoint {
            stage: "04".into(),
            title: "Non-blocking epoll".into(),
            workers: None,
            clients: 64,
            rate: 200.0,
            answered: 199.5,
            reached: true,
            percent: 5,
            path: "/sleep/50".into(),
            p50: estimate(1_500.0, 500.0),
            p90: estimate(9_000.0, 0.0),
            over_5ms: None,
            p99: estimate(98_000.0, 0.0),
            slow_p50: None,
            never_sent: 7,
            errors: 0,
            limiter: Bottleneck::Neither,
            rounds: 5,
        };
        let late = SlowPoint { stage: "05".into(), answered: 120.0, reached: false, ..point.clone() };
        let text = slow(&[point, late]);
        for part in ["1.50 [1.00–2.00]", "98.00", " 7 ", "5 % of 200 requests a second ask for /sleep/50"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let late = text.lines().find(|line| line.contains("05 ")).expect("its row");
        assert!(
            late.contains("rate not reached") && !late.contains("98.00"),
            "a lower bound is no latency: {late}"
        );
    }
}
