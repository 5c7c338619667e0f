//! How a user ends a run: by Ctrl-C, by an orderly stop, by closing the terminal.

use anyhow::{Context, Result};
use procfs::process::Process;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Catches the signals that end a run: they only set a flag, which the run polls; then it ends its children
/// and reports what it has.
#[derive(Debug)]
pub struct Interruption(Arc<AtomicUsize>);

impl Interruption {
    /// Catches SIGINT and SIGTERM, and SIGHUP unless it is ignored. Fails where a handler cannot be
    /// installed.
    pub fn catch() -> Result<Self> {
        let flag = Arc::new(AtomicUsize::new(0));
        // nohup starts a program with SIGHUP ignored, so that it outlives its terminal.
        let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
        for signal in [SIGINT, SIGTERM].into_iter().chain(hangup) {
            let number = usize::try_from(signal).context("a signal has a number")?;
            signal_hook::flag::register_usize(signal, Arc::clone(&flag), number)
                .context("cannot handle signals")?;
        }
        Ok(Self(flag))
    }

    /// Whether one of them has come.
    pub fn has_come(&self) -> bool {
        self.signal().is_some()
    }

    /// The number of the one that came last; a program that ends by it exits with 128 more.
    pub fn signal(&self) -> Option<u8> {
        // Relaxed: nothing but the number is handed over.
        u8::try_from(self.0.load(Ordering::Relaxed)).ok().filter(|&signal| signal != 0)
    }
}

fn is_ignored(signal: i32) -> bool {
    let status = Process::myself().and_then(|process| process.status());
    // A mask, in which signal 1 is bit 0 (proc_pid_status(5)).
    status.is_ok_and(|status| status.sigign & (1 << (signal - 1)) != 0)
}
