//! One point: from the look at the server before it to the look after it.

use super::idle_memory::{self, PROCESSES, Silent};
use super::plan::Plan;
use super::point::{Clients, Method, Point, Slowed};
use super::round_trip::RoundTrip;
use super::servers::{Running, Servers};
use super::setup::Setup;
use crate::by_worker::ByWorker;
use crate::count::judge;
use crate::generators::{Installed, Load, Measurement, Place, Tool};
use crate::smoke::smoke;
use crate::tally::figures;
use crate::watch::{Spent, Watch};
use anyhow::{Context, Result, bail, ensure};
use lab_core::clock::now;
use lab_core::server_process::Launch;
use load::Report;
use records::{
    Bottleneck, ClientTimeout, Figures, IdleMemory, Latency, Mix, OpenLoop, Outcome, Phase, Served,
    Throughput,
};
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const AB_WOULD_HANG: &str = "ab would hang with keep-alive";
/// What the reasons begin with for which a point is skipped while the run goes on, and which trying again
/// would not change.
pub(super) const LASTING: [&str; 2] = [AB_WOULD_HANG, PROCESSES];

/// Measures points.
pub(super) struct Meter<'a> {
    pub(super) plan: &'a Plan,
    pub(super) setup: &'a Setup,
    /// Whether the user wants to end the run.
    pub(super) stop: &'a dyn Fn() -> bool,
    pub(super) round_trip: RoundTrip,
    /// Requests per second of the peak that was found first, of which open loops have their shares.
    pub(super) peak: Cell<Option<f64>>,
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
pub(super) struct Ready<'a> {
    pub(super) running: &'a mut Running,
    pub(super) load: Load,
    /// `None` where they are not counted before the point.
    pub(super) counted: Option<usize>,
    /// The length of a right reply's body.
    pub(super) body_bytes: u64,
}

impl Meter<'_> {
    /// Measures a point by itself: the floor beside a paired one is not its business.
    pub(super) fn measure(&self, point: &Point, servers: &mut Servers) -> Measured {
        let started_at = now();
        // A server on another host has another clock.
        let is_here = self.plan.subject(point).running_at().is_none();
        let before = is_here.then(|| self.round_trip.before()).flatten();
        let outcome = match point.method {
            Method::Closed(_) => self.closed(point, servers),
            Method::Open(rate) => self.open(point, rate, servers),
            Method::OfPeak(share) => self.of_peak(point, share, servers),
            Method::Idle => self.idle(point, servers),
        };
        if point.fresh {
            servers.forget(&self.launch(point));
        }
        let round_trip_ns = before.zip(before.and_then(|_| self.round_trip.after()));
        Measured { started_at, outcome, round_trip_ns: round_trip_ns.map(Into::into) }
    }

    pub(super) fn launch(&self, point: &Point) -> Launch {
        let mut launch = self.plan.subject(point).launch(point.tool, &point.load);
        if point.phase == Phase::Floor {
            // A process of its own: when the floor is compared with itself, its CPU time is to be told from
            // that of the other one.
            launch.env.push(("FLOOR_OF_PAIRS".into(), "1".into()));
        }
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
    pub(super) fn ready<'s>(&self, point: &Point, servers: &'s mut Servers) -> Result<Ready<'s>> {
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
        let reply = *running.replies.get(path).context("it was not asked")?;
        let (reply_bytes, variable_bytes) = (reply.bytes, reply.variable_bytes);
        let load = Load { addr: running.addr, reply_bytes, variable_bytes, ..point.load.clone() };
        Ok(Ready { running, load, counted, body_bytes: reply.body_bytes })
    }

    /// A closed loop.
    fn closed(&self, point: &Point, servers: &mut Servers) -> Result<Outcome> {
        let tool = self.tool(point.tool)?;
        let Ready { running, load, counted, body_bytes } = self.ready(point, servers)?;
        let mut clients = counted.unwrap_or(load.concurrency);
        if tool.tool == Tool::Ab && load.keep_alive && clients < load.concurrency {
            return Ok(Outcome::skipped(ab_would_hang(clients, load.concurrency)));
        }
        let (measured, spent) = self.run(tool, &load, running)?;
        if let (Method::Closed(Clients::Reported), Some(report)) = (point.method, &measured.report) {
            clients = judge(report)?;
        }
        let figures = self.figures((point, tool), &load, clients, (&measured, &spent))?;
        let served = Served { clients, body_bytes };
        Ok(Outcome::Throughput(Throughput { figures, served }))
    }

    /// A run of any generator, and what was used meanwhile.
    fn run(&self, tool: &Installed, load: &Load, running: &mut Running) -> Result<(Measurement, Spent)> {
        /// The times of so many processes of webbench can be read without disturbing them.
        const FEW: usize = 256;
        let looks = tool.tool != Tool::Webbench || load.concurrency <= FEW;
        let mut watch = Watch::new(running.pid(), tool.tool.load_times(load), load.warm_up, looks);
        let measured = tool.run(load, &mut |generator| {
            watch.look(generator);
            !(self.stop)()
        });
        running.death().map_or(Ok(()), |death| bail!("{death}"))?;
        Ok((measured?, watch.spent()))
    }

    /// An open loop at a share of the peak.
    fn of_peak(&self, point: &Point, share: f64, servers: &mut Servers) -> Result<Outcome> {
        let peak = self.peak.get().context("the peak was not measured")?;
        let mut outcome = self.open(point, share * peak, servers)?;
        if let Outcome::Latency(latency) = &mut outcome {
            latency.open_loop.share_of_peak = Some(share);
        }
        Ok(outcome)
    }

    /// An open loop.
    fn open(&self, point: &Point, rate: f64, servers: &mut Servers) -> Result<Outcome> {
        let tool = self.tool(point.tool)?;
        let Ready { running, load, counted, body_bytes } = self.ready(point, servers)?;
        let silent = |count: usize| {
            let pid = running.pid().context("silent connections need a server that is started here")?;
            Silent::open(pid, running.addr, count, self.stop)
        };
        // They stay open to the end of the point.
        let silent = match point.idle.filter(|count| *count > 0).map(silent).transpose() {
            Err(reason) if reason.to_string().starts_with(PROCESSES) => {
                return Ok(Outcome::skipped(reason.to_string()));
            }
            silent => silent?,
        };
        let load = Load { rate: Some(rate), ..load };
        let looks = point.by_worker.map(|slowed| {
            let pid = running.pid().context("workers are looked at where the server is started here")?;
            let workers = self.plan.subject(point).workers.context("it must be known how many there are")?;
            let instances = if let Slowed::Long(long) = slowed { long.instances } else { workers };
            ByWorker::begin((pid, instances), &load, slowed)
        });
        let looks = looks.transpose()?;
        let (measured, spent) = self.run(tool, &load, running)?;
        let seen = looks.map(|looks| looks.end(measured.requests)).transpose()?;
        let report = measured.report.clone().context("only the built-in generator sends at a fixed rate")?;
        // Beyond the peak it is no question who is served: there are more clients than are needed below it.
        let counted = counted.unwrap_or(load.concurrency);
        let mut figures = self.figures((point, tool), &load, counted, (&measured, &spent))?;
        let open_loop = OpenLoop {
            rate,
            share_of_peak: None,
            latency_us: report.main.latency_us.context("no request was to be sent in so short a time")?,
            over_5ms: report.main.over_5ms,
            late: report.main.late.unwrap_or(0),
            never_sent: report.main.never_sent.unwrap_or(0),
        };
        let mix = load.mix.as_ref().map(|mix| mixed(mix, &report)).transpose()?;
        let answered = (figures.requests + mix.as_ref().map_or(0, |mix| mix.requests)) as f64;
        // The CPU time is of the requests on both paths.
        let share = figures.requests as f64 / answered;
        figures.cpu_us_per_request = figures.cpu_us_per_request.map(|cost| cost * share);
        let (sampled_us, long_requests) =
            seen.as_ref().map_or((None, None), |seen| (seen.sampled_us, seen.long.clone()));
        if long_requests.is_some() {
            // It is over the quick requests, and most of the time was spent on the others.
            figures.cpu_us_per_request = None;
        }
        let shares = figures.shares((self.server_cpus(point).len(), tool.cpus(&load)));
        let (all_served, per_second) = (counted == load.concurrency, answered / figures.seconds);
        figures.limiter =
            Bottleneck::of_open_loop(shares, all_served, (&open_loop, figures.seconds), per_second);
        let served = Served { clients: counted, body_bytes };
        let beside = silent.map(|silent| silent.memory);
        let client_timeout = load.timeout.map(|timeout| client_timeout(timeout, &report));
        Ok(Outcome::Latency(Box::new(Latency {
            open_loop,
            mix,
            beside,
            client_timeout,
            by_worker: seen.map(|seen| seen.workers),
            sampled_us,
            long_requests,
            figures,
            served,
        })))
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

    /// The figures of a run with so many clients served, without what this machine does not know of a server
    /// or a generator that is elsewhere.
    pub(super) fn figures(
        &self,
        (point, tool): (&Point, &Installed),
        load: &Load,
        clients: usize,
        (measured, spent): (&Measurement, &Spent),
    ) -> Result<Figures> {
        let cpus = (self.server_cpus(point).len(), tool.cpus(load));
        let mut figures = figures(measured, spent, cpus, clients == load.concurrency);
        // The smallest step of its clock is far less than what so many replies cost.
        ensure!(
            figures.requests <= 10_000 || figures.server_cpu_seconds != Some(0.0),
            "{}'s report cannot be true: {} replies, and the server used no CPU time",
            tool.tool.name(),
            figures.requests
        );
        if self.plan.subject(point).running_at().is_some() {
            // If it happens to run on this machine, its work is not that of strangers; and the accept queue
            // is its host's.
            (figures.other_cpu_seconds, figures.listen_overflows, figures.listen_drops) = (None, None, None);
        } else if tool.place != Place::Here {
            // The generator's time was subtracted, but it was not spent here.
            let generator = measured.generator_cpu_seconds;
            figures.other_cpu_seconds = figures.other_cpu_seconds.map(|other| other + generator);
        }
        Ok(figures)
    }
}

/// ab shares its requests among the connections and waits for each of them.
pub(crate) fn ab_would_hang(served: usize, clients: usize) -> String {
    format!("{AB_WOULD_HANG}: {served} of {clients} clients are served")
}

/// How long a right reply on the other path takes, when no other client asks.
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

/// What became of the requests of clients that give up.
fn client_timeout(timeout: Duration, report: &Report) -> ClientTimeout {
    let failed = |kind: &str| report.main.errors.get(kind).copied().unwrap_or(0);
    ClientTimeout {
        timeout_ms: timeout.as_millis() as u64,
        in_time: report.main.in_time.unwrap_or(0),
        refused: failed("status"),
        given_up: failed("timeout"),
        answered_us: report.main.answered_us,
    }
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
