//! The servers that are measured: stages, their twins, the floor, and the references that others wrote.

use crate::generators::Tool;
use crate::references::{self, Reference};
use anyhow::{Result, ensure};
use lab_core::server_process::{Launch, override_options};
use lab_core::stages::{Stage, binary_directory};
use records::{FLOOR, Kind};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// A server that can be measured.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) title: String,
    serves_at_once: Option<usize>,
    /// Why it cannot run on this machine.
    lacks: Option<String>,
    server: Program,
    /// Where it listens, if not on 127.0.0.1.
    listen: Option<IpAddr>,
    /// The files that it serves.
    root: Option<PathBuf>,
}

#[derive(Clone, Debug)]
enum Program {
    Stage(Box<Stage>),
    /// It parses nothing, so it must be told what its clients expect.
    Floor(PathBuf, Option<u64>),
    /// What others wrote, with so many CPUs.
    Reference(Box<Reference>, usize),
    /// A server that was running before, and what it is called in a Host header.
    Target(SocketAddr, String),
}

impl Subject {
    pub(super) fn stage(stage: &Stage) -> Self {
        Self {
            name: stage.name.clone(),
            title: stage.title.clone(),
            serves_at_once: stage.serves_at_once,
            lacks: stage.lacks(),
            server: Program::Stage(Box::new(stage.clone())),
            listen: None,
            root: None,
        }
    }

    /// What the kernel costs when `path` is asked for; `None` where its one write cannot carry the reply.
    pub(super) fn floor(path: &str) -> Result<Option<Self>> {
        /// Of `floor --filler`.
        const LONGEST: u64 = 65_536;
        let filler = path.strip_prefix("/bytes/").and_then(|length| length.parse().ok());
        if filler.is_some_and(|length: u64| length > LONGEST) {
            eprintln!("left out: the floor, which cannot send more than {LONGEST} bytes at once");
            return Ok(None);
        }
        let server = Program::Floor(binary_directory()?.join("floor"), filler);
        Ok(Some(Self {
            name: FLOOR.into(),
            title: "the kernel's own cost".into(),
            serves_at_once: None,
            lacks: None,
            server,
            listen: None,
            root: None,
        }))
    }

    /// Those of the references that are installed, for a server on so many CPUs; and the names of the others,
    /// each with the command that installs it.
    pub(super) fn references(
        wanted: &[references::Name],
        cpus: usize,
    ) -> (Vec<Self>, Vec<(&'static str, &'static str)>) {
        let (mut found, mut absent) = (Vec::new(), Vec::new());
        for name in wanted {
            match name.find() {
                Ok(reference) => found.push(Self {
                    name: name.as_str().into(),
                    title: reference.title(),
                    serves_at_once: None,
                    lacks: None,
                    server: Program::Reference(Box::new(reference), cpus),
                    listen: None,
                    root: None,
                }),
                Err(install) => absent.push((name.as_str(), install)),
            }
        }
        (found, absent)
    }

    /// What it is to the lab.
    pub(super) fn kind(&self) -> Kind {
        match self.server {
            Program::Stage(_) => Kind::Stage,
            Program::Floor(..) | Program::Reference(..) => Kind::Reference,
            Program::Target(..) => Kind::Target,
        }
    }

    /// The configuration that it runs with, where it is not one of ours.
    pub(super) fn configuration(&self) -> Option<String> {
        match &self.server {
            Program::Reference(reference, cpus) => Some(reference.configuration(*cpus)),
            Program::Stage(_) | Program::Floor(..) | Program::Target(..) => None,
        }
    }

    /// A server that was running before the harness came.
    pub(super) fn target(name: String, addr: SocketAddr, host: String) -> Self {
        let title = "already running".into();
        Self {
            name,
            title,
            serves_at_once: None,
            lacks: None,
            server: Program::Target(addr, host),
            listen: None,
            root: None,
        }
    }

    /// Where it is, if it was running before.
    pub(super) fn target_addr(&self) -> Option<SocketAddr> {
        match self.server {
            Program::Target(addr, _) => Some(addr),
            _ => None,
        }
    }

    /// What it is called in a Host header, if it was running before.
    pub(super) fn target_host(&self) -> Option<&str> {
        match &self.server {
            Program::Target(_, host) => Some(host),
            _ => None,
        }
    }

    /// The same, listening on an address that another host reaches. None of what others wrote: their
    /// configurations are made for 127.0.0.1.
    pub(super) fn listening(mut self, addr: Option<IpAddr>) -> Option<Self> {
        if addr.is_some() && matches!(self.server, Program::Reference(..)) {
            eprintln!("{} is left out: it listens on 127.0.0.1 only", self.name);
            return None;
        }
        self.listen = addr;
        Some(self)
    }

    /// The same, serving the files of a directory. The floor answers its one reply whatever it is asked for.
    pub(super) fn with_root(mut self, root: Option<&Path>) -> Result<Self> {
        let Some(root) = root else { return Ok(self) };
        match &mut self.server {
            Program::Stage(_) => {
                ensure!(root.is_dir(), "--root {} is not a directory", root.display());
                self.root = Some(root.to_owned());
            }
            Program::Reference(reference, _) => {
                **reference = reference.clone().with_root(root)?;
                self.title = reference.title();
            }
            Program::Floor(..) | Program::Target(..) => {}
        }
        Ok(self)
    }

    /// Why it cannot run on this machine.
    pub(super) fn lacks(&self) -> Option<&str> {
        self.lacks.as_deref()
    }

    /// Whether it is the floor, which all others are divided by.
    pub(super) fn is_floor(&self) -> bool {
        self.name == FLOOR
    }

    /// How to start it for a kind of load.
    pub(super) fn launch(&self, tool: Tool, keep_alive: bool, pipeline: usize) -> Launch {
        let mut launch = self.launch_here(tool, keep_alive, pipeline);
        if let Some(addr) = self.listen {
            let addr = SocketAddr::new(addr, 0).to_string();
            launch.args = override_options(&launch.args, &["--addr".into(), addr]);
        }
        launch
    }

    fn launch_here(&self, tool: Tool, keep_alive: bool, pipeline: usize) -> Launch {
        match &self.server {
            // It is never started; the name tells it from others.
            Program::Target(..) => Launch::new(&self.name),
            Program::Stage(stage) => {
                let root = self.root.iter().flat_map(|root| ["--root".into(), root.display().to_string()]);
                stage.launch(&root.collect::<Vec<String>>())
            }
            Program::Reference(reference, _) => reference.launch(),
            Program::Floor(program, filler) => {
                let connection = match (tool, keep_alive) {
                    (_, false) => "close",
                    // HTTP/1.0: ab waits for the end unless it is told that there will be none.
                    (Tool::Ab, true) => "keep-alive",
                    (_, true) => "nothing",
                };
                let per = if pipeline > 1 { "request" } else { "read" };
                let mut launch = Launch::new(program);
                launch.args = ["--connection", connection, "--reply-per", per].map(String::from).into();
                launch.args.extend(filler.iter().flat_map(|length| ["--filler".into(), length.to_string()]));
                launch
            }
        }
    }

    /// How many of the clients are served at the same time. A client that makes a connection per request
    /// waits its turn, but is served.
    pub(super) fn clients_served(&self, keep_alive: bool, concurrency: usize) -> usize {
        match self.serves_at_once {
            Some(limit) if keep_alive => limit.min(concurrency),
            _ => concurrency,
        }
    }

    #[cfg(test)]
    pub(super) fn for_test(name: &str, serves_at_once: Option<usize>) -> Self {
        let server = Program::Floor("floor".into(), None);
        Self {
            name: name.into(),
            title: name.into(),
            serves_at_once,
            lacks: None,
            server,
            listen: None,
            root: None,
        }
    }
}
