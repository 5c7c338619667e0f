//! How long requests wait: an open loop at a share of the server's peak.
//!
//! The peak is found by a closed loop of the same generator with the same clients, once for each start of a server. Where
//! the generator is the limit of that, it is a peak of both together; the figures say how busy the server was.

use super::Point;
use super::measure::{Bench, Measured, Outcome, Ready};
use super::servers::{Running, Servers};
use super::watch::Watch;
use crate::generators::{Installed, Load, Measurement, OPEN_LOOP_WARM_UP};
use crate::load::Report;
use crate::records::{Figures, Limiter, OpenLoop};
use anyhow::{Context, Result, bail};
use std::time::Instant;

/// An open loop in which more requests than this left late, or never, was none.
const LATE_SHARE: f64 = 0.01;
/// A generator that used more of its CPUs than this had nothing left.
const USED_UP: f64 = 0.90;

impl Bench<'_> {
    /// Measures a point of the latency phase.
    pub(super) fn latency(
        &self,
        point: &Point,
        servers: &mut Servers,
        stop: &dyn Fn() -> bool,
    ) -> Result<Outcome> {
        let tool = self.tool(point.tool)?;
        let expected = servers.expected_peak(&self.plan.subjects[point.subject].name);
        let Ready { running, load, counted } = self.ready(point, servers, stop)?;
        let peak = match running.peak.or(expected) {
            Some(peak) => peak,
            None => counted.requests_per_second.max(peak_of(tool, &load, stop)?),
        };
        running.peak = Some(peak);
        let share_of_peak = f64::from(point.share) / 100.0;
        let rate = peak * share_of_peak;
        let (report, watch) = run_watched(tool, &Load { rate: Some(rate), ..load }, running, stop)?;

        let all_served = counted.clients == point.concurrency;
        let spent = watch.context("the generator ended before it measured")?.spent();
        let figures = self.figures(&measurement(&report), &spent, all_served);
        let open_loop = OpenLoop {
            rate,
            share_of_peak,
            latency_us: report.latency_us.context("no request was to be sent in so short a time")?,
            late: report.late.unwrap_or(0),
            never_sent: report.never_sent.unwrap_or(0),
        };
        let limiter = limiter(&open_loop, &figures, self.cpus(), all_served);
        Ok(Outcome::Measured(Box::new(Measured {
            disturbed: figures.is_disturbed(),
            figures: Some(Figures { limiter, ..figures }),
            body_bytes: running.reply.body_bytes,
            clients_served: counted.clients,
            open_loop: Some(open_loop),
            ..Measured::default()
        })))
    }

    /// How many CPUs the server and the generator have.
    fn cpus(&self) -> (usize, usize) {
        (self.server_cpus.len(), self.load.cpus.as_ref().map_or(1, Vec::len))
    }
}

/// Right replies per second of a closed loop.
fn peak_of(tool: &Installed, load: &Load, stop: &dyn Fn() -> bool) -> Result<f64> {
    let (report, _) = tool.report(load, &mut || !stop())?;
    Ok(report.requests_per_second)
}

/// Runs the open loop. The watch begins when the warm-up ends, as the generator's own counts do: to some milliseconds,
/// which is what the CPU time per request is right to here.
fn run_watched(
    tool: &Installed,
    load: &Load,
    running: &mut Running,
    stop: &dyn Fn() -> bool,
) -> Result<(Report, Option<Watch>)> {
    let (start, pid) = (Instant::now(), running.pid());
    let mut watch: Option<Watch> = None;
    let report = tool.report(load, &mut || {
        match &mut watch {
            Some(watch) => watch.look(),
            None if start.elapsed() >= OPEN_LOOP_WARM_UP => watch = Some(Watch::new(pid)),
            None => {}
        }
        !stop()
    });
    if let Some(death) = running.death() {
        bail!("{death}");
    }
    let (report, _) = report?;
    Ok((report, watch))
}

fn measurement(report: &Report) -> Measurement {
    Measurement {
        requests: report.requests,
        errors: report.failed(),
        seconds: report.seconds,
        bytes: report.bytes,
        // Of its threads while they measured; its process has also warmed the server up.
        generator_cpu_seconds: report.cpu_seconds,
        closed_loop_us: report.service_us,
    }
}

/// An open loop that needs no time for a request spends it on waiting for the next one: a generator that is busy all the
/// time is the limit only if it could not keep its times.
fn limiter(open: &OpenLoop, figures: &Figures, cpus: (usize, usize), all_served: bool) -> Limiter {
    let share = |seconds: f64, cpus: usize| seconds / (figures.seconds * cpus as f64).max(f64::MIN_POSITIVE);
    let intended = (open.rate * figures.seconds).max(1.0);
    let late = (open.late + open.never_sent) as f64 / intended > LATE_SHARE;
    let generator = share(figures.generator_cpu_seconds, cpus.1);
    let is_busy = late && generator > USED_UP;
    let server = share(figures.server_cpu_seconds.unwrap_or(0.0), cpus.0);
    match Limiter::of(server, if is_busy { generator } else { 0.0 }, all_served) {
        Limiter::Neither if !open.is_reached(figures) => Limiter::Unreached,
        limiter => limiter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::record;
    use crate::stats::Percentiles;

    fn open(late: u64, never_sent: u64) -> OpenLoop {
        let latency_us = Percentiles { p50: 1, p90: 1, p99: 1, p99_9: 1, max: 1 };
        OpenLoop { rate: 10_000.0, share_of_peak: 0.9, latency_us, late, never_sent }
    }

    #[test]
    fn a_generator_that_waits_busily_is_no_limit_while_it_keeps_its_times() {
        let figures = |server, generator| Figures {
            server_cpu_seconds: Some(server),
            generator_cpu_seconds: generator,
            ..record("05", "builtin", 64, true, 10_000.0).figures.expect("invented")
        };
        let rows = [
            (open(100, 0), figures(0.7, 0.99), true, Limiter::Neither),
            (open(60, 60), figures(0.7, 0.99), true, Limiter::Generator),
            (open(60, 60), figures(0.97, 0.5), true, Limiter::Server),
            (open(0, 0), figures(0.97, 0.99), true, Limiter::Server),
            (open(0, 0), figures(0.97, 0.99), false, Limiter::Clients),
        ];
        for (open, figures, all_served, expected) in rows {
            assert_eq!(limiter(&open, &figures, (1, 1), all_served), expected, "{open:?} {figures:?}");
        }
    }
}
