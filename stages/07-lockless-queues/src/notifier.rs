//! Three ways to block a thread until another one wakes it: what `--wakeup` chooses from.
//!
//! | notifier | a notification costs | a wait costs | descriptors |
//! |---|---|---|---|
//! | [`Eventfd`] | `write` of 8 bytes | `read`, which resets the counter | 1 |
//! | [`Pipe`] | `write` of a byte | `read`, which empties the pipe | 2, and a page of buffer |
//! | [`Park`] | `futex(FUTEX_WAKE)`, none if the thread is not asleep | `futex(FUTEX_WAIT)` | 0 |
//!
//! An event loop that already waits in `epoll_wait` can add the first two to what it waits for, and cannot
//! add the third: that is why stages 08 and later use an eventfd.

use kit::error::failed;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::{pipe2, read, write};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::thread::{self, Thread};

/// Blocks one thread until another notifies it.
///
/// A notification is *kept*: one that comes before the wait lets that wait return at once. Several may count
/// as one, and a wait may return without any.
pub trait Notifier: Send + Sync {
    /// Called by the waiting thread before it announces that it will wait, hence before any notification.
    fn prepare(&self) {}
    /// Wakes the thread, or lets its next wait return at once. Never blocks.
    fn notify(&self);
    /// Blocks until notified.
    fn wait(&self);
}

/// A counter in the kernel.
#[derive(Debug)]
pub struct Eventfd(EventFd);

impl Eventfd {
    /// A counter at zero.
    ///
    /// # Errors
    ///
    /// When the process, or the system, has no descriptor left.
    pub fn new() -> io::Result<Self> {
        // Not EFD_NONBLOCK: the read is what the consumer sleeps in.
        Ok(Self(EventFd::from_flags(EfdFlags::EFD_CLOEXEC).map_err(failed("eventfd"))?))
    }
}

impl Notifier for Eventfd {
    fn notify(&self) {
        // A write blocks only when the counter would pass 2^64 - 2, and each notification adds one.
        self.0.write(1).expect("an eventfd takes a write");
    }

    fn wait(&self) {
        match self.0.read() {
            // A signal ends the read early: the caller looks at its ring and comes back.
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => panic!("an eventfd cannot be read: {error}"),
        }
    }
}

/// A byte in a pipe.
#[derive(Debug)]
pub struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Pipe {
    /// An empty pipe.
    ///
    /// # Errors
    ///
    /// When the process, or the system, has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(failed("pipe2"))?;
        // The flag belongs to the end, not to the pipe: reading still blocks.
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { reader, writer })
    }
}

impl Notifier for Pipe {
    fn notify(&self) {
        match write(&self.writer, &[1]) {
            // EAGAIN: the pipe is full, so it holds bytes that are not read yet and the next wait returns at
            // once. A notification promises no more, and a producer must never wait for a consumer.
            Ok(_) | Err(Errno::EAGAIN) => {}
            // Not EPIPE: both ends are closed together.
            Err(error) => panic!("a pipe cannot be written: {error}"),
        }
    }

    fn wait(&self) {
        // All the bytes of a burst at once; what is left over is a spurious wake-up.
        match read(&self.reader, &mut [0; 64]) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => panic!("a pipe cannot be read: {error}"),
        }
    }
}

/// The waiting thread's own token.
#[derive(Debug, Default)]
pub struct Park(OnceLock<Thread>);

impl Notifier for Park {
    /// Leaves the thread's handle for the producer. It is done before each announcement and not in `wait`: a
    /// producer may see the announcement, and notify, before the consumer gets as far as `wait`.
    fn prepare(&self) {
        let consumer = self.0.get_or_init(thread::current);
        debug_assert_eq!(consumer.id(), thread::current().id(), "only one thread waits for a notifier");
    }

    fn notify(&self) {
        // This runs only after an announcement was seen, so the handle is there.
        self.0.get().expect("the consumer has left its handle").unpark();
    }

    fn wait(&self) {
        // The token is the thread's, not ours: another unpark of it ends this wait early.
        thread::park();
    }
}
