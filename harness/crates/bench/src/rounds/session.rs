//! A run while it goes.

use super::done::Done;
use super::plan::{Plan, Point, Subject};
use super::progress::Progress;
use crate::generators::{Installed, Load};
use crate::quiet::Quiet;
use crate::smoke::{Reply, smoke};
use anyhow::{Context, Result, bail};
use lab_core::clock::now;
use lab_core::host::Host;
use lab_core::interruption::Interruption;
use lab_core::server_process::{Launch, Server};
use lab_core::units::{count, number, time};
use records::{Figures, Kind, Mix, OpenLoop, Phase, Record, Writer};
use std::time::Duration;

/// Of the whole time, so much may be spent on waiting for a quiet machine that is not quiet.
const PATIENCE: f64 = 0.1;

/// What all points have in common.
pub(crate) struct Common {
    pub(crate) phase: Phase,
    pub(crate) tool: Installed,
    /// But for the address, the clients and the length of the reply.
    pub(crate) load: Load,
    pub(crate) server_cpus: Vec<usize>,
    pub(crate) host: Host,
    /// Whether everything is measured that the command measures by itself, as often: a look must not take the place of that.
    pub(crate) is_whole: bool,
}

/// What was found at a point.
pub(crate) struct Measured {
    pub(crate) figures: Figures,
    /// How many of the clients were served at all.
    pub(crate) clients_served: usize,
    pub(crate) open_loop: Option<OpenLoop>,
    pub(crate) mix: Option<Mix>,
}

/// A way to measure a point.
pub(crate) trait Measuring {
    /// Puts the load on the server, which runs and has answered once. `stop` ends it early.
    fn measure(&self, server: &Server, load: &Load, stop: &dyn Fn() -> bool) -> Result<Measured>;
}

/// How the run ended.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum End {
    /// Every point was measured or skipped as planned.
    Complete,
    /// A server or the generator failed; the rest is measured.
    WithFailures,
    /// By the user.
    Interrupted,
}

/// A run.
pub(super) struct Session<'a> {
    pub(super) plan: &'a Plan,
    pub(super) common: &'a Common,
    pub(super) measuring: &'a dyn Measuring,
    /// The command line, as it is recorded.
    pub(super) command: String,
}

impl Session<'_> {
    /// Measures the points that are not done and records each at once. An error is one of recording.
    pub(super) fn run(&self, mut writer: Writer, done: &Done) -> Result<End> {
        let interruption = Interruption::catch()?;
        let stop = || interruption.has_come();
        for point in self.plan.skipped() {
            if let (Err(reason), false) = (&self.subject(&point).launch, done.has_reason(self.plan, &point)) {
                writer.write(&self.record(&point, 1, Err(reason.clone())))?;
            }
        }
        let whole = self.plan.seconds();
        let mut quiet = Quiet::new(Duration::from_secs_f64(whole * PATIENCE));
        let mut progress = Progress::new(self.plan.len(), whole);
        let mut has_failed = false;
        for round in 1..=self.plan.rounds {
            for point in self.plan.round(round) {
                let name = format!("{}, {}", self.subject(&point).name, count(point.clients, "client"));
                if done.has(self.plan, &point, round) {
                    progress.end(point.seconds, None);
                    continue;
                }
                progress.begin(&name);
                quiet.wait(&stop, &|line| progress.wait(line));
                let outcome = self.measure(&point, &stop).map_err(|error| format!("{error:#}"));
                if stop() {
                    return Ok(End::Interrupted);
                }
                has_failed |= outcome.is_err();
                let line = match &outcome {
                    Ok((measured, _)) => format!("{name}: {}", measured.words()),
                    Err(reason) => format!("{name}: {reason}"),
                };
                writer.write(&self.record(&point, round, outcome))?;
                progress.end(point.seconds, Some(&line));
            }
        }
        Ok(if has_failed { End::WithFailures } else { End::Complete })
    }

    fn subject(&self, point: &Point) -> &Subject {
        self.plan.subject(point)
    }

    /// Measures a point on a server of its own. One that had served the point before would still hold what is left of it:
    /// connections whose clients are gone keep a serial server with a short accept queue busy for seconds.
    fn measure(&self, point: &Point, stop: &dyn Fn() -> bool) -> Result<(Measured, Reply)> {
        let launch = self.subject(point).launch.as_ref().map_err(|reason| anyhow::anyhow!("{reason}"))?;
        let (mut server, reply) = self.start(launch).context("refused")?;
        let load = Load {
            addr: server.addr,
            concurrency: point.clients,
            reply_bytes: reply.bytes,
            variable_bytes: reply.variable_bytes,
            ..self.common.load.clone()
        };
        let measured = self.measuring.measure(&server, &load, stop);
        if let Some(death) = server.death() {
            bail!("{death}");
        }
        // Dropping the server kills it: to drain would be to wait for clients that are gone.
        Ok((measured?, reply))
    }

    fn start(&self, launch: &Launch) -> Result<(Server, Reply)> {
        let launch = Launch { cpus: Some(self.common.server_cpus.clone()), ..launch.clone() };
        let server = launch.start()?;
        server.must_own_its_port()?;
        let reply = smoke(server.addr, &self.common.load.path)?;
        Ok((server, reply))
    }

    fn record(&self, point: &Point, round: u32, outcome: Result<(Measured, Reply), String>) -> Record {
        let (subject, common) = (self.subject(point), self.common);
        let (measured, body_bytes, skipped) = match outcome {
            Ok((measured, reply)) => (Some(measured), reply.body_bytes, None),
            Err(reason) => (None, 0, Some(reason)),
        };
        let clients_served = measured.as_ref().map_or(0, |measured| measured.clients_served);
        let starves = measured.is_some() && clients_served < point.clients;
        let (open_loop, mix, figures) = match measured {
            Some(Measured { figures, open_loop, mix, .. }) => (open_loop, mix, Some(figures)),
            None => (None, None, None),
        };
        Record {
            stage: subject.stage.clone(),
            title: subject.title.clone(),
            kind: Kind::Stage,
            configuration: (!subject.options.is_empty()).then(|| subject.options.join(" ")),
            phase: common.phase,
            tool: common.tool.tool.name().into(),
            concurrency: point.clients,
            keep_alive: common.load.keep_alive,
            pipeline: common.load.pipeline,
            path: common.load.path.clone(),
            body_bytes,
            duration_seconds: common.load.duration.as_secs_f64(),
            round,
            points_planned: self.plan.len(),
            seed: self.plan.seed,
            quick: false,
            command: self.command.clone(),
            started_at: now(),
            server_cpus: common.server_cpus.clone(),
            generator_cpus: common.load.cpus.clone().unwrap_or_default(),
            generator_host: None,
            workers: subject.workers,
            clients_served,
            skipped,
            note: starves.then(|| format!("{clients_served} of {} clients served", point.clients)),
            dropped: false,
            floor_around: None,
            open_loop,
            mix,
            idle: None,
            figures,
            host: common.host.clone(),
        }
    }
}

impl Measured {
    /// Right answers per second, on every path.
    fn answered(&self) -> f64 {
        let mixed = self.mix.as_ref().map_or(0, |mix| mix.requests);
        self.figures.requests_per_second + mixed as f64 / self.figures.seconds.max(f64::MIN_POSITIVE)
    }

    /// In a few words.
    fn words(&self) -> String {
        let errors = self.figures.errors + self.mix.as_ref().map_or(0, |mix| mix.errors);
        let errors = if errors > 0 { format!(", {errors} errors") } else { String::new() };
        match &self.open_loop {
            Some(open) if !open.is_reached(self.answered()) => {
                format!("rate not reached: {} of {}/s{errors}", number(self.answered()), number(open.rate))
            }
            Some(open) => format!("99 % within {}{errors}", time(open.latency_us.p99 as f64)),
            None => format!("{} requests/s{errors}", number(self.figures.requests_per_second)),
        }
    }
}
