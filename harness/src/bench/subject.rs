//! The servers that are measured: stages, their twins, and the floor.

use crate::generators::Tool;
use crate::stages::{Launch, Stage, binary_directory};
use anyhow::Result;
use std::path::PathBuf;

/// The name of the reference: what the kernel costs.
pub(super) const FLOOR: &str = "floor";

/// A server that can be measured.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) title: String,
    serves_at_once: Option<usize>,
    server: Program,
}

#[derive(Clone, Debug)]
enum Program {
    Stage(Box<Stage>),
    /// It parses nothing, so it must be told what its clients expect.
    Floor(PathBuf),
}

impl Subject {
    pub(super) fn stage(stage: &Stage) -> Self {
        Self {
            name: stage.name.clone(),
            title: stage.title.clone(),
            serves_at_once: stage.serves_at_once,
            server: Program::Stage(Box::new(stage.clone())),
        }
    }

    pub(super) fn floor() -> Result<Self> {
        let server = Program::Floor(binary_directory()?.join("floor"));
        Ok(Self { name: FLOOR.into(), title: "the kernel's own cost".into(), serves_at_once: None, server })
    }

    /// Whether it is the reference.
    pub(super) fn is_floor(&self) -> bool {
        self.name == FLOOR
    }

    /// How to start it for a kind of load.
    pub(super) fn launch(&self, tool: Tool, keep_alive: bool, pipeline: usize) -> Launch {
        match &self.server {
            Program::Stage(stage) => stage.launch(&[]),
            Program::Floor(program) => {
                let connection = match (tool, keep_alive) {
                    (_, false) => "close",
                    // HTTP/1.0: ab waits for the end unless it is told that there will be none.
                    (Tool::Ab, true) => "keep-alive",
                    (_, true) => "nothing",
                };
                let per = if pipeline > 1 { "request" } else { "read" };
                let mut launch = Launch::new(program);
                launch.args = ["--connection", connection, "--reply-per", per].map(String::from).into();
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
        let server = Program::Floor("floor".into());
        Self { name: name.into(), title: name.into(), serves_at_once, server }
    }
}
