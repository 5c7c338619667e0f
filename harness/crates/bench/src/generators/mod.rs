//! The load generators: programs, most of them by others, started, bounded in time, and read into one shape.
//!
//! Each tool lies in its own way; what is known about it, and how it is read right, is in its module. All are
//! closed loops, as they are used here: a client asks again only when it was answered. They find how much a
//! server can do, not how long a request waits, so nothing here is a latency to be published.

mod ab;
mod bounded;
mod builtin;
mod place;
mod run;
mod sanity;
mod ssh;
mod webbench;
mod word;
mod wrk;

pub use bounded::{Output, bounded};
pub(crate) use builtin::measurement;
pub use place::Place;
pub use ssh::Remote;

use anyhow::{Result, bail, ensure};
use lab_core::server_process::Launch;
use lab_core::stages::binary_directory;
use lab_core::stats::Percentiles;
use load::{Mix, Report};
use run::Run;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The generators that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tool {
    /// ApacheBench: HTTP/1.0, one thread.
    Ab,
    /// wrk: HTTP/1.1, several threads.
    Wrk,
    /// webbench: a process per client and a connection per request.
    Webbench,
    /// `harness load`: it checks every reply.
    Builtin,
}

/// The load to put on a server.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where the server listens.
    pub addr: SocketAddr,
    /// What the Host header says, where it is not the address: a server of several names has a site for each.
    pub host: Option<String>,
    /// What is asked for, from the `/` on.
    pub path: String,
    /// So many of the requests ask for another path. For the built-in generator only.
    pub mix: Option<Mix>,
    /// Clients at once.
    pub concurrency: usize,
    /// Whether a client keeps its connection, or makes one per request.
    pub keep_alive: bool,
    /// Requests that a client sends before it reads the replies; 1 is no pipelining.
    pub pipeline: usize,
    /// How long. Only the built-in generator takes parts of a second: the others run for the next whole one.
    pub duration: Duration,
    /// Requests per second, all clients together, whether answers come or not; `None` is a closed loop. For
    /// the built-in generator only.
    pub rate: Option<f64>,
    /// How long before it counts. For the built-in generator only.
    pub warm_up: Duration,
    /// Whether the first body is taken for right, because nothing is known of the server. For the built-in
    /// generator.
    pub learns_body: bool,
    /// The length of a right reply, head included, for tools that do not look at what they read.
    pub reply_bytes: u64,
    /// How much longer or shorter a right reply may be for another client: interim replies, and what frames
    /// chunks.
    pub variable_bytes: u64,
    /// The CPUs that the generator is bound to; `None` leaves it free.
    pub cpus: Option<Vec<usize>>,
}

/// The usual warm-up: without one, a server that forks for each connection would be measured while it makes
/// its processes.
pub const WARM_UP: Duration = Duration::from_millis(200);

impl Load {
    /// A closed loop of one client that keeps its connection, for a second, on any CPU.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            addr: ([127, 0, 0, 1], 0).into(),
            host: None,
            path: path.into(),
            mix: None,
            concurrency: 1,
            keep_alive: true,
            pipeline: 1,
            duration: Duration::from_secs(1),
            rate: None,
            warm_up: Duration::ZERO,
            learns_body: false,
            reply_bytes: 0,
            variable_bytes: 0,
            cpus: None,
        }
    }

    /// The URL by the address, so that every tool measures the same one of a host's addresses.
    fn url(&self) -> String {
        format!("http://{}{}", self.addr, self.path)
    }

    /// The duration in whole seconds, rounded up.
    pub fn whole_seconds(&self) -> u64 {
        self.duration.as_secs() + u64::from(self.duration.subsec_nanos() > 0)
    }
}

/// What a generator counted. Failed and short replies are errors, never part of the speed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measurement {
    /// Requests that were answered right, as far as the tool can tell.
    pub requests: u64,
    /// Requests that were not.
    pub errors: u64,
    /// The time that the tool measured over.
    pub seconds: f64,
    /// Bytes received, heads included.
    pub bytes: u64,
    /// CPU time of the generator and its children.
    pub generator_cpu_seconds: f64,
    /// What the tool says of the time from sending to the reply, if that can be believed: a closed loop hides
    /// the waiting.
    pub closed_loop_us: Option<Percentiles>,
}

impl Measurement {
    /// Right answers per second.
    pub fn requests_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.requests as f64 / self.seconds } else { 0.0 }
    }
}

/// A tool that was found.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Which one.
    pub tool: Tool,
    /// Where it is.
    pub program: PathBuf,
    /// What it says about itself.
    pub version: String,
    /// The host that it runs on.
    pub place: Place,
    /// The CPUs of that host, where it is another one; a [`Load`] says which ones it has here.
    remote_cpus: Option<usize>,
}

impl Tool {
    /// All of them, in the order in which they are listed and drawn.
    pub const ALL: [Tool; 4] = [Tool::Ab, Tool::Wrk, Tool::Webbench, Tool::Builtin];

    /// What a user types; of the tools that others wrote, also the program's name.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Ab => "ab",
            Tool::Wrk => "wrk",
            Tool::Webbench => "webbench",
            Tool::Builtin => "builtin",
        }
    }

    /// The tool with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// Looks for the tool. The error is the command that installs it.
    pub fn find(self) -> Result<Installed, &'static str> {
        /// Builds what this lab brings along.
        const BUILD: &str = "cargo build --release --workspace --bins";
        let (program, version) = match (on_path(self.name()), self) {
            (_, Tool::Builtin) => (builtin::ours().ok_or(BUILD)?, "--version"),
            (Some(program), Tool::Ab) => (program, "-V"),
            (Some(program), Tool::Wrk) => (program, "-v"),
            (Some(program), Tool::Webbench) => (program, "-V"),
            (None, Tool::Ab) => return Err("apt-get install apache2-utils"),
            (None, Tool::Wrk) => return Err("apt-get install wrk"),
            (None, Tool::Webbench) => (webbench::ours().ok_or(BUILD)?, "-V"),
        };
        let mut version = first_line(&program, version);
        if self == Tool::Webbench && binary_directory().is_ok_and(|directory| program.starts_with(directory))
        {
            version.push_str(" (this lab's clean-room driver)");
        }
        Ok(Installed { tool: self, program, version, place: Place::Here, remote_cpus: None })
    }

    /// Looks for the tool where it is to run. The inner error is the command that installs it there.
    pub fn find_on(self, place: &Place) -> Result<Result<Installed, &'static str>> {
        let Place::Ssh(remote) = place else { return Ok(self.find()) };
        Ok(remote.find(self)?.map(|found| Installed {
            tool: self,
            program: found.program.into(),
            version: format!("{} (on {})", found.version, remote.host()),
            place: place.clone(),
            remote_cpus: Some(found.cpus),
        }))
    }

    /// Seconds that a run takes beside its measuring: starting, and webbench's clients sleeping first.
    pub fn overhead_seconds(self) -> f64 {
        match self {
            Tool::Ab => 0.02,
            Tool::Wrk => 0.08,
            Tool::Builtin => 0.02,
            Tool::Webbench => 1.05,
        }
    }

    /// Why the tool cannot put this load on a server, if so.
    pub fn refuses(self, load: &Load) -> Option<&'static str> {
        match self {
            Tool::Webbench if load.keep_alive => Some("webbench makes a connection per request"),
            Tool::Ab | Tool::Webbench if load.pipeline > 1 => Some("only wrk and builtin can pipeline"),
            _ if load.pipeline > 1 && !load.keep_alive => Some("pipelining needs keep-alive"),
            Tool::Ab | Tool::Wrk | Tool::Webbench if load.rate.is_some() => {
                Some("only builtin can send at a fixed rate")
            }
            Tool::Ab | Tool::Wrk | Tool::Webbench if load.mix.is_some() => {
                Some("only builtin can ask for two paths")
            }
            _ => None,
        }
    }
}

impl Installed {
    /// Runs the tool. `meanwhile` is called about every 5 ms and ends the run early by returning `false`.
    pub fn run(&self, load: &Load, meanwhile: &mut dyn FnMut() -> bool) -> Result<Measurement> {
        let start = Instant::now();
        let run = self.about_to_run(load, meanwhile);
        let measured = match self.tool {
            Tool::Ab => ab::run(run),
            Tool::Wrk => wrk::run(run),
            Tool::Webbench => webbench::run(run),
            Tool::Builtin => builtin::run(run),
        }?;
        // Every figure is divided by it.
        let longest = run::limit(load).as_secs_f64();
        ensure!(
            measured.seconds > 0.0 && measured.seconds <= longest,
            "{} says that it measured for {} s, and was told {} s",
            self.tool.name(),
            measured.seconds,
            load.whole_seconds()
        );
        if let Some(why) = sanity::refuted(&measured, load, start.elapsed()) {
            bail!("{}'s report cannot be true: {why}", self.tool.name());
        }
        Ok(measured)
    }

    /// Runs the built-in generator and gives its whole report, with the CPU time of its process. No other
    /// tool has one.
    pub fn report(&self, load: &Load, meanwhile: &mut dyn FnMut() -> bool) -> Result<(Report, f64)> {
        builtin::report(self.about_to_run(load, meanwhile))
    }

    /// How many CPUs the tool can keep busy under this load.
    pub fn cpus(&self, load: &Load) -> usize {
        match (self.tool, self.remote_cpus) {
            // It has one thread, however many there are.
            (Tool::Ab, _) => 1,
            (_, Some(cpus)) => cpus.min(load.concurrency),
            (_, None) => load.cpus.as_ref().map_or(1, Vec::len),
        }
    }

    fn about_to_run<'a>(&'a self, load: &'a Load, meanwhile: &'a mut dyn FnMut() -> bool) -> Run<'a> {
        Run { program: &self.program, place: &self.place, cpus: self.cpus(load), load, meanwhile }
    }
}

/// Where a program is, if it is installed.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file())
}

fn first_line(program: &Path, option: &str) -> String {
    /// A program that cannot say its version in this time says nothing.
    const LIMIT: Duration = Duration::from_secs(5);
    let mut launch = Launch::new(program);
    launch.args.push(option.to_owned());
    let output = launch.command().and_then(|mut command| bounded(&mut command, LIMIT, &mut || true));
    let text = output.map(|output| output.stdout + &output.stderr).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim().to_owned()
}
