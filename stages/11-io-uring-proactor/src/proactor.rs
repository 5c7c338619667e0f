//! The submission queue and the completion queue.
//!
//! ```text
//!   submissions -> [ submission queue ] -> kernel -> [ completion queue ] -> completions
//!                       io_uring_enter(2): submit all of them, and wait for at least one completion
//! ```

use crate::direct;
use crate::features::{Features, errno, needs};
use crate::registered::Registered;
use io_uring::squeue::{Entry, Flags};
use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{IoUring, Submitter, cqueue, opcode};
use kit::error::failed;
use nix::errno::Errno;
use nix::libc;
use std::io;
use std::time::Duration;

/// Submissions that fit between two system calls. More do no harm: then there is one call more.
const SUBMISSIONS: u32 = 1024;

/// Completions that fit. The kernel keeps what does not, but slowly.
pub const COMPLETIONS: u32 = 8192;

/// So many completions end a wait at once, where a single one may have to wait for others.
const SEVERAL: usize = 16;

/// The `user_data` of submissions whose completion has no handler.
pub const NO_HANDLER: u64 = u64::MAX - 2;

/// The two queues of one thread.
pub struct Proactor {
    uring: IoUring,
    features: Features,
    /// With `--registered-buffers`. The kernel unpins it when the queues are dropped.
    registered: Option<Registered>,
    /// How often [`Proactor::flush_completions`] was called.
    flushes: u64,
}

impl Proactor {
    /// Queues for the calling thread alone.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where the kernel lacks io_uring or forbids it; else what
    /// io_uring_setup(2) says.
    pub fn new(features: Features) -> io::Result<Self> {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(COMPLETIONS);
        // One thread submits, so the kernel needs no lock for it; and what arrives is processed when this
        // thread asks for completions, not by interrupting it between two requests (both Linux 6.1).
        builder.setup_single_issuer();
        match features.sqpoll {
            // The kernel's thread does not ask for completions, so none can wait for that.
            Some(idle_ms) => {
                builder.setup_sqpoll(idle_ms);
            }
            None if features.interrupt => {}
            None => {
                builder.setup_defer_taskrun();
            }
        }
        let uring = builder.build(SUBMISSIONS).map_err(|error| explain("io_uring_setup", &error))?;
        features.check(&uring)?;
        if features.direct {
            direct::register(&uring.submitter())?;
        }
        let registered =
            features.registered_buffers.then(|| Registered::new(&uring.submitter())).transpose()?;
        let proactor = Self { uring, features, registered, flushes: 0 };
        if features.min_wait.is_some() {
            proactor.must_know_min_wait()?;
        }
        Ok(proactor)
    }

    /// An older kernel takes the field of this feature for a mistake.
    fn must_know_min_wait(&self) -> io::Result<()> {
        let now = Timespec::from(Duration::ZERO);
        let args = SubmitArgs::new().timespec(&now).min_wait_usec(1);
        match self.uring.submitter().submit_with_args(1, &args) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Err(needs("--min-wait", "6.12")),
            result => entered(result),
        }
    }

    /// Which features are used.
    pub fn features(&self) -> Features {
        self.features
    }

    /// Memory that the kernel has pinned.
    pub fn registered(&self) -> Option<&Registered> {
        self.registered.as_ref()
    }

    /// Queues a submission.
    ///
    /// # Safety
    /// The memory that it names must stay where it is until its last completion has come.
    ///
    /// # Errors
    /// What io_uring_enter(2) says.
    pub unsafe fn push(&mut self, submission: &Entry) -> io::Result<()> {
        loop {
            // SAFETY: the caller vouches for the memory.
            if unsafe { self.uring.submission().push(submission) }.is_ok() {
                return Ok(());
            }
            self.submit()?;
        }
    }

    /// Cancels the submission with this `user_data`. Its own last completion tells whether that succeeded;
    /// the cancellation has no completion.
    ///
    /// # Errors
    /// What io_uring_enter(2) says.
    pub fn cancel(&mut self, user_data: u64) -> io::Result<()> {
        let cancel = opcode::AsyncCancel::new(user_data).build().user_data(NO_HANDLER);
        // SAFETY: it names no memory.
        unsafe { self.push(&cancel.flags(Flags::SKIP_SUCCESS)) }
    }

    /// Submits what is queued, without waiting.
    ///
    /// # Errors
    /// What io_uring_enter(2) says.
    pub fn submit(&mut self) -> io::Result<()> {
        entered(self.uring.submit())
    }

    // ANCHOR: wait
    /// Submits what is queued and waits for at least one completion, for at most `timeout`: one system call.
    ///
    /// # Errors
    /// What io_uring_enter(2) says.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match (timeout, self.features.min_wait) {
            (None, _) => entered(self.uring.submit_and_wait(1)),
            (Some(timeout), None) => self.enter(1, timeout),
            (Some(timeout), Some(us)) => self.wait_for_several(timeout, us),
        }
    }
    // ANCHOR_END: wait

    /// The same; so many microseconds are spent on waiting for several before one is enough.
    fn wait_for_several(&mut self, timeout: Duration, us: u32) -> io::Result<()> {
        let timeout = Timespec::from(timeout);
        let args = SubmitArgs::new().timespec(&timeout).min_wait_usec(us);
        entered(self.uring.submitter().submit_with_args(SEVERAL, &args))
    }

    /// Submits what is queued, and lets the kernel complete whatever it can by now. [`Proactor::wait`] does
    /// not: when it has one completion it may leave the others for the next time.
    ///
    /// # Errors
    /// What io_uring_enter(2) says.
    pub fn flush_completions(&mut self) -> io::Result<()> {
        self.flushes += 1;
        // The kernel stops when so many have completed or it has nothing left to do, whichever is first.
        self.enter(COMPLETIONS as usize, Duration::ZERO)
    }

    /// How many flushes there were: what was submitted before the last one has completed by now if it could.
    pub fn flushes(&self) -> u64 {
        self.flushes
    }

    fn enter(&mut self, count: usize, timeout: Duration) -> io::Result<()> {
        let timeout = Timespec::from(timeout);
        let args = SubmitArgs::new().timespec(&timeout);
        if self.features.sqpoll.is_some() && self.uring.submission().is_empty() {
            return self.wait_alone(count, &args);
        }
        entered(self.uring.submitter().submit_with_args(count, &args))
    }

    /// With SQPOLL and nothing to submit: waits, and leaves the kernel's thread asleep. Woken for nothing, it
    /// would look for submissions for as long as its idle time.
    fn wait_alone(&mut self, count: usize, args: &SubmitArgs<'_, '_>) -> io::Result<()> {
        /// `IORING_ENTER_GETEVENTS` and `IORING_ENTER_EXT_ARG` of io_uring_enter(2).
        const FLAGS: u32 = 1 | 1 << 3;
        // SAFETY: the arguments are of the kind that the flags announce, and nothing is submitted.
        entered(unsafe { self.uring.submitter().enter(0, count as u32, FLAGS, Some(args)) })
    }

    /// Moves the completions that are there to `into`.
    pub fn take(&mut self, into: &mut Vec<cqueue::Entry>) {
        into.extend(self.uring.completion());
    }

    /// To register memory with the kernel.
    pub fn submitter(&self) -> Submitter<'_> {
        self.uring.submitter()
    }
}

/// What io_uring_enter(2) returned. That the time is over, that a signal came, or that completions must be
/// taken first is no error: the next round of the loop takes them.
fn entered(result: io::Result<usize>) -> io::Result<()> {
    match result {
        Err(error) if !matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY)) => {
            Err(failed("io_uring_enter")(errno(&error)))
        }
        _ => Ok(()),
    }
}

/// Names the system call that failed while the server starts, and what can be done about it.
pub fn explain(call: &str, error: &io::Error) -> io::Error {
    let errno = errno(error);
    let (kind, hint) = match errno {
        Errno::ENOSYS | Errno::EINVAL => (
            io::ErrorKind::Unsupported,
            "; io_uring cannot be used here: this stage needs Linux 6.1 or newer",
        ),
        Errno::EPERM | Errno::EACCES => (
            io::ErrorKind::Unsupported,
            "; io_uring is forbidden here: see sysctl kernel.io_uring_disabled, or the seccomp profile",
        ),
        Errno::ENOMEM => (error.kind(), "; the queues may count as locked memory: see ulimit -l"),
        _ => (error.kind(), ""),
    };
    io::Error::new(kind, format!("{call}: {}{hint}", errno.desc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the exit status, which tells "not on this machine" (3) from "not now" (1), and the one line
    /// beside it.
    #[test]
    fn an_error_names_its_call_and_whether_this_system_can_run_the_stage() {
        for (errno, is_unsupported, hint) in [
            (Errno::ENOSYS, true, "Linux 6.1"),
            (Errno::EINVAL, true, "Linux 6.1"),
            (Errno::EPERM, true, "seccomp"),
            (Errno::ENOMEM, false, "ulimit -l"),
            (Errno::EMFILE, false, "io_uring_setup: Too many open files"),
        ] {
            let error = explain("io_uring_setup", &errno.into());
            assert_eq!(error.kind() == io::ErrorKind::Unsupported, is_unsupported, "{error}");
            let line = error.to_string();
            assert!(line.starts_with("io_uring_setup: ") && line.contains(hint), "{line}");
            assert_eq!(line.lines().count(), 1);
        }
    }
}
