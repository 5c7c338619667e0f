//! What all points of a run have in common.

use super::interrupted::command_line;
use crate::generators::{Installed, Tool};
use anyhow::{Result, anyhow};
use lab_core::host::Host;

/// What all points of a run have in common.
pub struct Setup {
    /// The machine, with the tools.
    pub host: Host,
    /// The generators that are installed.
    pub tools: Vec<Installed>,
    /// The built-in generator here, which checks every reply.
    pub checker: Installed,
    /// The CPUs that the servers are bound to.
    pub server_cpus: Vec<usize>,
    /// The command line, as it is recorded. A run goes on with an interrupted one of the same command: a
    /// program that runs several recipes must give each its own.
    pub command: String,
    /// A quick look, whose figures are for looking.
    pub quick: bool,
}

impl Setup {
    /// On this machine, with these generators, for a run by this process's command line.
    pub fn new(mut tools: Vec<Installed>, server_cpus: Vec<usize>) -> Result<Self> {
        // It checks every reply before a server is measured, whatever tool measures then.
        let checker = Tool::Builtin.find().map_err(|build| anyhow!("harness is not built: {build}"))?;
        if !tools.iter().any(|installed| installed.tool == Tool::Builtin) {
            tools.push(checker.clone());
        }
        let mut host = Host::look();
        host.tools.extend(tools.iter().map(|found| (found.tool.name().to_owned(), found.version.clone())));
        Ok(Self { host, tools, checker, server_cpus, command: command_line(), quick: false })
    }
}
