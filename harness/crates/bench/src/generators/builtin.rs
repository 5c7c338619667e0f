//! The lab's own generator, as a program of its own: bound to its CPUs and bounded in time like the others.
//!
//! It is told what a right reply is, so what it counts is right by status, length and bytes.

use super::load::{Load, Measurement};
use super::run::{Run, Word, json};
use anyhow::{Context, Result};
use lab_core::stages::binary_directory;
use load::{Args, Report};
use std::path::PathBuf;

/// The harness itself. A program that uses the harness as a library has it beside itself.
pub(super) fn ours() -> Option<PathBuf> {
    let program = binary_directory().ok()?.join("harness");
    program.is_file().then_some(program)
}

pub(super) fn run(run: Run) -> Result<Measurement> {
    let is_warmed_up = !run.load.warm_up.is_zero();
    let (report, process_seconds) = report(run)?;
    // The process has also warmed the server up; its threads know what they used while they measured.
    let generator_cpu_seconds = if is_warmed_up { report.cpu_seconds } else { process_seconds };
    Ok(Measurement { generator_cpu_seconds, ..measurement(report) })
}

/// The whole report, and the CPU time of the process.
pub(super) fn report(mut run: Run) -> Result<(Report, f64)> {
    let load = run.load;
    let options = format!(
        "load --json --connections {} --threads {} --duration {} --warm-up {}",
        load.concurrency,
        run.threads(),
        load.duration.as_secs_f64(),
        load.warm_up.as_secs_f64(),
    );
    let mut words: Vec<Word> = options.split(' ').map(Word::from).collect();
    words.push(load.url().into());
    let mut add = |option: &str, value: Option<String>| {
        words.extend(value.into_iter().flat_map(|value| [option.into(), value.into()]));
    };
    add("--host", load.host.clone());
    add("--rate", load.rate.map(|rate| rate.to_string()));
    add("--timeout", load.timeout.map(|timeout| timeout.as_secs_f64().to_string()));
    add("--mix", load.mix.as_ref().map(ToString::to_string));
    add("--pipeline", (load.pipeline > 1).then(|| load.pipeline.to_string()));
    words.extend((load.spins && load.rate.is_some()).then(|| "--spin".into()));
    words.extend((!load.keep_alive).then(|| "--close".into()));
    words.extend(load.learns_body.then(|| "--learn-body".into()));
    let output = run.output(words)?;
    // It fails when nothing was answered right, and reports all the same: that is a measurement.
    let report = json(&output.stdout)
        .with_context(|| format!("the built-in generator gave up: {}", output.last_words()))?;
    Ok((report, output.cpu_seconds))
}

/// The same load for the generator that runs in this process, on one thread.
pub(crate) fn options_of_turns(load: &Load) -> Args {
    Args {
        host: load.host.clone(),
        connections: load.concurrency as u32,
        pipeline: load.pipeline as u64,
        close: !load.keep_alive,
        learn_body: load.learns_body,
        ..Args::new(&load.url())
    }
}

/// What its report says. Its thread knows what it used for this load.
pub(crate) fn measured_in_turns(report: Report) -> Measurement {
    Measurement { generator_cpu_seconds: report.cpu_seconds, ..measurement(report) }
}

/// What a report says, but for the CPU time of the generator.
fn measurement(report: Report) -> Measurement {
    Measurement {
        requests: report.main.requests,
        errors: report.failed(),
        seconds: report.seconds,
        bytes: report.bytes,
        closed_loop_us: report.main.service_us,
        report: Some(Box::new(report)),
        ..Measurement::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(report: &str) -> Result<Report> {
        json(report)
    }

    const GOOD: &str = include_str!("../../tests/fixtures/builtin-good.txt");
    const NOT_FOUND: &str = include_str!("../../tests/fixtures/builtin-404.txt");

    #[test]
    fn a_recorded_report_is_read() {
        let counted = measurement(parse(GOOD).expect("a whole report"));
        assert!(counted.requests > 1000 && counted.errors == 0, "{counted:?}");
        assert_eq!(counted.closed_loop_us.map(|times| (times.p50, times.max)), Some((465, 4783)));
        assert!((counted.seconds - 1.0).abs() < 0.2, "{counted:?}");
    }

    #[test]
    fn wrong_replies_are_no_throughput() {
        let counted = measurement(parse(NOT_FOUND).expect("a whole report"));
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
