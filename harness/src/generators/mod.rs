//! The load generators: programs, most of them by others, started, bounded in time, and read into one shape.
//!
//! Each tool lies in its own way; what is known about it, and how it is read right, is in its module. All are
//! closed loops, as they are used here: a client asks again only when it was answered. They find how much a
//! server can do, not how long a request waits, so nothing here is a latency to be published.

mod ab;
mod builtin;
mod run;
mod webbench;
mod wrk;

use crate::stages::binary_directory;
use anyhow::Result;
use run::Run;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    /// What is asked for, from the `/` on.
    pub path: String,
    /// Clients at once.
    pub concurrency: usize,
    /// Whether a client keeps its connection, or makes one per request.
    pub keep_alive: bool,
    /// Requests that a client sends before it reads the replies; 1 is no pipelining.
    pub pipeline: usize,
    /// How long, in whole seconds: none of the tools takes a part of one.
    pub seconds: u32,
    /// The length of a right reply, head included, for tools that do not look at what they read.
    pub reply_bytes: u64,
    /// The CPUs that the generator is bound to; `None` leaves it free.
    pub cpus: Option<Vec<usize>>,
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
        const BUILD: &str = "cargo build --release --package harness --bins";
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
        Ok(Installed { tool: self, program, version })
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
            _ => None,
        }
    }
}

impl Installed {
    /// Runs the tool. `meanwhile` is called about every 5 ms and ends the run early by returning `false`.
    pub fn run(&self, load: &Load, meanwhile: &mut dyn FnMut() -> bool) -> Result<Measurement> {
        let run = Run { program: &self.program, load, meanwhile };
        match self.tool {
            Tool::Ab => ab::run(run),
            Tool::Wrk => wrk::run(run),
            Tool::Webbench => webbench::run(run),
            Tool::Builtin => builtin::run(run),
        }
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file())
}

fn first_line(program: &Path, option: &str) -> String {
    let output = Command::new(program).arg(option).output();
    let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned()
}
