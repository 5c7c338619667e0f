//! One run of the built-in generator, warm-up first, and what its report and the server's use of CPU time say
//! together.

use crate::generators::{Installed, Load, Measurement, measurement};
use crate::tally::figures;
use crate::watch::Watch;
use anyhow::{Context, Result};
use load::Report;
use records::{Bottleneck, Figures, OpenLoop};
use std::time::Instant;

/// An open loop in which more requests than this left late, or never, was none.
const LATE_SHARE: f64 = 0.01;
/// A generator that used more of its CPUs than this had nothing left.
const USED_UP: f64 = 0.90;

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
    let (report, _) = tool.report(load, &mut || {
        match &mut watch {
            Some(watch) => watch.look(),
            None if start.elapsed() >= load.warm_up => watch = Some(Watch::new(pid)),
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
    let spent = watch.context("the generator ended before it measured")?.spent();
    // The CPU time of its threads while they measured: its process has also warmed the server up.
    let measured = Measurement { generator_cpu_seconds: report.cpu_seconds, ..measurement(report) };
    Ok(figures(&measured, &spent, cpus, all_served))
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
        latency_us: report.main.latency_us.context("no request was to be sent in so short a time")?,
        late: report.main.late.unwrap_or(0),
        never_sent: report.main.never_sent.unwrap_or(0),
    };
    let mixed = report.mix.as_ref().map_or(0, |mixed| mixed.requests);
    let answered = (report.main.requests + mixed) as f64 / report.seconds.max(f64::MIN_POSITIVE);
    let limiter = limiter(&open_loop, &figures, answered, cpus, all_served);
    Ok((Figures { limiter, ..figures }, open_loop))
}

/// An open loop that needs no time for a request spends it on waiting for the next one: a generator that is
/// busy all the time is the limit only if it could not keep its times. `answered`: right replies per second,
/// on every path.
fn limiter(
    open: &OpenLoop,
    figures: &Figures,
    answered: f64,
    cpus: (usize, usize),
    all_served: bool,
) -> Bottleneck {
    let share = |seconds: f64, cpus: usize| seconds / (figures.seconds * cpus as f64).max(f64::MIN_POSITIVE);
    let intended = (open.rate * figures.seconds).max(1.0);
    let late = (open.late + open.never_sent) as f64 / intended > LATE_SHARE;
    let generator = share(figures.generator_cpu_seconds, cpus.1);
    let is_busy = late && generator > USED_UP;
    let server = share(figures.server_cpu_seconds.unwrap_or(0.0), cpus.0);
    match Bottleneck::of(server, if is_busy { generator } else { 0.0 }, all_served) {
        Bottleneck::Neither if !open.is_reached(answered) => Bottleneck::Unreached,
        limiter => limiter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_core::stats::Percentiles;
    use records::sample::figures;

    fn open(late: u64, never_sent: u64) -> OpenLoop {
        let latency_us = Percentiles { p50: 1, p90: 1, p99: 1, p99_9: 1, max: 1 };
        OpenLoop { rate: 10_000.0, share_of_peak: Some(0.9), latency_us, late, never_sent }
    }

    #[test]
    fn a_generator_that_waits_busily_is_no_limit_while_it_keeps_its_times() {
        let of = |server, generator| Figures {
            server_cpu_seconds: Some(server),
            generator_cpu_seconds: generator,
            ..figures(10_000.0)
        };
        let rows = [
            (open(100, 0), of(0.7, 0.99), 10_000.0, true, Bottleneck::Neither),
            (open(100, 0), of(0.7, 0.99), 9_000.0, true, Bottleneck::Unreached),
            (open(60, 60), of(0.7, 0.99), 10_000.0, true, Bottleneck::Generator),
            (open(60, 60), of(0.97, 0.5), 9_000.0, true, Bottleneck::Server),
            (open(0, 0), of(0.97, 0.99), 10_000.0, true, Bottleneck::Server),
            (open(0, 0), of(0.97, 0.99), 10_000.0, false, Bottleneck::Clients),
        ];
        for (open, figures, answered, all_served, expected) in rows {
            let found = limiter(&open, &figures, answered, (1, 1), all_served);
            assert_eq!(found, expected, "{open:?} {figures:?} {answered}");
        }
    }
}
