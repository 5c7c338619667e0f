//! ApacheBench.
//!
//! It speaks HTTP/1.0. With `-k` it waits for the end of the connection unless the reply says
//! `Connection: keep-alive`. `-t` means `-n 50000` too and so ends early, unless `-n` comes after it.

use super::Measurement;
use super::run::Run;
use anyhow::{Context, Result, bail};

/// More than ab can do in a second. ab reserves 32 bytes of address space for each of them.
const REQUESTS_PER_SECOND: u64 = 250_000;

pub(super) fn run(mut run: Run) -> Result<Measurement> {
    let load = run.load;
    let mut args: Vec<String> = ["-q", "-s", "5"].map(String::from).into();
    if load.keep_alive {
        args.push("-k".into());
    }
    let requests = u64::from(load.seconds) * REQUESTS_PER_SECOND;
    args.extend(["-c".into(), load.concurrency.to_string()]);
    args.extend(["-t".into(), load.seconds.to_string(), "-n".into(), requests.to_string()]);
    args.push(format!("http://{}{}", load.addr, load.path));
    let output = run.output(args)?;
    if !output.status.success() {
        bail!("ab gave up: {}", output.last_words());
    }
    let counted = parse(&output.stdout).context("ab's report cannot be read")?;
    Ok(Measurement { generator_cpu_seconds: output.cpu_seconds, ..counted })
}

/// Reads the report. A reply that is not 2xx is complete for ab, and so is one of a length that differs
/// from the first reply's; here both are errors. A failed reply may be counted under both heads, and is
/// then two errors: the speed is rather too low than too high.
fn parse(report: &str) -> Result<Measurement> {
    let complete: u64 = number(report, "Complete requests:")?;
    let failed: u64 = number(report, "Failed requests:")?;
    // The line is there only if there were any.
    let refused: u64 = number(report, "Non-2xx responses:").unwrap_or(0);
    let errors = failed + refused;
    Ok(Measurement {
        requests: complete.saturating_sub(errors),
        errors,
        seconds: number(report, "Time taken for tests:")?,
        bytes: number(report, "Total transferred:")?,
        generator_cpu_seconds: 0.0,
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
