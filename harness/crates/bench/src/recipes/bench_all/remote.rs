//! Beyond this machine: a server that was running before, or a generator on another host.

use crate::engine::{NOT_OURS, Subject};
use crate::generators::{Place, Remote};
use crate::smoke::look;
use anyhow::{Context, Result, bail};
use lab_core::Usage;
use load::Target;
use records::Phase;
use std::net::IpAddr;

/// How another host is reached, unless the user says otherwise. Without BatchMode ssh would ask for a
/// password in the middle of a run, on a terminal that it may not read.
const SSH: &str = "ssh -o BatchMode=yes";
/// The options for other machines.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Beyond one machine")]
pub(super) struct Elsewhere {
    /// Measure a server that is running already, instead of the stages: `http://HOST[:PORT]/PATH`. It has no
    /// CPU figures, and there is no floor beside it.
    #[arg(long, value_name = "URL", conflicts_with_all = ["stages", "references", "phases", "path", "listen"])]
    target: Option<String>,
    /// What the records call that server [default: HOST:PORT]
    #[arg(long, value_name = "NAME", requires = "target")]
    name: Option<String>,
    /// Run the load generators on another host, with what is installed there. It needs --target, or --listen.
    #[arg(long, value_name = "ssh:HOST")]
    generator: Option<String>,
    /// How that host is reached: ssh with its options, split at spaces [default: $LAB_SSH, or `ssh -o
    /// BatchMode=yes`]
    #[arg(long, value_name = "COMMAND", requires = "generator")]
    ssh: Option<String>,
    /// Where our own generator, `harness`, is on that host [default: on its PATH]
    #[arg(long, value_name = "PATH", requires = "generator")]
    remote_harness: Option<String>,
    /// Where the stages listen, so that the other host reaches them: an address of this one. Every
    /// host that reaches it reaches them too. Without it they listen on 127.0.0.1 only.
    #[arg(long, value_name = "ADDRESS", requires = "generator")]
    listen: Option<IpAddr>,
}

impl Elsewhere {
    /// Whether anything is not on this machine.
    pub(super) fn is_wanted(&self) -> bool {
        self.target.is_some() || self.generator.is_some()
    }

    /// Where the generators run.
    pub(super) fn place(&self) -> Result<Place> {
        let Some(generator) = &self.generator else { return Ok(Place::Here) };
        if self.target.is_none() && self.listen.is_none() {
            bail!(Usage::new(format!(
                "the stages listen on 127.0.0.1, where {generator} does not reach them: add --listen with an \
                 address of this host, or measure another server by --target"
            )));
        }
        let ssh = self.ssh.clone().or_else(|| std::env::var("LAB_SSH").ok()).unwrap_or_else(|| SSH.into());
        let remote = Remote::parse(generator, &ssh, self.remote_harness.clone()).map_err(Usage::of)?;
        Ok(Place::Ssh(remote))
    }

    /// The server that is running already, asked once, and the path to ask it for.
    pub(super) fn target(&self) -> Result<Option<(Subject, String)>> {
        let Some(url) = &self.target else { return Ok(None) };
        let target = Target::parse(url).context("--target")?;
        let failed = || format!("--target {url}");
        let addr = target.reachable().with_context(failed)?;
        look(addr, &target.host, &target.path).with_context(failed)?;
        let name = self.name.clone().unwrap_or_else(|| target.host.clone());
        Ok(Some((Subject::running(&name, addr, target.host), target.path)))
    }

    /// The address for servers that the harness starts.
    pub(super) fn listen(&self) -> Option<IpAddr> {
        self.listen
    }

    /// What can be measured: a server that is not ours has speed alone, and the other phases are measured by
    /// a generator on this host.
    pub(super) fn phases(&self, phases: Vec<Phase>) -> Result<Vec<Phase>> {
        if self.target.is_some() {
            eprintln!("{NOT_OURS}");
            return Ok(vec![Phase::Survey]);
        }
        if self.generator.is_none() {
            return Ok(phases);
        }
        let possible: Vec<Phase> =
            phases.into_iter().filter(|phase| matches!(phase, Phase::Survey | Phase::Paired)).collect();
        if possible.is_empty() {
            bail!(Usage::new(
                "--generator can be used for survey and paired: the other phases are measured from this host"
            ));
        }
        Ok(possible)
    }
}
