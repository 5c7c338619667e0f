//! One way to stop, for blocking and for event-driven stages.
//!
//! The first SIGTERM or SIGINT asks the server to drain: stop accepting, finish what is in flight, exit 0.
//! The signal handler does four things, each safe inside a handler (signal-safety(7)):
//!
//! 1. it sets a flag, which every loop reads with the time;
//! 2. it writes to an eventfd that nobody reads, so every epoll instance that watches it wakes up;
//! 3. it calls `shutdown(2)` on every descriptor that a thread may be asleep on: a listening socket then
//!    fails `accept` with `EINVAL`, and a connection gives what is buffered and then end of file;
//! 4. it arms `alarm(2)`: whatever still runs after two seconds, even a `/sleep`, the process exits 0.
//!
//! Why not rely on `EINTR`? A signal interrupts one thread, once, and only if that thread is inside the
//! call at that moment. `shutdown(2)` is *sticky*: a thread that is about to sleep finds it too.
//!
//! A second signal means "now": `_exit(128 + n)` from the handler.

use nix::errno::Errno;
use nix::libc::{self, c_int};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::socket::{Shutdown, shutdown};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

/// How long requests in flight may take after the first signal.
pub const DRAIN_SECONDS: u32 = 2;

static DRAINING: AtomicBool = AtomicBool::new(false);
/// Set after fork(2): the parent decides when a child must go at once.
static CHILD: AtomicBool = AtomicBool::new(false);
static STOP: OnceLock<Stop> = OnceLock::new();

/// What the handler needs, complete before the handler is installed.
struct Stop {
    event: EventFd,
    /// One bit for each descriptor number: a thread may be asleep on it.
    sleepers: Box<[AtomicU64]>,
}

/// Whether the server has been told to stop.
pub fn requested() -> bool {
    // SeqCst, here and wherever the flag meets `sleepers`: see `Sleeper::new`. On x86 the load is a plain one.
    DRAINING.load(SeqCst)
}

/// Installs the handlers for SIGTERM, SIGINT and SIGALRM. The descriptor limit must be raised before.
///
/// # Errors
/// What eventfd(2), getrlimit(2) and sigaction(2) say.
pub fn install() -> io::Result<()> {
    let (descriptors, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let sleepers = (0..descriptors.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
    let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    STOP.set(Stop { event, sleepers }).map_err(|_| io::Error::other("shutdown is installed already"))?;
    handle(Signal::SIGTERM, on_stop)?;
    handle(Signal::SIGINT, on_stop)?;
    handle(Signal::SIGALRM, on_limit)?;
    Ok(())
}

/// The eventfd that becomes readable when the server must stop and stays so. Watch it level-triggered, and
/// take it out of the epoll instance after its first event, or the loop spins.
pub fn event() -> BorrowedFd<'static> {
    STOP.get().expect("shutdown is installed before anything waits").event.as_fd()
}

/// Installs a handler that restarts interrupted system calls.
///
/// # Errors
/// What sigaction(2) says.
pub fn handle(signal: Signal, handler: extern "C" fn(c_int)) -> nix::Result<()> {
    let action = SigAction::new(SigHandler::Handler(handler), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handlers of this crate and of its stages call only async-signal-safe functions.
    unsafe { sigaction(signal, &action) }.map(drop)
}

/// A descriptor that a thread may be asleep on, for as long as this value lives.
#[derive(Debug)]
pub struct Sleeper<'fd> {
    fd: BorrowedFd<'fd>,
}

impl<'fd> Sleeper<'fd> {
    /// Announces the descriptor. If the server is draining already it is shut at once.
    pub fn new(fd: BorrowedFd<'fd>) -> Self {
        if let Some((word, bit)) = place(fd) {
            word.fetch_or(bit, SeqCst);
        }
        // The handler sets the flag and then reads the bits; we set the bit and then read the flag. With
        // SeqCst at least one of the two sees the other's store, so no sleeper is forgotten.
        if requested() {
            let _ = shutdown(fd.as_raw_fd(), Shutdown::Read);
        }
        Self { fd }
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        // Before the descriptor is closed. A handler that read the bit just now may still shut a new
        // connection that got the same number: it is draining, so that connection is to end anyway.
        if let Some((word, bit)) = place(self.fd) {
            word.fetch_and(!bit, SeqCst);
        }
    }
}

/// Where a descriptor's bit is; none if somebody has raised the limit of this process from outside since it started.
fn place(fd: BorrowedFd<'_>) -> Option<(&'static AtomicU64, u64)> {
    let number = fd.as_raw_fd() as usize;
    let stop = STOP.get().expect("shutdown is installed before anything sleeps");
    Some((stop.sleepers.get(number / 64)?, 1 << (number % 64)))
}

/// In a child after fork(2). The parent's sleepers are not the child's: a `shutdown(2)` on the inherited listening
/// socket would shut the parent's too, since both are one open file description. And a child does not count signals:
/// one that was sent to the whole process group reaches it twice, from the sender and from its parent.
pub fn become_child() {
    CHILD.store(true, SeqCst);
    if let Some(stop) = STOP.get() {
        stop.sleepers.iter().for_each(|word| word.store(0, SeqCst));
    }
}

/// [`become_child`] for a child that waits with epoll. The eventfd that it inherited is one and the same in all processes: a
/// signal to one of them would stop them all. So it gets another one, under the same number.
///
/// # Errors
/// What eventfd(2) and dup3(2) say.
pub fn become_watching_child() -> io::Result<()> {
    become_child();
    let fresh = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    // SAFETY: both numbers are descriptors of ours that stay open; the old one is replaced at once, never free.
    let number = unsafe { libc::dup3(fresh.as_raw_fd(), event().as_raw_fd(), libc::O_CLOEXEC) };
    Errno::result(number)?;
    if requested() {
        // The signal came before the new one was there.
        fresh.write(1)?;
    }
    Ok(())
}

extern "C" fn on_stop(signal: c_int) {
    if DRAINING.swap(true, SeqCst) {
        if CHILD.load(SeqCst) {
            return;
        }
        // SAFETY: _exit(2) is async-signal-safe.
        unsafe { libc::_exit(128 + signal) };
    }
    // A handler may interrupt code between a failed call and its look at errno.
    let errno = Errno::last_raw();
    // SAFETY: alarm(2) is async-signal-safe.
    unsafe { libc::alarm(DRAIN_SECONDS) };
    if let Some(stop) = STOP.get() {
        let _ = stop.event.write(1);
        for (index, word) in stop.sleepers.iter().enumerate() {
            let mut bits = word.load(SeqCst);
            while bits != 0 {
                let number = index * 64 + bits.trailing_zeros() as usize;
                let _ = shutdown(number as c_int, Shutdown::Read);
                bits &= bits - 1;
            }
        }
    }
    Errno::set_raw(errno);
}

extern "C" fn on_limit(_: c_int) {
    // SAFETY: _exit(2) is async-signal-safe. What is in flight has had its time.
    unsafe { libc::_exit(0) };
}
