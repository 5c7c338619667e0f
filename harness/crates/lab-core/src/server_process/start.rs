//! Starting a server and waiting until it is ready.

use super::launch::{Launch, Ready, Stderr};
use super::owner::Foreign;
use super::place::Place;
use super::server::{EndedEarly, Server};
use anyhow::{Context, Result, bail};
use std::process::Stdio;

/// How many free ports are tried: between the choice of one and its use another process may take it.
const PORTS_TRIED: usize = 3;

impl Launch {
    /// Starts the server and waits until it is ready.
    pub fn start(&self) -> Result<Server> {
        let attempts = if self.ready == Ready::FreePort { PORTS_TRIED } else { 1 };
        let mut attempt = 1;
        loop {
            match self.start_once() {
                Err(error) if attempt < attempts && (error.is::<Foreign>() || error.is::<EndedEarly>()) => {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn start_once(&self) -> Result<Server> {
        let place = Place::prepare(self)?;
        let args = self.args.iter().map(|arg| place.fill(arg)).collect();
        let mut command = Self { args, ..self.clone() }.command()?;
        command.stdout(Stdio::piped());
        command.stderr(match self.stderr {
            Stderr::Kept => Stdio::piped(),
            Stderr::Inherited => Stdio::inherit(),
        });
        let child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        let (mut server, first_line) = Server::of(child, place.directory);
        match (self.ready, place.addr) {
            (Ready::Line, _) => server.await_line(&first_line)?,
            (Ready::Port(addr), _) | (Ready::FreePort, Some(addr)) => server.await_port(addr)?,
            (Ready::FreePort, None) => bail!("no port was chosen"),
        }
        // Somebody else may have taken the free port first.
        if self.ready == Ready::FreePort {
            server.must_own_its_port()?;
        }
        Ok(server)
    }
}
