//! How long requests wait: an open loop at a share of the server's peak.
//!
//! The peak is found by a closed loop of the same generator with the same clients, once for each start of a server. Where
//! the generator is the limit of that, it is a peak of both together; the figures say how busy the server was.

use super::measure::{Bench, Measured, Outcome, Ready};
use super::point::Point;
use super::servers::Servers;
use crate::generators::{Installed, Load, WARM_UP};
use crate::watched::{found_in_open_loop, run_watched};
use anyhow::{Result, bail};
use records::OpenLoop;

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
        let run =
            run_watched(tool, &Load { rate: Some(rate), warm_up: WARM_UP, ..load }, running.pid(), stop);
        if let Some(death) = running.death() {
            bail!("{death}");
        }
        let (report, watch) = run?;
        let all_served = counted.clients == point.concurrency;
        let (figures, open_loop) = found_in_open_loop((&report, watch), rate, self.cpus(), all_served)?;
        let open_loop = OpenLoop { share_of_peak: Some(share_of_peak), ..open_loop };
        Ok(Outcome::Measured(Box::new(Measured {
            disturbed: figures.is_disturbed(),
            figures: Some(figures),
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
