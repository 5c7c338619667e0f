//! The servers that are measured: stages, their twins, the floor, the references that others wrote, any
//! command, and a server that was running before.

use crate::generators::{Load, Tool};
use crate::references::Reference;
use anyhow::Result;
use lab_core::server_process::{Launch, override_options};
use lab_core::stages::{Stage, binary_directory};
use records::{FLOOR, Kind};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// A server that can be measured.
#[derive(Clone, Debug)]
pub struct Subject {
    /// As the records name it: `05`, `05-mio`, `nginx`.
    pub name: String,
    /// Its title.
    pub title: String,
    /// As the user reads it while it is measured: `06, 2 workers`.
    pub label: String,
    /// What it is to the lab.
    pub kind: Kind,
    /// The configuration that it runs with, for the record.
    pub configuration: Option<String>,
    /// The value of its `--workers`, if it is given.
    pub workers: Option<usize>,
    /// How many clients that keep their connection it serves at once, if not all of them.
    pub serves_at_once: Option<usize>,
    /// Why it cannot be measured, if so.
    pub lacks: Option<String>,
    /// The CPUs that it is bound to, if not those of the run.
    pub cpus: Option<Vec<usize>>,
    /// Where it listens, if not on 127.0.0.1.
    pub listen: Option<IpAddr>,
    /// How it comes to run.
    pub program: Program,
}

/// How a server comes to run.
#[derive(Clone, Debug)]
pub enum Program {
    /// It is started.
    Command(Box<Launch>),
    /// It parses nothing, so it must be told what its clients expect. With the length of its reply, if not
    /// 13.
    Floor(PathBuf, Option<u64>),
    /// A server that was running before, and what it is called in a Host header.
    Running(SocketAddr, String),
}

impl Subject {
    /// Any server that prints the line of a stage, or is looked for on its port.
    pub fn command(name: &str, title: &str, launch: Launch) -> Self {
        Self::new(name, title, Kind::Stage, Program::Command(Box::new(launch)))
    }

    /// A stage or a twin with these options.
    pub fn stage(stage: &Stage, options: &[String]) -> Self {
        Self {
            serves_at_once: stage.serves_at_once,
            lacks: stage.lacks(),
            ..Self::command(&stage.name, &stage.title, stage.launch(options))
        }
    }

    /// What the kernel costs when `path` is asked for; `None` where its one write cannot carry the reply.
    pub fn floor(path: &str) -> Result<Option<Self>> {
        /// The most that `floor --filler` allows.
        const LONGEST: u64 = 65_536;
        let filler = path.strip_prefix("/bytes/").and_then(|length| length.parse().ok());
        if filler.is_some_and(|length: u64| length > LONGEST) {
            eprintln!("left out: the floor, which cannot send more than {LONGEST} bytes at once");
            return Ok(None);
        }
        let program = Program::Floor(binary_directory()?.join("floor"), filler);
        Ok(Some(Self::new(FLOOR, "the kernel's own cost", Kind::Reference, program)))
    }

    /// What others wrote, for a server on so many CPUs.
    pub fn reference(reference: &Reference, cpus: usize) -> Self {
        let program = Program::Command(Box::new(reference.launch()));
        Self {
            configuration: Some(reference.configuration(cpus)),
            ..Self::new(reference.name.as_str(), &reference.title(), Kind::Reference, program)
        }
    }

    /// A server that was running before the harness came.
    pub fn running(name: &str, addr: SocketAddr, host: String) -> Self {
        Self::new(name, "already running", Kind::Target, Program::Running(addr, host))
    }

    fn new(name: &str, title: &str, kind: Kind, program: Program) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            label: name.into(),
            kind,
            configuration: None,
            workers: None,
            serves_at_once: None,
            lacks: None,
            cpus: None,
            listen: None,
            program,
        }
    }

    /// Where it is and what it is called in a Host header, if it was running before.
    pub fn running_at(&self) -> Option<(SocketAddr, &str)> {
        if let Program::Running(addr, host) = &self.program { Some((*addr, host)) } else { None }
    }

    /// Whether it is the floor, which all others are divided by.
    pub fn is_floor(&self) -> bool {
        self.name == FLOOR
    }

    /// How to start it for a kind of load.
    pub fn launch(&self, tool: Tool, load: &Load) -> Launch {
        let mut launch = match &self.program {
            // It is never started; the name tells it from others.
            Program::Running(..) => Launch::new(&self.name),
            Program::Command(launch) => (**launch).clone(),
            Program::Floor(program, filler) => floor(program.clone(), *filler, tool, load),
        };
        if let Some(addr) = self.listen {
            let addr = SocketAddr::new(addr, 0).to_string();
            launch.args = override_options(&launch.args, &["--addr".into(), addr]);
        }
        launch
    }

    /// Why it cannot serve all clients of a load at once, as far as its author knows, or cannot run at all.
    pub fn cannot_serve(&self, load: &Load) -> Option<String> {
        let served = self.clients_served(load.keep_alive, load.concurrency);
        let waiting = (served < load.concurrency).then(|| {
            format!("{served} of {} clients that keep their connection are served", load.concurrency)
        });
        self.lacks.clone().or(waiting)
    }

    /// How many of the clients are served at the same time. A client that makes a connection per request
    /// waits its turn, but is served.
    pub fn clients_served(&self, keep_alive: bool, concurrency: usize) -> usize {
        match self.serves_at_once {
            Some(limit) if keep_alive => limit.min(concurrency),
            _ => concurrency,
        }
    }
}

fn floor(program: PathBuf, filler: Option<u64>, tool: Tool, load: &Load) -> Launch {
    let connection = match (tool, load.keep_alive) {
        (_, false) => "close",
        // HTTP/1.0: ab waits for the end unless it is told that there will be none.
        (Tool::Ab, true) => "keep-alive",
        (_, true) => "nothing",
    };
    let per = if load.pipeline > 1 { "request" } else { "read" };
    let mut launch = Launch::new(program);
    launch.args = ["--connection", connection, "--reply-per", per].map(String::from).into();
    launch.args.extend(filler.iter().flat_map(|length| ["--filler".into(), length.to_string()]));
    launch
}
