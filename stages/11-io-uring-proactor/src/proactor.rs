//! The submission queue and the completion queue.
//!
//! ```text
//!   requests -> [ submission queue ] -> kernel -> [ completion queue ] -> completions
//!                     io_uring_enter(2): submit all of them, and wait for at least one answer
//! ```

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};
use nix::errno::Errno;
use nix::libc;
use std::io;
use std::time::Duration;

/// Requests that fit between two system calls. More are no harm: then there is one call more.
const REQUESTS: u32 = 1024;

/// Completions that fit. The kernel keeps what does not, but slowly.
const COMPLETIONS: u32 = 8192;

/// The mark of requests whose completion nobody waits for.
pub const UNHEARD: u64 = u64::MAX - 2;

/// The two queues.
pub struct Proactor {
    uring: IoUring,
}

impl Proactor {
    /// Queues for the calling thread alone.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where the kernel lacks io_uring or forbids it; else what io_uring_setup(2) says.
    pub fn new() -> io::Result<Self> {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(COMPLETIONS);
        // One thread submits, so the kernel needs no lock for it; and what arrives is taken care of when this thread asks
        // for completions, not by interrupting it between two requests (both Linux 6.1).
        builder.setup_single_issuer().setup_defer_taskrun();
        match builder.build(REQUESTS) {
            Ok(uring) => Ok(Self { uring }),
            Err(error) => Err(explain(error)),
        }
    }

    /// Queues a request.
    ///
    /// # Safety
    /// The memory that it names must stay where it is until its completion has come.
    ///
    /// # Errors
    /// What io_uring_enter(2) says.
    pub unsafe fn push(&mut self, request: &Entry) -> io::Result<()> {
        loop {
            // SAFETY: the caller vouches for the memory.
            if unsafe { self.uring.submission().push(request) }.is_ok() {
                return Ok(());
            }
            self.submit()?;
        }
    }

    /// Asks the kernel to give up the request with this mark. Its completion tells whether it did; the cancellation itself
    /// is not heard of.
    ///
    /// # Errors
    /// What io_uring_enter(2) says.
    pub fn cancel(&mut self, mark: u64) -> io::Result<()> {
        let request = opcode::AsyncCancel::new(mark).build().user_data(UNHEARD).flags(Flags::SKIP_SUCCESS);
        // SAFETY: it names no memory.
        unsafe { self.push(&request) }
    }

    /// Submits what is queued, without waiting.
    ///
    /// # Errors
    /// What io_uring_enter(2) says.
    pub fn submit(&mut self) -> io::Result<()> {
        passing(self.uring.submit())
    }

    // ANCHOR: wait
    /// Submits what is queued and waits for at least one completion, for at most `timeout`: one system call.
    ///
    /// # Errors
    /// What io_uring_enter(2) says.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match timeout {
            None => passing(self.uring.submit_and_wait(1)),
            Some(timeout) => self.enter(1, timeout),
        }
    }
    // ANCHOR_END: wait

    /// Submits what is queued, and lets the kernel complete whatever it can by now. [`Proactor::wait`] does not: when it has
    /// one completion it may leave the others for the next time.
    ///
    /// # Errors
    /// What io_uring_enter(2) says.
    pub fn gather(&mut self) -> io::Result<()> {
        // It gives up asking for more when the queue is full or it has nothing left to do, whichever is first.
        self.enter(COMPLETIONS as usize, Duration::ZERO)
    }

    fn enter(&mut self, count: usize, timeout: Duration) -> io::Result<()> {
        let timeout = Timespec::from(timeout);
        passing(self.uring.submitter().submit_with_args(count, &SubmitArgs::new().timespec(&timeout)))
    }

    /// Takes the completions that are there.
    pub fn take(&mut self, into: &mut Vec<cqueue::Entry>) {
        into.extend(self.uring.completion());
    }

    /// The queues themselves, to register memory with.
    pub fn uring(&self) -> &IoUring {
        &self.uring
    }
}

/// The time is over, a signal came, or completions must be taken first. They will be, in the next round of the loop.
fn passing(entered: io::Result<usize>) -> io::Result<()> {
    match entered {
        Err(error) if !matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY)) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

fn explain(error: io::Error) -> io::Error {
    let number = Errno::from_raw(error.raw_os_error().unwrap_or(0));
    let hint = match number {
        Errno::ENOSYS | Errno::EINVAL => "it needs Linux 6.1 or newer",
        Errno::EPERM | Errno::EACCES => {
            "this system forbids it: see sysctl kernel.io_uring_disabled, or the container's seccomp profile"
        }
        _ => return error,
    };
    io::Error::new(
        io::ErrorKind::Unsupported,
        format!("io_uring cannot be used here ({}): {hint}", number.desc()),
    )
}
