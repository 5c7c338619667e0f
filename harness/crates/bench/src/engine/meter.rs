//! One point: from the look at the server before it to the look after it.

use super::idle_memory::{self, Silent};
use super::plan::Plan;
use super::point::{Clients, Method, Point};
use super::round_trip::RoundTrip;
use super::servers::{Running, Servers};
use super::setup::Setup;
use crate::count::judge;
use crate::generators::{Installed, Load, Measurement, Place, Tool};
use crate::smoke::smoke;
use crate::tally::figures;
use crate::watch::{Spent, Watch};
use crate::watched::{found_in_closed_loop, found_in_open_loop, run_watched};
use anyhow::{Context, Result, bail, ensure};
use lab_core::clock::now;
use lab_core::server_process::Launch;
use load::Report;
use records::{Figures, IdleMemory, Latency, Mix, Outcome, Served, Throughput};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What a point that was skipped while the run went on begins with, if trying again would not change it.
pub(super) const AB_WOULD_HANG: &str = "ab would hang with keep-alive";

/// Measures points.
pub(super) struct Meter<'a> {
    pub(super) plan: &'a Plan,
    pub(super) setup: &'a Setup,
    /// Tells that the user wants to end the run.
    pub(super) stop: &'a dyn Fn() -> bool,
    pub(super) round_trip: RoundTrip,
}

/// What came of a point. An error says that the server or the generator failed; a point that is skipped as
/// it must be is an outcome.
pub(super) struct Measured {
    pub(super) started_at: String,
    pub(super) outcome: Result<Outcome>,
    /// CPU time of a round trip before it and after it, ns.
    pub(super) round_trip_ns: Option<[f64; 2]>,
}

impl Measured {
    /// CPU time per request, µs.
    pub(super) fn cost(&self) -> Option<f64> {
        self.figures()?.cpu_us_per_request
    }

    pub(super) fn figures(&self) -> Option<&Figures> {
        self.outcome.as_ref().ok()?.figures()
    }

    pub(super) fn is_disturbed(&self) -> bool {
        self.figures().is_some_and(Figures::is_disturbed)
    }
}

/// A server that is ready for a point, and the load for it.
struct Ready<'a> {
    running: &'a mut Running,
    load: Load,
    /// `None` where nobody counts before the point.
    counted: Option<usize>,
}

impl Meter<'_> {
    /// Measures a point. The runs of the floor around a paired one are not its business.
    pub(super) fn measure(&self, point: &Point, servers: &mut Servers) -> Measured {
        let started_at = now();
        // A server on another host has another clock.
        let is_here = self.plan.subject(point).running_at().is_none();
        let before = is_here.then(|| self.round_trip.before()).flatten();
        let outcome = match point.method {
            Method::Closed(_) => self.closed(point, servers),
            Method::Open(rate) => self.open(point, rate, servers),
            Method::Idle => self.idle(point, servers),
        };
        if point.fresh {
            servers.forget(&self.launch(point));
        }
        let round_trip_ns = before.zip(before.and_then(|_| self.round_trip.after()));
        Measured { started_at, outcome, round_trip_ns: round_trip_ns.map(Into::into) }
    }

    fn launch(&self, point: &Point) -> Launch {
        let mut launch = self.plan.subject(point).launch(point.tool, &point.load);
        launch.cpus = Some(self.server_cpus(point).to_vec());
        launch
    }

    /// The CPUs of a point's server.
    pub(super) fn server_cpus(&self, point: &Point) -> &[usize] {
        self.plan.subject(point).cpus.as_deref().unwrap_or(&self.setup.server_cpus)
    }

    /// A generator that is installed.
    pub(super) fn tool(&self, tool: Tool) -> Result<&Installed> {
        let installed = self.setup.tools.iter().find(|installed| installed.tool == tool);
        installed.with_context(|| format!("{} is not installed", tool.name()))
    }

    /// The server of a point, with its clients counted if they are.
    fn ready<'s>(&self, point: &Point, servers: &'s mut Servers) -> Result<Ready<'s>> {
        let launch = self.launch(point);
        let (path, mix) = (&point.load.path, &point.load.mix);
        if let Some(mix) = mix {
            let addr = servers.get(&launch, path)?.addr;
            must_be_short(time_of(addr, mix.path())?, mix, point.load.duration)?;
        }
        let (running, counted) = if point.counts_clients() {
            let load = Load { rate: None, mix: None, warm_up: Duration::ZERO, ..point.load.clone() };
            let (running, counted) = servers.counted(&launch, &load, self.stop)?;
            (running, Some(counted))
        } else {
            (servers.get(&launch, path)?, None)
        };
        let (reply_bytes, variable_bytes) = (running.reply.bytes, running.reply.variable_bytes);
        let load = Load { addr: running.addr, reply_bytes, variable_bytes, ..point.load.clone() };
        Ok(Ready { running, load, counted })
    }

    /// A closed loop.
    fn closed(&self, point: &Point, servers: &mut Servers) -> Result<Outcome> {
        let tool = self.tool(point.tool)?;
        let Ready { running, load, counted } = self.ready(point, servers)?;
        let mut clients = counted.unwrap_or(load.concurrency);
        if tool.tool == Tool::Ab && load.keep_alive && clients < load.concurrency {
            return Ok(Outcome::skipped(ab_would_hang(clients, load.concurrency)));
        }
        let cpus = (self.server_cpus(point).len(), tool.cpus(&load));
        let figures = if point.method == Method::Closed(Clients::Reported) {
            let (report, watch) = self.watched(tool, &load, running)?;
            clients = judge(&report)?;
            found_in_closed_loop((&report, watch), cpus, clients == load.concurrency)?
        } else {
            let (measurement, spent) = self.by_any_tool(tool, &load, running)?;
            figures(&measurement, &spent, cpus, clients == load.concurrency, !load.warm_up.is_zero())
        };
        // The smallest step of its clock is far less than what so many replies cost.
        ensure!(
            figures.requests <= 10_000 || figures.server_cpu_seconds != Some(0.0),
            "{}'s report cannot be true: {} replies, and the server used no CPU time",
            tool.tool.name(),
            figures.requests
        );
        let figures = self.known(figures, point, tool);
        let served = Served { clients, body_bytes: running.reply.body_bytes };
        Ok(Outcome::Throughput(Throughput { figures, served }))
    }

    /// A run of any generator.
    fn by_any_tool(
        &self,
        tool: &Installed,
        load: &Load,
        running: &mut Running,
    ) -> Result<(Measurement, Spent)> {
        /// The times of so many processes of webbench can be read without disturbing them.
        const FEW: usize = 256;
        let looks = tool.tool != Tool::Webbench || load.concurrency <= FEW;
        let mut watch = Watch::new(running.pid(), tool.tool.load_times(load), looks);
        let measurement = tool.run(load, &mut |generator| {
            watch.look(generator);
            !(self.stop)()
        });
        must_live(running)?;
        Ok((measurement?, watch.spent()))
    }

    /// A run of the built-in generator, watched after its warm-up.
    fn watched(
        &self,
        tool: &Installed,
        load: &Load,
        running: &mut Running,
    ) -> Result<(Report, Option<Watch>)> {
        let found = run_watched(tool, load, running.pid(), self.stop);
        must_live(running)?;
        found
    }

    /// An open loop.
    fn open(&self, point: &Point, rate: f64, servers: &mut Servers) -> Result<Outcome> {
        let tool = self.tool(point.tool)?;
        let Ready { running, load, counted } = self.ready(point, servers)?;
        let counted = counted.context("the clients of an open loop are counted first")?;
        let silent = |count: usize| {
            let pid = running.pid().context("silent connections need a server that is started here")?;
            Silent::open(pid, running.addr, count, self.stop)
        };
        // They stay open to the end of the point.
        let silent = point.idle.filter(|count| *count > 0).map(silent).transpose()?;
        let load = Load { rate: Some(rate), ..load };
        let (report, watch) = self.watched(tool, &load, running)?;
        let cpus = (self.server_cpus(point).len(), tool.cpus(&load));
        let all_served = counted == load.concurrency;
        let (figures, open_loop) = found_in_open_loop((&report, watch), rate, cpus, all_served)?;
        let mix = load.mix.as_ref().map(|mix| mixed(mix, &report)).transpose()?;
        let figures = of_both(self.known(figures, point, tool), mix.as_ref());
        let served = Served { clients: counted, body_bytes: running.reply.body_bytes };
        let beside = silent.map(|silent| silent.memory);
        Ok(Outcome::Latency(Box::new(Latency { open_loop, mix, beside, figures, served })))
    }

    /// Connections that say nothing. The server is its own: one that has carried load keeps the memory for
    /// it.
    fn idle(&self, point: &Point, servers: &mut Servers) -> Result<Outcome> {
        let launch = self.launch(point);
        // A process of its own would be no better.
        if let Some(reason) = servers.refusal(&launch) {
            bail!("{reason}");
        }
        let (idle, reply) =
            idle_memory::measure(&launch, &point.load.path, point.load.concurrency, self.stop)?;
        let served = Served { clients: point.load.concurrency, body_bytes: reply.body_bytes };
        Ok(Outcome::IdleMemory(IdleMemory { idle, served }))
    }

    /// Takes out what this machine does not know of a point whose server or generator is elsewhere.
    fn known(&self, figures: Figures, point: &Point, tool: &Installed) -> Figures {
        let mut known = figures;
        if self.plan.subject(point).running_at().is_some() {
            // If it happens to run on this machine, its work is not that of strangers; and the accept queue
            // is its host's.
            (known.other_cpu_seconds, known.listen_overflows, known.listen_drops) = (None, None, None);
        } else if tool.place != Place::Here {
            // The generator's time was subtracted, but it was not spent here.
            known.other_cpu_seconds =
                known.other_cpu_seconds.map(|other| other + known.generator_cpu_seconds);
        }
        known
    }
}

fn must_live(running: &mut Running) -> Result<()> {
    running.death().map_or(Ok(()), |death| bail!("{death}"))
}

/// ab shares its requests among the connections and waits for each of them.
pub(crate) fn ab_would_hang(served: usize, clients: usize) -> String {
    format!("{AB_WOULD_HANG}: {served} of {clients} clients are served")
}

/// How long a right reply on the other path takes, when nobody else asks.
fn time_of(addr: SocketAddr, path: &str) -> Result<Duration> {
    let start = Instant::now();
    smoke(addr, path).with_context(|| format!("the path that is mixed in, {path}"))?;
    Ok(start.elapsed())
}

/// The end cuts off the requests that are on their way. They must be few, both of all requests (or the rate
/// would seem not to be reached) and of the slow ones (or their times would be those of the ones that came
/// early).
fn must_be_short(slow: Duration, mix: &load::Mix, duration: Duration) -> Result<()> {
    let least = 10.0 * slow.as_secs_f64() * (mix.percent() as f64 / 20.0).max(1.0);
    ensure!(
        duration.as_secs_f64() >= least,
        "{} takes {:.2} s, so the end of the run would cut off too many of these requests: give --seconds {} or more",
        mix.path(),
        slow.as_secs_f64(),
        least.ceil()
    );
    Ok(())
}

fn mixed(mix: &load::Mix, report: &Report) -> Result<Mix> {
    let mixed = report.mix.as_ref().context("the generator asked for one path only")?;
    Ok(Mix {
        percent: mix.percent(),
        path: mix.path().to_owned(),
        requests: mixed.requests,
        errors: mixed.failed(),
        never_sent: mixed.never_sent,
        latency_us: mixed.latency_us,
        service_us: mixed.service_us,
    })
}

/// The CPU time is of the requests on both paths.
fn of_both(figures: Figures, mix: Option<&Mix>) -> Figures {
    let Some(mix) = mix else { return figures };
    let answered = figures.requests + mix.requests;
    let per_request = |seconds: f64| (answered > 0).then(|| seconds * 1e6 / answered as f64);
    Figures { cpu_us_per_request: figures.server_cpu_seconds.and_then(per_request), ..figures }
}
