//! The servers of one round. They are started when they are first needed and live to its end: a restart
//! before every point makes a server differ from itself more than two stages differ.

use super::smoke::{Reply, smoke};
use crate::stages::{Launch, Server};
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A program with its arguments.
type Key = (PathBuf, Vec<String>);

/// The servers that run, and those that were refused.
#[derive(Default)]
pub(super) struct Servers {
    started: BTreeMap<Key, Result<(Server, Reply), String>>,
}

impl Servers {
    /// The server of this launch, started and asked once if it is new, and whether it is. One that was refused stays refused
    /// for the round, and so does one that has died.
    pub(super) fn get(&mut self, launch: &Launch, path: &str) -> Result<(&mut Server, Reply, bool)> {
        let key = (launch.program.clone(), launch.args.clone());
        let is_new = !self.started.contains_key(&key);
        let entry = self.started.entry(key).or_insert_with(|| {
            let started = launch.start().and_then(|server| {
                let reply = smoke(server.addr, path)?;
                Ok((server, reply))
            });
            started.map_err(|error| format!("refused: {error:#}"))
        });
        if let Ok((server, _)) = entry
            && !server.is_alive()
        {
            *entry = Err("refused: the server has died".into());
        }
        match entry {
            Ok((server, reply)) => Ok((server, *reply, is_new)),
            Err(reason) => bail!("{reason}"),
        }
    }

    /// Stops all servers; says which ones did not obey.
    pub(super) fn stop(self) -> Vec<String> {
        let mut complaints = Vec::new();
        for ((program, _), server) in self.started {
            let Ok((server, _)) = server else { continue };
            let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match server.stop() {
                Ok(status) if status.success() => {}
                Ok(status) => complaints.push(format!("{name} ended with {status}")),
                Err(error) => complaints.push(format!("{name}: {error:#}")),
            }
        }
        complaints
    }
}
