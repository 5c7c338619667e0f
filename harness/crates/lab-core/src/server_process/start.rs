//! Starting a server and waiting until it is ready.

use super::launch::{Launch, Ready, Stderr};
use super::server::{EndedEarly, Server};
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::thread::available_parallelism;
use tempfile::TempDir;

/// How many free ports are tried: between the choice of one and its use another process may take it.
const PORTS_TRIED: usize = 3;

impl Launch {
    /// Starts the server and waits until it is ready.
    pub fn start(&self) -> Result<Server> {
        if self.ready != Ready::FreePort {
            return self.start_once();
        }
        for _ in 1..PORTS_TRIED {
            match self.start_once() {
                Ok(server) if server.must_own_its_port().is_ok() => return Ok(server),
                Err(error) if !error.is::<EndedEarly>() => return Err(error),
                _ => {}
            }
        }
        let server = self.start_once()?;
        server.must_own_its_port()?;
        Ok(server)
    }

    fn start_once(&self) -> Result<Server> {
        let addr = match self.ready {
            Ready::Line => None,
            Ready::Port(addr) => Some(addr),
            Ready::FreePort => Some(free_address()?),
        };
        let directory = (!self.files.is_empty()).then(private_directory).transpose()?;
        let cpus = self.cpus.as_ref().map_or_else(all_cpus, Vec::len).to_string();
        let fill = |text: &String| {
            let mut text = text.replace("{cpus}", &cpus);
            if let (Ready::FreePort, Some(addr)) = (self.ready, addr) {
                text = text.replace("{port}", &addr.port().to_string());
            }
            match &directory {
                Some(directory) => text.replace("{directory}", &directory.path().to_string_lossy()),
                None => text,
            }
        };
        if let Some(directory) = &directory {
            for (name, text) in &self.files {
                let path = directory.path().join(name);
                std::fs::write(&path, fill(text))
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        let filled = Self { args: self.args.iter().map(fill).collect(), ..self.clone() };
        let (ours, guards) = self.is_guarded.then(UnixStream::pair).transpose()?.unzip();
        let mut command = filled.command_with(guards)?;
        command.stdout(Stdio::piped());
        command.stderr(match self.stderr {
            Stderr::Kept => Stdio::piped(),
            Stderr::Inherited => Stdio::inherit(),
        });
        let child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        // The guard has a copy of its end; ours must be the only one that keeps it alive.
        drop(command);
        let (mut server, first_line) = Server::of(child, ours, directory)?;
        match addr {
            None => server.await_line(&first_line, self.start_limit)?,
            Some(addr) if self.is_guarded => server.await_listener(addr, self.start_limit)?,
            Some(addr) => server.await_port(addr, self.start_limit)?,
        }
        Ok(server)
    }
}

/// A port that is free now. Another process may take it before the server does, which is found out later.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}

/// Removed with everything in it when it is dropped.
fn private_directory() -> Result<TempDir> {
    tempfile::Builder::new().prefix("c10k-lab-").tempdir().context("cannot make a temporary directory")
}

fn all_cpus() -> usize {
    available_parallelism().map_or(1, usize::from)
}
