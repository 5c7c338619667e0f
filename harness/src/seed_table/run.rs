//! The table while it is measured.

use super::plan::{Done, Plan, Point};
use super::rows::Row;
use crate::bench::{Quiet, Reply, Watch, figures, minutes, now, smoke};
use crate::generators::{Installed, Load};
use crate::host::Host;
use crate::records::{Figures, Kind, Phase, Record, Writer};
use crate::stages::{Launch, Server};
use crate::units::number;
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Of the whole time, so much may be spent on waiting for a quiet machine that is not quiet.
const PATIENCE: f64 = 0.1;

/// How the run ended.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum End {
    /// Every point was measured or skipped as planned.
    Complete,
    /// A server or webbench failed; the rest is measured.
    WithFailures,
    /// By the user.
    Interrupted,
}

/// What all points have in common.
pub(super) struct Session<'a> {
    pub(super) plan: &'a Plan,
    pub(super) webbench: Installed,
    pub(super) load: Load,
    pub(super) server_cpus: Vec<usize>,
    pub(super) host: Host,
    /// The command line, as it is recorded.
    pub(super) command: String,
}

/// The servers of a round, by row.
type Servers = BTreeMap<usize, Result<(Server, Reply), String>>;

impl Session<'_> {
    /// Measures the points that are not done and records each at once. An error is one of recording.
    pub(super) fn run(&self, mut writer: Writer, done: &Done) -> Result<End> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot handle signals")?;
        }
        let stop = || stop.load(Ordering::Relaxed);
        for point in self.plan.skipped() {
            if let (Err(reason), false) = (&self.row(&point).launch, done.has_reason(self.plan, &point)) {
                writer.write(&self.record(&point, 1, Err(reason.clone())))?;
            }
        }
        let whole = self.plan.seconds_in_all();
        let mut quiet = Quiet::new(Duration::from_secs_f64(whole * PATIENCE));
        let mut progress = Progress::new(self.plan.len(), whole);
        let mut has_failed = false;
        for round in 1..=self.plan.rounds {
            let mut servers = Servers::new();
            for point in self.plan.round(round) {
                let seconds = self.plan.seconds_of(&point);
                let name = format!("{}, {} clients", self.row(&point).title, point.clients);
                if done.has(self.plan, &point, round) {
                    progress.end(seconds, None);
                    continue;
                }
                progress.begin(&name);
                quiet.wait(&stop, &|line| progress.wait(line));
                let outcome = self.measure(&point, &mut servers, &stop).map_err(|error| format!("{error:#}"));
                if stop() {
                    return Ok(End::Interrupted);
                }
                has_failed |= outcome.is_err();
                let line = match &outcome {
                    Ok((figures, _)) => format!("{name}: {} requests/s", number(figures.requests_per_second)),
                    Err(reason) => format!("{name}: {reason}"),
                };
                writer.write(&self.record(&point, round, outcome))?;
                progress.end(seconds, Some(&line));
            }
            for (server, _) in servers.into_values().flatten() {
                server.stop()?;
            }
        }
        Ok(if has_failed { End::WithFailures } else { End::Complete })
    }

    fn row(&self, point: &Point) -> &Row {
        &self.plan.rows[point.row]
    }

    fn measure(
        &self,
        point: &Point,
        servers: &mut Servers,
        stop: &dyn Fn() -> bool,
    ) -> Result<(Figures, Reply)> {
        let launch = self.row(point).launch.as_ref().map_err(|reason| anyhow::anyhow!("{reason}"))?;
        let server = servers.entry(point.row).or_insert_with(|| self.start(launch));
        let (server, reply) = match server {
            Ok((server, reply)) => (server, *reply),
            Err(reason) => bail!("refused: {reason}"),
        };
        let load = Load {
            addr: server.addr,
            concurrency: point.clients,
            reply_bytes: reply.bytes,
            ..self.load.clone()
        };
        let mut watch = Watch::new(Some(server.pid() as u32));
        let measured = self.webbench.run(&load, &mut || {
            watch.look();
            !stop()
        });
        if !server.is_alive() {
            bail!("the server has died: {}", server.stderr().lines().last().unwrap_or("without a word"));
        }
        let measured = measured?;
        let cpus = (self.server_cpus.len(), self.webbench.cpus(&load));
        Ok((figures(&measured, &watch.spent(), cpus, true), reply))
    }

    fn start(&self, launch: &Launch) -> Result<(Server, Reply), String> {
        let launch = Launch { cpus: Some(self.server_cpus.clone()), ..launch.clone() };
        let started = launch.start().and_then(|server| {
            server.must_own_its_port()?;
            let reply = smoke(server.addr, &self.load.path)?;
            Ok((server, reply))
        });
        started.map_err(|error| format!("{error:#}"))
    }

    fn record(&self, point: &Point, round: u32, outcome: Result<(Figures, Reply), String>) -> Record {
        let row = self.row(point);
        let (figures, body_bytes, skipped) = match outcome {
            Ok((figures, reply)) => (Some(figures), reply.body_bytes, None),
            Err(reason) => (None, 0, Some(reason)),
        };
        Record {
            stage: row.stage.clone(),
            title: row.title.to_owned(),
            kind: Kind::Stage,
            configuration: Some(row.options.join(" ")),
            phase: Phase::Table,
            tool: self.webbench.tool.name().into(),
            concurrency: point.clients,
            keep_alive: false,
            pipeline: 1,
            path: self.load.path.clone(),
            body_bytes,
            duration_seconds: self.plan.seconds.into(),
            round,
            points_planned: self.plan.len(),
            seed: self.plan.seed,
            quick: false,
            command: self.command.clone(),
            started_at: now(),
            server_cpus: self.server_cpus.clone(),
            generator_cpus: self.load.cpus.clone().unwrap_or_default(),
            generator_host: None,
            clients_served: point.clients,
            skipped,
            note: None,
            dropped: false,
            floor_around: None,
            open_loop: None,
            idle: None,
            figures,
            host: self.host.clone(),
        }
    }
}

/// What the user sees: a bar on a terminal, a line per point elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    whole: f64,
    done: usize,
    points: usize,
}

impl Progress {
    fn new(points: usize, whole: f64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}");
            let bar = ProgressBar::new((whole * 1000.0) as u64);
            bar.set_style(style.expect("the template is a constant"));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, whole, done: 0, points }
    }

    fn begin(&self, name: &str) {
        if let Some(bar) = &self.bar {
            let left = self.whole - bar.position() as f64 / 1000.0;
            bar.set_message(format!("{} left  {name}", minutes(left.max(0.0))));
        }
    }

    fn wait(&self, reason: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(reason.to_owned()),
            None => eprintln!("{reason}"),
        }
    }

    /// A point is over; `line` tells of it unless it was done before.
    fn end(&mut self, seconds: f64, line: Option<&str>) {
        self.done += 1;
        match (&self.bar, line) {
            (Some(bar), _) => bar.inc((seconds * 1000.0) as u64),
            (None, Some(line)) => eprintln!("[{}/{}] {line}", self.done, self.points),
            (None, None) => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
