//! A stage under strace: which system calls it makes.

use crate::client::Client;
use crate::session::Session;
use anyhow::{Context, Result, ensure};
use bench::generators::on_path;
use lab_core::server_process::{Launch, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A stage that strace follows.
pub(crate) struct Traced {
    /// strace; its address is the stage's.
    pub(crate) server: Server,
    /// The stage.
    pub(crate) pid: Pid,
    trace: PathBuf,
    _directory: TempDir,
}

impl Traced {
    /// Starts a stage with these options under strace with those.
    pub(crate) fn start(
        session: &mut Session,
        stage: &str,
        options: &[&str],
        strace: &[&str],
    ) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let trace = directory.path().join("trace");
        let traced = session.launch(stage, options, None)?;
        let mut launch = Launch::new(on_path("strace").context("strace is not on the PATH")?);
        launch.args = ["-f", "-qq"].iter().chain(strace).map(|&word| word.to_owned()).collect();
        launch.args.extend(["-o".to_owned(), trace.display().to_string()]);
        launch.args.push(traced.program.display().to_string());
        launch.args.extend(traced.args);
        let server = launch.start()?;
        let pid = child_of(server.pid())?;
        Ok(Self { server, pid, trace, _directory: directory })
    }

    /// Stops it for a while: what comes meanwhile waits in the kernel.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(self.pid, signal)?)
    }

    /// Ends the stage, and returns what strace wrote.
    pub(crate) fn finish(mut self) -> Result<String> {
        self.signal(Signal::SIGTERM)?;
        let start = Instant::now();
        // strace writes its summary when the last process that it follows has ended.
        while self.server.is_alive() && start.elapsed() < Duration::from_secs(6) {
            sleep(Duration::from_millis(10));
        }
        std::fs::read_to_string(&self.trace).context("strace wrote nothing")
    }
}

/// The process that strace follows.
fn child_of(pid: i32) -> Result<Pid> {
    let all = procfs::process::all_processes()?.flatten();
    let mut stats = all.filter_map(|process| process.stat().ok());
    let child = stats.find(|stat| stat.ppid == pid).context("strace has no child")?;
    Ok(Pid::from_raw(child.pid))
}

/// System calls of a stage per request, by their name, where `clients` requests are there at once: it is
/// stopped while they are sent. What it calls besides is left out, since a run of few bursts is taken from
/// one of many.
///
/// # Errors
/// strace cannot follow it, or it does not answer.
pub(crate) fn calls_per_request(
    session: &mut Session,
    stage: &str,
    options: &[&str],
    clients: usize,
) -> Result<BTreeMap<String, f64>> {
    const BURSTS: [usize; 2] = [5, 25];
    let mut counts = Vec::new();
    for bursts in BURSTS {
        session.check()?;
        counts.push(calls_of(session, stage, options, clients, bursts)?);
    }
    let requests = ((BURSTS[1] - BURSTS[0]) * clients) as f64;
    let few = &counts[0];
    let per_request = counts[1].iter().map(|(call, many)| {
        let more = many.saturating_sub(few.get(call).copied().unwrap_or(0));
        (call.clone(), more as f64 / requests)
    });
    Ok(per_request.filter(|(_, calls)| *calls > 0.0).collect())
}

fn calls_of(
    session: &mut Session,
    stage: &str,
    options: &[&str],
    clients: usize,
    bursts: usize,
) -> Result<BTreeMap<String, u64>> {
    let traced = Traced::start(session, stage, options, &["-c"])?;
    let mut kept = (0..clients).map(|_| Client::connect(traced.server.addr)).collect::<Result<Vec<_>>>()?;
    for burst in 0..=bursts {
        // The first one finds every connection accepted, so that the others find the same server.
        let is_stopped = burst > 0 && clients > 1;
        if is_stopped {
            traced.signal(Signal::SIGSTOP)?;
        }
        kept.iter_mut().try_for_each(|client| client.ask("/"))?;
        if is_stopped {
            traced.signal(Signal::SIGCONT)?;
        }
        for client in &mut kept {
            client.reply()?;
        }
    }
    drop(kept);
    summary(&traced.finish()?)
}

/// The counts of a summary of `strace -c`: in each line the calls stand in the fourth column and the name in
/// the last one.
fn summary(text: &str) -> Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(calls), Some(name)) = (words.get(3), words.last()) else { continue };
        let Ok(calls) = calls.parse() else { continue };
        if *name != "total" && words[0].parse::<f64>().is_ok() {
            counts.insert((*name).to_owned(), calls);
        }
    }
    ensure!(!counts.is_empty(), "strace counted nothing");
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_of_strace_is_read() {
        let text = "% time     seconds  usecs/call     calls    errors syscall\n\
                    ------ ----------- ----------- --------- --------- ----------------\n \
                    60.00    0.000100           2        50        10 read\n \
                    40.00    0.000050           2        25           sendto\n\
                    ------ ----------- ----------- --------- --------- ----------------\n\
                    100.00    0.000150           2        75        10 total\n";
        let counts = summary(text).expect("a summary");
        assert_eq!(counts, BTreeMap::from([("read".to_owned(), 50), ("sendto".to_owned(), 25)]));
        assert!(summary("nonsense\n").is_err());
    }
}
