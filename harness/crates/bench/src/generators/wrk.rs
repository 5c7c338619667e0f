//! wrk.
//!
//! Its text report hides what a failed request was, so a Lua script prints the counts as JSON. Its
//! `requests` includes replies from 400 on. Requests that hang are not counted at all.
//!
//! Its percentiles are not read, not even to be kept as a closed loop's: before it reports, wrk adds a
//! made-up wait for every request that it might have sent during a slow one. One stall of a second among
//! 23,639 requests became a p99 of 935 ms, which neither a user has waited nor a closed loop has seen.

use super::load::Measurement;
use super::run::{Run, Word, json};
use anyhow::{Context, Result};
use serde::Deserialize;

const SCRIPT: &str = include_str!("wrk.lua");

/// What the script prints.
#[derive(Deserialize)]
struct Counted {
    requests: u64,
    microseconds: u64,
    bytes: u64,
    status: u64,
    connect: u64,
    read: u64,
    write: u64,
    timeout: u64,
}

pub(super) fn run(mut run: Run) -> Result<Measurement> {
    let load = run.load;
    let mut words: Vec<Word> = vec![
        format!("-t{}", run.threads()).into(),
        format!("-c{}", load.concurrency).into(),
        format!("-d{}s", load.whole_seconds()).into(),
        "-s".into(),
        Word::Given(SCRIPT),
    ];
    if !load.keep_alive {
        words.extend(["-H".into(), "Connection: close".into()]);
    }
    if let Some(host) = &load.host {
        words.extend(["-H".into(), format!("Host: {host}").into()]);
    }
    words.extend([load.url().into(), "--".into(), load.pipeline.to_string().into()]);
    let output = run.report(words)?;
    let counted = parse(&output.stdout).context("wrk's report cannot be read")?;
    Ok(Measurement { generator_cpu_seconds: output.cpu_seconds, ..counted })
}

fn parse(report: &str) -> Result<Measurement> {
    let counted: Counted = json(report)?;
    let errors = [counted.status, counted.connect, counted.read, counted.write, counted.timeout];
    Ok(Measurement {
        requests: counted.requests.saturating_sub(counted.status),
        errors: errors.into_iter().fold(0, u64::saturating_add),
        seconds: counted.microseconds as f64 / 1e6,
        bytes: counted.bytes,
        ..Measurement::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../tests/fixtures/wrk-good.txt");
    const NOT_FOUND: &str = include_str!("../../tests/fixtures/wrk-404.txt");

    #[test]
    fn a_recorded_report_is_read() {
        let counted = parse(GOOD).expect("a whole report");
        assert!(counted.requests > 1000 && counted.errors == 0, "{counted:?}");
        assert!((counted.seconds - 1.0).abs() < 0.2, "{counted:?}");
        assert_eq!(counted.bytes % counted.requests, 0, "every reply has the same length");
    }

    #[test]
    fn replies_that_are_not_2xx_are_no_throughput() {
        let counted = parse(NOT_FOUND).expect("a whole report");
        assert_eq!(counted.requests, 0);
        assert!(counted.errors > 0);
    }

    #[test]
    fn a_broken_report_is_refused() {
        for cut in (0..GOOD.len() - 3).step_by(7) {
            assert!(parse(&GOOD[..cut]).is_err(), "cut at {cut}");
        }
        assert!(parse("{\"requests\":\"many\"}").is_err());
    }
}
