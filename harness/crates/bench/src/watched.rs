//! One run of the built-in generator, warm-up first, and what its report and the server's use of CPU time say
//! together.

use crate::generators::{Installed, Load, Measurement, measurement};
use crate::tally::figures;
use crate::watch::Watch;
use anyhow::{Context, Result};
use load::Report;
use records::{Bottleneck, Figures, OpenLoop};
use std::time::{Duration, Instant};

/// Runs the generator. The watch begins when the warm-up ends, as the generator's own counts do: to some
/// milliseconds, which is what the CPU time per request is right to here.
pub(crate) fn run_watched(
    tool: &Installed,
    load: &Load,
    pid: Option<u32>,
    stop: &dyn Fn() -> bool,
) -> Result<(Report, Option<Watch>)> {
    let start = Instant::now();
    let mut watch: Option<Watch> = None;
    let (report, _) = tool.report(load, &mut |generator| {
        match &mut watch {
            Some(watch) => watch.look(generator),
            None if start.elapsed() >= load.warm_up => {
                watch = Some(Watch::new(pid, (Duration::ZERO, load.duration), true));
            }
            None => {}
        }
        !stop()
    })?;
    Ok((report, watch))
}

/// What was found in a closed loop. The pair says how many CPUs the server and the generator had.
pub(crate) fn found_in_closed_loop(
    (report, watch): (&Report, Option<Watch>),
    cpus: (usize, usize),
    all_served: bool,
) -> Result<Figures> {
    let is_warmed_up = true;
    let spent = watch.context("the generator ended before it measured")?.spent();
    // The CPU time of its threads while they measured: its process has also warmed the server up.
    let measured = Measurement { generator_cpu_seconds: report.cpu_seconds, ..measurement(report) };
    Ok(figures(&measured, &spent, cpus, all_served, is_warmed_up))
}

/// What was found in an open loop.
pub(crate) fn found_in_open_loop(
    (report, watch): (&Report, Option<Watch>),
    rate: f64,
    cpus: (usize, usize),
    all_served: bool,
) -> Result<(Figures, OpenLoop)> {
    let figures = found_in_closed_loop((report, watch), cpus, all_served)?;
    let open_loop = OpenLoop {
        rate,
        share_of_peak: None,
        latency_us: report.latency_us.context("no request was to be sent in so short a time")?,
        over_5ms: report.over_5ms,
        late: report.late.unwrap_or(0),
        never_sent: report.never_sent.unwrap_or(0),
    };
    let mixed = report.mix.as_ref().map_or(0, |mixed| mixed.requests);
    let answered = (report.requests + mixed) as f64 / report.seconds.max(f64::MIN_POSITIVE);
    let closed = (&open_loop, figures.seconds);
    let limiter = Bottleneck::of_open_loop(figures.shares(cpus), all_served, closed, answered);
    Ok((Figures { limiter, ..figures }, open_loop))
}
