//! The servers of a run. They are started when they are first needed and live on until they are stopped or
//! forgotten.
//!
//! One that answers wrong or has died is refused for the rest of the run, with its reason.

use crate::count::count;
use crate::generators::{Installed, Load};
use crate::smoke::{Reply, look, smoke};
use anyhow::{Result, anyhow, bail};
use lab_core::server_process::{Launch, Server};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A program with its arguments, variables and CPUs. Two subjects that agree in them are one process.
type Key = (PathBuf, Vec<String>, Vec<(OsString, OsString)>, Option<Vec<usize>>);

/// A server that runs and has passed the look at one reply.
pub(super) struct Running {
    pub(super) addr: SocketAddr,
    /// Right replies, by path.
    pub(super) replies: BTreeMap<String, Reply>,
    /// The process that was started; `None` for a server that was running before.
    pub(super) process: Option<Server>,
    /// How many clients were served, by path, kind of connection and number of clients.
    counted: BTreeMap<(String, bool, usize), usize>,
}

impl Running {
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|server| server.pid() as u32)
    }

    /// Why it can answer no more; `None` while it lives.
    pub(super) fn death(&mut self) -> Option<String> {
        self.process.as_mut()?.death()
    }
}

/// The servers that run, and those that were refused.
pub(super) struct Servers {
    /// The built-in generator, which checks every reply.
    checker: Installed,
    /// How long it does so.
    counting: Duration,
    started: BTreeMap<Key, Result<Running, String>>,
    /// The one server that was running before, and its Host; then none is started.
    target: Option<(SocketAddr, String)>,
}

impl Servers {
    pub(super) fn new(checker: Installed, counting: Duration) -> Self {
        Self { checker, counting, started: BTreeMap::new(), target: None }
    }

    /// The server is there already, and has this name in a Host header.
    pub(super) fn running_at(self, target: Option<(SocketAddr, &str)>) -> Self {
        Self { target: target.map(|(addr, host)| (addr, host.to_owned())), ..self }
    }

    /// The server of this launch, started if it is new, and asked for this path once.
    pub(super) fn get(&mut self, launch: &Launch, path: &str) -> Result<&mut Running> {
        let target = self.target.as_ref();
        let start = || match target {
            Some((addr, _)) => Ok((*addr, None)),
            None => launch.start().and_then(|server| {
                server.must_own_its_port()?;
                Ok((server.addr, Some(server)))
            }),
        };
        let entry = self.started.entry(key(launch)).or_insert_with(|| {
            let (addr, process) = start().map_err(|error| format!("refused: {error:#}"))?;
            Ok(Running { addr, process, replies: BTreeMap::new(), counted: BTreeMap::new() })
        });
        if let Ok(running) = entry {
            let asked = match (running.death(), running.replies.contains_key(path), target) {
                (Some(death), ..) => Err(anyhow!("{death}")),
                (None, true, _) => Ok(None),
                (None, false, Some((addr, host))) => look(*addr, host, path).map(Some),
                (None, false, None) => smoke(running.addr, path).map(Some),
            };
            match asked {
                Ok(reply) => running.replies.extend(reply.map(|reply| (path.to_owned(), reply))),
                Err(error) => *entry = Err(format!("refused: {error:#}")),
            }
        }
        match entry {
            Ok(running) => Ok(running),
            Err(reason) => bail!("{reason}"),
        }
    }

    /// The same, after the load was put on it once and every reply was checked: how many of the clients it
    /// serves. That run is also its warm-up for this load: first pages, first buffers, a cold cache.
    pub(super) fn counted(
        &mut self,
        launch: &Launch,
        load: &Load,
        stop: &dyn Fn() -> bool,
    ) -> Result<(&mut Running, usize)> {
        let shape = (load.path.clone(), load.keep_alive, load.concurrency);
        let running = self.get(launch, &load.path)?;
        let known = running.counted.get(&shape).copied();
        let counted = match known {
            Some(counted) => counted,
            None => {
                let load = Load { addr: running.addr, duration: self.counting, rate: None, ..load.clone() };
                self.count(launch, &load, stop)?
            }
        };
        let running = self.get(launch, &load.path)?;
        running.counted.insert(shape, counted);
        Ok((running, counted))
    }

    fn count(&mut self, launch: &Launch, load: &Load, stop: &dyn Fn() -> bool) -> Result<usize> {
        let counted = count(&self.checker, load, stop);
        if stop() {
            bail!("interrupted");
        }
        // A server that died is refused for that, not for the replies that it then could not give.
        self.get(launch, &load.path)?;
        // What the generator cannot do is no fault of the server's: the next point may go well.
        counted?.map_err(|error| {
            let reason = format!("refused: {error:#}");
            self.started.insert(key(launch), Err(reason.clone()));
            anyhow::Error::msg(reason)
        })
    }

    /// Why the server of this launch was refused, if it was.
    pub(super) fn refusal(&self, launch: &Launch) -> Option<&str> {
        self.started.get(&key(launch))?.as_ref().err().map(String::as_str)
    }

    /// Kills the server of this launch, if it runs, and pardons it if it was refused. To stop it in order
    /// would be to wait for clients that are gone.
    pub(super) fn forget(&mut self, launch: &Launch) {
        self.started.remove(&key(launch));
    }

    /// Stops all servers, so that each is started anew when it is needed; says which ones did not obey. The
    /// refused ones stay refused.
    pub(super) fn stop(&mut self) -> Vec<String> {
        let mut complaints = Vec::new();
        let (running, refused) =
            std::mem::take(&mut self.started).into_iter().partition(|(_, server)| server.is_ok());
        self.started = refused;
        let running: BTreeMap<Key, Result<Running, String>> = running;
        for ((program, ..), running) in running {
            let Ok(Running { process: Some(server), .. }) = running else { continue };
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

fn key(launch: &Launch) -> Key {
    (launch.program.clone(), launch.args.clone(), launch.env.clone(), launch.cpus.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generators::Tool;

    /// A server that is a shell script: it needs no stage to be built.
    fn launch(script: &str) -> Launch {
        let mut launch = Launch::new("/bin/sh");
        launch.args = vec!["-c".into(), script.into()];
        launch
    }

    fn servers() -> Option<Servers> {
        let checker = Tool::ALL.into_iter().find_map(|tool| tool.find().ok())?;
        Some(Servers::new(checker, Duration::from_millis(100)))
    }

    #[test]
    fn a_server_that_exits_at_once_is_refused_with_its_last_words_and_stays_refused() {
        let Some(mut servers) = servers() else { return };
        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = file.path().display();
        let launch = launch(&format!("echo started >> {path}; echo 'no such luck' >&2; exit 3"));
        for _ in 0..2 {
            let Err(error) = servers.get(&launch, "/") else { panic!("it never listened") };
            let text = error.to_string();
            assert!(text.starts_with("refused: ") && text.contains("no such luck"), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
        assert!(servers.refusal(&launch).is_some());
        assert!(servers.stop().is_empty(), "nothing runs");
        assert!(servers.refusal(&launch).is_some(), "a restart is no pardon");
        let starts = std::fs::read_to_string(file.path()).expect("it is there");
        assert_eq!(starts.lines().count(), 1, "it is not started again");
    }
}
