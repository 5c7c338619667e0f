//! One point: from the look at the server before it to the look after it.

use super::plan::Plan;
use super::point::Point;
use super::rigor::Rigor;
use super::servers::{Running, Servers};
use super::skips::ab_would_hang;
use super::target;
use crate::count::Counted;
use crate::generators::{Installed, Load, Tool};
use crate::tally::figures;
use crate::watch::Watch;
use anyhow::{Context, Result, bail};
use lab_core::clock::now;
use lab_core::host::Host;
use records::{Figures, Idle, OpenLoop, Phase, Record};

/// What all points have in common.
pub(super) struct Bench<'a> {
    pub(super) plan: &'a Plan,
    pub(super) load: Load,
    pub(super) server_cpus: Vec<usize>,
    pub(super) host: Host,
    pub(super) installed: Vec<Installed>,
    pub(super) rigor: Rigor,
    /// The command line, as it is recorded.
    pub(super) command: String,
}

/// What came of a point.
pub(super) enum Outcome {
    Measured(Box<Measured>),
    /// As it must be with this server and this tool.
    Skipped(String),
    /// The server or the generator failed.
    Failed(String),
}

/// What a point found.
#[derive(Default)]
pub(super) struct Measured {
    pub(super) figures: Option<Figures>,
    pub(super) body_bytes: u64,
    /// How many of the clients were served at all.
    pub(super) clients_served: usize,
    pub(super) floor_around: Option<[f64; 2]>,
    pub(super) open_loop: Option<OpenLoop>,
    pub(super) idle: Option<Idle>,
    /// Other programs were busy, during the point or during what it is compared with.
    pub(super) disturbed: bool,
}

/// A server that is ready for a point, and the load for it.
pub(super) struct Ready<'a> {
    pub(super) running: &'a mut Running,
    pub(super) load: Load,
    pub(super) counted: Counted,
}

impl Bench<'_> {
    /// Measures a point of any phase but the paired one, which needs the floor around it. `stop` ends it early.
    pub(super) fn measure(&self, point: &Point, servers: &mut Servers, stop: &dyn Fn() -> bool) -> Outcome {
        let outcome = match point.phase {
            Phase::Latency => self.latency(point, servers, stop),
            Phase::Idle => self.refusal(point, servers).and_then(|()| self.idle(point, servers, stop)),
            _ => self.closed_loop(point, servers, stop),
        };
        outcome.unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")))
    }

    /// The server of a point, with its clients counted; the load has the point's clients and duration.
    pub(super) fn ready<'s>(
        &self,
        point: &Point,
        servers: &'s mut Servers,
        stop: &dyn Fn() -> bool,
    ) -> Result<Ready<'s>> {
        let subject = &self.plan.subjects[point.subject];
        let mut launch = subject.launch(point.tool, point.keep_alive, self.load.pipeline);
        launch.cpus = Some(self.server_cpus.clone());
        let load = Load {
            concurrency: point.concurrency,
            keep_alive: point.keep_alive,
            duration: self.plan.duration_of(point),
            ..self.load.clone()
        };
        let (running, counted) = servers.counted(&launch, &load, stop)?;
        let reply = running.reply;
        let (reply_bytes, variable_bytes) = (reply.bytes, reply.variable_bytes);
        let load = Load { addr: running.addr, reply_bytes, variable_bytes, ..load };
        Ok(Ready { running, load, counted })
    }

    /// An error if the server of a point was refused: a process of its own would be no better.
    fn refusal(&self, point: &Point, servers: &Servers) -> Result<()> {
        let subject = &self.plan.subjects[point.subject];
        match servers.refusal(&subject.launch(point.tool, point.keep_alive, self.load.pipeline)) {
            Some(reason) => bail!("{reason}"),
            None => Ok(()),
        }
    }

    /// A generator that is installed.
    pub(super) fn tool(&self, tool: Tool) -> Result<&Installed> {
        let installed = self.installed.iter().find(|installed| installed.tool == tool);
        installed.with_context(|| format!("{} is not installed", tool.name()))
    }

    fn closed_loop(&self, point: &Point, servers: &mut Servers, stop: &dyn Fn() -> bool) -> Result<Outcome> {
        let tool = self.tool(point.tool)?;
        let Ready { running, load, counted } = self.ready(point, servers, stop)?;
        if tool.tool == Tool::Ab && point.keep_alive && counted.clients < point.concurrency {
            return Ok(Outcome::Skipped(ab_would_hang(counted.clients, point.concurrency)));
        }
        let mut watch = Watch::new(running.pid());
        let measurement = tool.run(&load, &mut || {
            watch.look();
            !stop()
        });
        if let Some(death) = running.death() {
            bail!("{death}");
        }
        let measurement = measurement?;
        let all_served = counted.clients == point.concurrency;
        let generator_cpus = tool.cpus(&load);
        let cpus = (self.server_cpus.len(), generator_cpus);
        let figures = figures(&measurement, &watch.spent(), cpus, all_served);
        // The smallest step of its clock is far less than what so many replies cost.
        if figures.requests > 10_000 && figures.server_cpu_seconds == Some(0.0) {
            bail!(
                "{}'s report cannot be true: {} replies, and the server used no CPU time",
                tool.tool.name(),
                figures.requests
            );
        }
        let figures = target::known(figures, &self.plan.subjects[point.subject], tool);
        Ok(Outcome::Measured(Box::new(Measured {
            disturbed: figures.is_disturbed(),
            figures: Some(figures),
            body_bytes: running.reply.body_bytes,
            clients_served: counted.clients,
            ..Measured::default()
        })))
    }

    /// What to do after an interruption.
    pub(super) fn how_to_go_on(&self) -> &'static str {
        if self.host.dirty {
            "the work tree has uncommitted changes, so the same command will begin anew"
        } else {
            "the same command goes on from there"
        }
    }

    /// The record of a point.
    pub(super) fn record(&self, point: &Point, round: u32, outcome: Outcome) -> Record {
        let subject = &self.plan.subjects[point.subject];
        let (measured, skipped) = match outcome {
            Outcome::Measured(measured) => (*measured, None),
            Outcome::Skipped(reason) | Outcome::Failed(reason) => (Measured::default(), Some(reason)),
        };
        let starves = skipped.is_none() && measured.clients_served < point.concurrency;
        Record {
            stage: subject.name.clone(),
            title: subject.title.clone(),
            kind: subject.kind(),
            configuration: subject.configuration(),
            phase: point.phase,
            tool: point.tool_name().into(),
            concurrency: point.concurrency,
            keep_alive: point.keep_alive,
            pipeline: self.load.pipeline,
            path: self.load.path.clone(),
            body_bytes: measured.body_bytes,
            duration_seconds: self.plan.duration_of(point).as_secs_f64(),
            round,
            points_planned: self.plan.len(),
            seed: self.plan.seed,
            quick: self.rigor == Rigor::Quick,
            command: self.command.clone(),
            started_at: now(),
            server_cpus: if subject.target_addr().is_some() { Vec::new() } else { self.server_cpus.clone() },
            generator_cpus: self.load.cpus.clone().unwrap_or_default(),
            generator_host: self.tool(point.tool).ok().and_then(|tool| tool.place.host()).map(str::to_owned),
            workers: None,
            clients_served: measured.clients_served,
            skipped,
            note: target::note(
                subject,
                starves
                    .then(|| format!("{} of {} clients served", measured.clients_served, point.concurrency)),
            ),
            dropped: false,
            floor_around: measured.floor_around,
            open_loop: measured.open_loop,
            mix: None,
            idle: measured.idle,
            figures: measured.figures,
            host: self.host.clone(),
        }
    }
}
