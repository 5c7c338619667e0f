//! What a server is given that does not choose for itself: a free port and a private directory.

use super::launch::{Launch, Ready};
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::available_parallelism;
use tempfile::TempDir;

/// A port and a directory for one start of a server.
pub(super) struct Place {
    pub(super) addr: Option<SocketAddr>,
    /// Removed with everything in it when this is dropped.
    pub(super) directory: Option<TempDir>,
    cpus: usize,
}

impl Place {
    /// Chooses them, and writes the files of `launch`.
    pub(super) fn prepare(launch: &Launch) -> Result<Self> {
        let addr = (launch.ready == Ready::FreePort).then(free_address).transpose()?;
        let directory = if launch.files.is_empty() {
            None
        } else {
            let mut builder = tempfile::Builder::new();
            Some(builder.prefix("c10k-lab-").tempdir().context("cannot make a temporary directory")?)
        };
        let all = || available_parallelism().map_or(1, |cpus| cpus.get());
        let place = Self { addr, directory, cpus: launch.cpus.as_ref().map_or_else(all, Vec::len) };
        if let Some(directory) = &place.directory {
            for (name, text) in &launch.files {
                let path = directory.path().join(name);
                std::fs::write(&path, place.fill(text))
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        Ok(place)
    }

    /// `text` with the values for `{port}`, `{directory}` and `{cpus}`.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut text = text.replace("{cpus}", &self.cpus.to_string());
        if let Some(addr) = self.addr {
            text = text.replace("{port}", &addr.port().to_string());
        }
        if let Some(directory) = &self.directory {
            text = text.replace("{directory}", &directory.path().to_string_lossy());
        }
        text
    }
}

/// A port that is free now. Another process may take it before the server does, which is found out later.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}
