//! One point: from the look at the server before it to the look after it.

use super::rigor::Rigor;
use super::servers::Servers;
use super::{Plan, Point, now};
use crate::generators::{Installed, Load, Measurement};
use crate::host::Host;
use crate::process::{Usage, machine_cpu_seconds, memory_of_tree};
use crate::records::{Figures, Kind, Limiter, Phase, Record};
use anyhow::{Context, Result, ensure};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often the memory is looked at. A look holds the server's memory map for a moment.
const LOOK: Duration = Duration::from_millis(250);
/// How long the processes of the last connections may take to end.
const SETTLE: Duration = Duration::from_millis(500);

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
    Measured(Box<Figures>, u64),
    /// As planned.
    Skipped(String),
    /// The server or the generator failed.
    Failed(String),
}

impl Bench<'_> {
    /// Measures a point. `stop` ends it early.
    pub(super) fn measure(&self, point: &Point, servers: &mut Servers, stop: &dyn Fn() -> bool) -> Outcome {
        match self.try_measure(point, servers, stop) {
            Ok((figures, body_bytes)) => Outcome::Measured(Box::new(figures), body_bytes),
            Err(error) => Outcome::Failed(format!("{error:#}")),
        }
    }

    fn try_measure(
        &self,
        point: &Point,
        servers: &mut Servers,
        stop: &dyn Fn() -> bool,
    ) -> Result<(Figures, u64)> {
        let subject = &self.plan.subjects[point.subject];
        let installed = self.installed.iter().find(|installed| installed.tool == point.tool);
        let installed = installed.context("the tool is not installed")?;
        let mut launch = subject.launch(point.tool, point.keep_alive, self.load.pipeline);
        launch.cpus = Some(self.server_cpus.clone());
        let (server, reply, is_new) = servers.get(&launch, &self.load.path)?;
        let load = Load {
            addr: server.addr,
            concurrency: point.concurrency,
            keep_alive: point.keep_alive,
            reply_bytes: reply.bytes,
            ..self.load.clone()
        };
        if is_new && self.rigor != Rigor::Quick {
            // Its first pages, its first buffers, a cold cache: measured by nobody.
            installed.run(&load, &mut || !stop())?;
        }

        let pid = server.pid() as u32;
        let before = Usage::of_tree(pid);
        let machine_before = machine_cpu_seconds();
        let mut memory = Peak::new(pid);
        let measured = installed.run(&load, &mut || {
            memory.look();
            !stop()
        });
        ensure!(server.is_alive(), "the server died");
        let measured = measured?;
        let machine = machine_cpu_seconds().zip(machine_before).map(|(after, before)| after - before);
        let used = settled(pid, before.processes).since(&before);
        let all_served = subject.clients_served(point.keep_alive, point.concurrency) == point.concurrency;
        let ours = used.cpu.as_secs_f64() + measured.generator_cpu_seconds;
        let figures = Figures {
            other_cpu_seconds: machine.map(|all| (all - ours).max(0.0)),
            peak_memory_bytes: memory.bytes,
            ..self.figures(&measured, &used, all_served)
        };
        Ok((figures, reply.body_bytes))
    }

    fn figures(&self, measured: &Measurement, used: &Usage, all_served: bool) -> Figures {
        let server_seconds = used.cpu.as_secs_f64();
        // Of the time that was measured: webbench's clients sleep for a second before it.
        let share =
            |seconds: f64, cpus: usize| seconds / (measured.seconds * cpus as f64).max(f64::MIN_POSITIVE);
        let generator_cpus = self.load.cpus.as_ref().map_or(1, Vec::len);
        Figures {
            requests: measured.requests,
            errors: measured.errors,
            seconds: measured.seconds,
            requests_per_second: measured.requests_per_second(),
            bytes: measured.bytes,
            cpu_us_per_request: (measured.requests > 0)
                .then(|| server_seconds * 1e6 / measured.requests as f64),
            server_cpu_seconds: Some(server_seconds),
            generator_cpu_seconds: measured.generator_cpu_seconds,
            other_cpu_seconds: None,
            context_switches: used.known_context_switches(),
            peak_memory_bytes: None,
            listen_overflows: None,
            listen_drops: None,
            steal_seconds: None,
            closed_loop_us: None,
            limiter: Limiter::of(
                share(server_seconds, self.server_cpus.len()),
                share(measured.generator_cpu_seconds, generator_cpus),
                all_served,
            ),
        }
    }

    /// The record of a point.
    pub(super) fn record(&self, point: &Point, round: u32, outcome: Outcome) -> Record {
        let subject = &self.plan.subjects[point.subject];
        let clients_served = subject.clients_served(point.keep_alive, point.concurrency);
        let note = (clients_served < point.concurrency)
            .then(|| format!("{clients_served} of {} clients served", point.concurrency));
        let (figures, body_bytes, skipped) = match outcome {
            Outcome::Measured(figures, body_bytes) => (Some(*figures), body_bytes, None),
            Outcome::Skipped(reason) | Outcome::Failed(reason) => (None, 0, Some(reason)),
        };
        Record {
            stage: subject.name.clone(),
            title: subject.title.clone(),
            kind: if subject.is_floor() { Kind::Reference } else { Kind::Stage },
            configuration: None,
            phase: Phase::Survey,
            tool: point.tool.name().into(),
            concurrency: point.concurrency,
            keep_alive: point.keep_alive,
            pipeline: self.load.pipeline,
            path: self.load.path.clone(),
            body_bytes,
            duration_seconds: self.load.seconds,
            round,
            points_planned: self.plan.len(),
            seed: self.plan.seed,
            quick: self.rigor == Rigor::Quick,
            command: self.command.clone(),
            started_at: now(),
            server_cpus: self.server_cpus.clone(),
            generator_cpus: self.load.cpus.clone().unwrap_or_default(),
            generator_host: None,
            clients_served,
            skipped,
            note,
            dropped: false,
            floor_around: None,
            open_loop: None,
            idle: None,
            figures,
            host: self.host.clone(),
        }
    }
}

/// The usage once the processes of the last connections have ended and were waited for, so that their time
/// is not lost between two looks.
fn settled(pid: u32, processes: usize) -> Usage {
    let start = Instant::now();
    loop {
        let usage = Usage::of_tree(pid);
        if usage.processes <= processes || start.elapsed() > SETTLE {
            return usage;
        }
        sleep(Duration::from_millis(10));
    }
}

/// The largest memory seen.
struct Peak {
    pid: u32,
    bytes: Option<u64>,
    last: Instant,
}

impl Peak {
    fn new(pid: u32) -> Self {
        Self { pid, bytes: None, last: Instant::now() }
    }

    fn look(&mut self) {
        if self.last.elapsed() >= LOOK {
            // Option orders None before any size.
            self.bytes = self.bytes.max(memory_of_tree(self.pid));
            self.last = Instant::now();
        }
    }
}
