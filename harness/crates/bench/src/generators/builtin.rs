//! The lab's own generator, as a program of its own: bound to its CPUs and bounded in time like the others.
//!
//! It is told what a right reply is, so what it counts is right by status, length and bytes.

use super::load::Measurement;
use super::run::Run;
use anyhow::{Context, Result};
use lab_core::stages::binary_directory;
use load::Report;
use std::path::PathBuf;

/// The harness itself. A program that uses the harness as a library has it beside itself.
pub(super) fn ours() -> Option<PathBuf> {
    let program = binary_directory().ok()?.join("harness");
    program.is_file().then_some(program)
}

pub(super) fn run(run: Run) -> Result<Measurement> {
    let (report, generator_cpu_seconds) = report(run)?;
    Ok(Measurement { generator_cpu_seconds, ..measurement(&report) })
}

/// The whole report, and the CPU time of the process.
pub(super) fn report(mut run: Run) -> Result<(Report, f64)> {
    let load = run.load;
    let threads = run.threads();
    let mut args: Vec<String> = vec!["load".into(), load.url(), "--json".into()];
    if let Some(host) = &load.host {
        args.extend(["--host".into(), host.clone()]);
    }
    args.extend(["--connections".into(), load.concurrency.to_string()]);
    args.extend(["--threads".into(), threads.to_string()]);
    args.extend(["--duration".into(), load.duration.as_secs_f64().to_string()]);
    if let Some(rate) = load.rate {
        args.extend(["--rate".into(), rate.to_string()]);
    }
    if !load.warm_up.is_zero() {
        args.extend(["--warm-up".into(), load.warm_up.as_secs_f64().to_string()]);
    }
    if let Some(mix) = &load.mix {
        args.extend(["--mix".into(), mix.to_string()]);
    }
    if !load.keep_alive {
        args.push("--close".into());
    } else if load.pipeline > 1 {
        args.extend(["--pipeline".into(), load.pipeline.to_string()]);
    }
    if load.learns_body {
        args.push("--learn-body".into());
    }
    let output = run.output(args)?;
    // It fails when nothing was answered right, and reports all the same: that is a measurement.
    let report = parse(&output.stdout)
        .with_context(|| format!("the built-in generator gave up: {}", output.last_words()))?;
    Ok((report, output.cpu_seconds))
}

fn parse(report: &str) -> Result<Report> {
    let json = report.lines().rfind(|line| line.starts_with('{')).context("no line of JSON")?;
    Ok(serde_json::from_str(json)?)
}

/// What a report says, but for the CPU time of the generator.
pub(crate) fn measurement(report: &Report) -> Measurement {
    Measurement {
        requests: report.main.requests,
        errors: report.failed(),
        seconds: report.seconds,
        bytes: report.bytes,
        generator_cpu_seconds: 0.0,
        closed_loop_us: report.main.service_us,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../tests/fixtures/builtin-good.txt");
    const NOT_FOUND: &str = include_str!("../../tests/fixtures/builtin-404.txt");

    #[test]
    fn a_recorded_report_is_read() {
        let counted = measurement(&parse(GOOD).expect("a whole report"));
        assert!(counted.requests > 1000 && counted.errors == 0, "{counted:?}");
        assert_eq!(counted.closed_loop_us.map(|times| (times.p50, times.max)), Some((465, 4783)));
        assert!((counted.seconds - 1.0).abs() < 0.2, "{counted:?}");
    }

    #[test]
    fn wrong_replies_are_no_throughput() {
        let counted = measurement(&parse(NOT_FOUND).expect("a whole report"));
        assert_eq!(counted.requests, 0);
        assert!(counted.errors > 0);
    }

    #[test]
    fn a_broken_report_is_refused() {
        for cut in (0..GOOD.trim_end().len()).step_by(7) {
            assert!(parse(&GOOD[..cut]).is_err(), "cut at {cut}");
        }
        assert!(parse("{\"requests\":\"many\"}").is_err());
    }
}
