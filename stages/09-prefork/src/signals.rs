//! Signals as events (signalfd(2)): they arrive where everything else arrives, in epoll, one after the other.
//!
//! Stage 02 handles SIGCHLD in a signal handler, which may interrupt any line of the program and must touch
//! nothing that the line may be in the middle of. Here the signals are blocked, so no handler runs, and
//! reading them is a read like any other. Source 002 does the same with a handler that writes into a pipe.

use kit::error::failed;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// SIGTERM, SIGINT and SIGCHLD, to be read.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
    /// What was blocked before.
    before: SigSet,
}

impl Signals {
    // ANCHOR: new
    /// Blocks the three, and makes them readable.
    ///
    /// # Errors
    /// What sigaction(2), sigprocmask(2) and signalfd(2) say.
    pub fn new() -> io::Result<Self> {
        let ours = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD]);
        // The process that started this one may ignore SIGCHLD, and execve(2) passes that on: the kernel
        // would then reap the children itself, without a signal (waitpid(2)). SAFETY: the default action runs
        // no code of ours.
        unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }.map_err(failed("sigaction"))?;
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&ours), Some(&mut before)).map_err(failed("sigprocmask"))?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self { fd: SignalFd::with_flags(&ours, flags).map_err(failed("signalfd"))?, before })
    }
    // ANCHOR_END: new

    /// The next signal that has arrived.
    pub fn next(&self) -> Option<Signal> {
        let info = self.fd.read_signal().ok().flatten()?;
        Signal::try_from(info.ssi_signo as i32).ok()
    }

    /// In a child: signals are delivered again as before. Ctrl-C reaches the whole process group; a child
    /// counts only what its parent sends it, or one Ctrl-C would count as two signals.
    pub fn release(&self) {
        // SAFETY: "ignore" runs no code of ours.
        let _ = unsafe { signal(Signal::SIGINT, SigHandler::SigIgn) };
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
