//! How a user ends a run: by Ctrl-C, by an orderly stop, by closing the terminal.

use anyhow::{Context, Result};
use nix::libc;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// From now on the signals that end a run only set this: the run looks at it, ends its children and says what
/// is there.
#[derive(Debug)]
pub struct Interruption(Arc<AtomicBool>);

impl Interruption {
    /// Catches SIGINT and SIGTERM, and SIGHUP unless it is ignored. Fails where a handler cannot be
    /// installed.
    pub fn catch() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        // nohup starts a program with SIGHUP ignored, so that it outlives its terminal.
        let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
        for signal in [SIGINT, SIGTERM].into_iter().chain(hangup) {
            signal_hook::flag::register(signal, Arc::clone(&flag)).context("cannot handle signals")?;
        }
        Ok(Self(flag))
    }

    /// Whether one of them has come.
    pub fn has_come(&self) -> bool {
        // Relaxed: nothing but the flag is handed over.
        self.0.load(Ordering::Relaxed)
    }
}

fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: all zeros is a value of this struct of integers and of an address.
    let mut now: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: without a new action nothing is changed, and the old one is written to a struct that outlives
    // the call.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut now) };
    asked == 0 && now.sa_sigaction == libc::SIG_IGN
}
