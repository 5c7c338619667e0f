//! A server that should refuse to run: it is waited for, and what it prints is read meanwhile.

use super::launch::Launch;
use super::server::Server;
use anyhow::{Context, Result};
use std::os::unix::net::UnixStream;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

/// How a server ended that was started to end by itself.
#[derive(Debug)]
pub struct Ended {
    /// Its status, or that of a wrapper of it; `None` if it had to be ended.
    pub status: Option<ExitStatus>,
    /// The last lines of its stderr.
    pub stderr: String,
    /// The lines of its stderr that are not empty, those included that were not kept.
    pub lines: usize,
}

impl Launch {
    /// Starts it and waits until it ends, at most for `limit`. Nothing of it is alive afterwards.
    pub fn run_to_end(&self, limit: Duration) -> Result<Ended> {
        let (ours, guards) = self.is_guarded.then(UnixStream::pair).transpose()?.unzip();
        let mut command = self.command_with(guards)?;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        drop(command);
        let (mut server, _) = Server::of(child, ours, None)?;
        let status = server.wait(limit);
        let (stderr, lines) = server.whole_stderr();
        Ok(Ended { status, stderr, lines })
    }
}
