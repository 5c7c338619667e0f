//! ApacheBench.
//!
//! It speaks HTTP/1.0. With `-k` it waits for the end of the connection unless the reply says
//! `Connection: keep-alive`. `-t` means `-n 50000` too and so ends early, unless `-n` comes after it.
//!
//! The percentiles that it prints are whole milliseconds; those that `-e` writes to a file have three more
//! digits.

use super::load::Measurement;
use super::run::{Run, Word};
use anyhow::{Context, Result, ensure};
use lab_core::stats::Percentiles;

/// More than ab can do in a second. ab reserves 32 bytes of address space for each of them.
const REQUESTS_PER_SECOND: u64 = 250_000;

pub(super) fn run(mut run: Run) -> Result<Measurement> {
    let load = run.load;
    let seconds = load.whole_seconds();
    let requests = seconds * REQUESTS_PER_SECOND;
    let options = format!("-q -s 5 -c {} -t {seconds} -n {requests}", load.concurrency);
    let mut words: Vec<Word> = options.split(' ').map(Word::from).collect();
    if load.keep_alive {
        words.push("-k".into());
    }
    words.extend(["-e".into(), Word::Wanted]);
    if let Some(host) = &load.host {
        words.extend(["-H".into(), format!("Host: {host}").into()]);
    }
    words.push(load.url().into());
    let output = run.report(words)?;
    let counted = parse(&output.stdout).context("ab's report cannot be read")?;
    let closed_loop_us = percentiles_in(&output.file).context("ab's percentiles cannot be read")?;
    Ok(Measurement { generator_cpu_seconds: output.cpu_seconds, closed_loop_us, ..counted })
}

/// Reads the report. A reply that is not 2xx is complete for ab, and so is one of a length that differs
/// from the first reply's; here both are errors. A failed reply may be counted under both heads, and is
/// then two errors: the speed is rather too low than too high.
fn parse(report: &str) -> Result<Measurement> {
    let complete: u64 = number(report, "Complete requests:")?;
    let failed: u64 = number(report, "Failed requests:")?;
    // The line is there only if there were any.
    let refused: u64 = number(report, "Non-2xx responses:").unwrap_or(0);
    let errors = failed.saturating_add(refused);
    Ok(Measurement {
        requests: complete.saturating_sub(errors),
        errors,
        seconds: number(report, "Time taken for tests:")?,
        bytes: number(report, "Total transferred:")?,
        ..Measurement::default()
    })
}

/// The percentiles of the file; `None` if there is nothing in it: ab writes it only if it was answered.
fn percentiles_in(csv: &str) -> Result<Option<Percentiles>> {
    if csv.trim().is_empty() { Ok(None) } else { percentiles(csv).map(Some) }
}

/// Reads lines such as `90,0.058`: a percentage, and the milliseconds within which so many requests were
/// answered.
fn percentiles(csv: &str) -> Result<Percentiles> {
    let lines = csv.strip_suffix('\n').context("the last line is cut")?;
    let mut micros = Vec::with_capacity(101);
    for line in lines.lines().skip(1) {
        let (percentage, millis) = line.split_once(',').with_context(|| format!("'{line}' has no comma"))?;
        ensure!(percentage.parse() == Ok(micros.len()), "'{line}' should be the line of {} %", micros.len());
        let millis = millis.parse().ok().filter(|millis: &f64| millis.is_finite() && *millis >= 0.0);
        micros.push((millis.with_context(|| format!("'{line}' has no time"))? * 1000.0).round() as u64);
    }
    ensure!(micros.len() == 101, "{} lines instead of 101", micros.len());
    // ab knows whole percentages only: of 99.9 % it is certain only that the slowest request took no less.
    Ok(Percentiles {
        p50: micros[50],
        p90: micros[90],
        p99: micros[99],
        p99_9: micros[100],
        max: micros[100],
    })
}

/// The first number after a label at the beginning of a line.
fn number<T: std::str::FromStr>(report: &str, label: &str) -> Result<T> {
    let value = report
        .lines()
        .find_map(|line| line.strip_prefix(label))
        .with_context(|| format!("no line '{label}'"))?;
    let word = value.split_whitespace().next().unwrap_or_default();
    word.parse().ok().with_context(|| format!("'{label}' is followed by '{word}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../tests/fixtures/ab-good.txt");
    const PERCENTILES: &str = include_str!("../../tests/fixtures/ab-percentiles.csv");
    const NOT_FOUND: &str = include_str!("../../tests/fixtures/ab-404.txt");
    const LENGTHS: &str = include_str!("../../tests/fixtures/ab-lengths.txt");

    #[test]
    fn a_recorded_report_is_read() {
        let counted = parse(GOOD).expect("a whole report");
        assert_eq!((counted.requests, counted.errors, counted.bytes), (13_366, 0, 2_031_632));
        assert!((counted.seconds - 1.0).abs() < 0.01, "{counted:?}");
    }

    #[test]
    fn replies_that_are_not_2xx_are_no_throughput() {
        let counted = parse(NOT_FOUND).expect("a whole report");
        assert_eq!(counted.requests, 0);
        assert!(counted.errors > 0);
    }

    #[test]
    fn replies_of_another_length_are_no_throughput() {
        let counted = parse(LENGTHS).expect("a whole report");
        assert!(counted.requests > 0 && counted.errors > 0, "{counted:?}");
    }

    #[test]
    fn recorded_percentiles_are_read() {
        let times = percentiles(PERCENTILES).expect("a whole file");
        let expected = Percentiles { p50: 26, p90: 46, p99: 70, p99_9: 4013, max: 4013 };
        assert_eq!(times, expected);
    }

    #[test]
    fn broken_percentiles_are_refused_and_missing_ones_are_none() {
        for cut in 1..PERCENTILES.len() {
            assert!(percentiles(&PERCENTILES[..cut]).is_err(), "cut at {cut}");
        }
        for nonsense in ["90,soon", "90,-1", "90,inf", "90 0.1", "91,0.1", ",", "ninety,0.1"] {
            let line = PERCENTILES.lines().find(|line| line.starts_with("90,")).expect("it is there");
            assert!(percentiles(&PERCENTILES.replace(line, nonsense)).is_err(), "{nonsense}");
        }
        assert_eq!(percentiles_in("").expect("ab was not answered"), None);
        assert!(percentiles_in("nonsense\n").is_err());
    }

    /// A report that was cut anywhere before its last figure is refused, not read as zero.
    #[test]
    fn a_broken_report_is_refused() {
        let end = GOOD.find("Total transferred:").expect("it is there");
        for cut in (0..end).step_by(7) {
            assert!(parse(&GOOD[..cut]).is_err(), "cut at {cut}");
        }
        assert!(parse(&GOOD.replace("13366", "many")).is_err());
    }
}
