//! One way to stop, for blocking and for event-driven stages.
//!
//! The first SIGTERM or SIGINT asks the server to drain: stop accepting, finish what is in flight, exit 0.
//! The signal handler does four things, each safe inside a handler (signal-safety(7)):
//!
//! 1. it sets a flag, which every loop reads with the time;
//! 2. it writes to an eventfd that is never read, so every epoll instance that watches it wakes up;
//! 3. it wakes the threads that are asleep in a system call: it calls `shutdown(2)` on their connections,
//!    whose reads then return what is buffered and end of file, and makes a blocking listener non-blocking,
//!    so that `accept(2)` returns what has arrived before and then `EAGAIN`;
//! 4. it sets an alarm (alarm(2)): after two seconds the process exits with 0, even if a `/sleep` still runs.
//!
//! Why not rely on `EINTR`? A signal interrupts one thread, once, and only if that thread is inside the call
//! at that moment. `shutdown(2)` and `O_NONBLOCK` are *sticky*: a thread that is about to sleep finds them
//! too. Both are needed for the listener: `O_NONBLOCK` wakes no thread that is asleep in accept(2), so the
//! signal must reach the main thread, which accepts. After the handler its accept starts again (SA_RESTART),
//! now without blocking.
//!
//! A second signal means "now": `_exit(128 + n)` from the handler.

use crate::connection_table::SHUTDOWN;
use crate::error::failed;
use nix::errno::Errno;
use nix::libc::{self, c_int, pid_t};
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::socket::{Shutdown, shutdown};
use nix::unistd::gettid;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::SeqCst};

/// How long requests in flight may take after the first signal.
pub const DRAIN_SECONDS: u32 = 2;

static DRAINING: AtomicBool = AtomicBool::new(false);
/// Set after fork(2): the parent decides when a child must exit at once.
static CHILD: AtomicBool = AtomicBool::new(false);
static STOP: OnceLock<Stop> = OnceLock::new();

/// What the handler needs, complete before the handler is installed.
struct Stop {
    event: EventFd,
    /// One bit for each descriptor number: a thread may be asleep on this connection.
    connections: Box<[AtomicU64]>,
    /// The listening socket that the main thread may be asleep on; -1 for none.
    listener: AtomicI32,
    main_thread: pid_t,
}

/// Whether the server has been told to stop.
pub fn requested() -> bool {
    // SeqCst, here and wherever the flag meets `connections` or `listener`: see `ShutdownGuard::new`. On x86
    // the load is a plain one.
    DRAINING.load(SeqCst)
}

/// Installs the handlers for SIGTERM, SIGINT and SIGALRM. To be called by the main thread, once the
/// descriptor limit has been raised.
///
/// # Errors
/// What eventfd(2), getrlimit(2) and sigaction(2) say.
pub fn install() -> io::Result<()> {
    let (descriptors, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let connections = (0..descriptors.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
    let event =
        EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(failed("eventfd"))?;
    let main_thread = gettid().as_raw();
    STOP.set(Stop { event, connections, listener: AtomicI32::new(-1), main_thread })
        .map_err(|_| io::Error::other("shutdown is installed already"))?;
    handle(Signal::SIGTERM, on_stop)?;
    handle(Signal::SIGINT, on_stop)?;
    handle(Signal::SIGALRM, on_limit)?;
    Ok(())
}

/// The eventfd that becomes readable when the server must stop and stays so. Watch it level-triggered, and
/// take it out of the epoll instance after its first event, or the loop spins: [`watch`] and [`unwatch`].
pub fn event() -> BorrowedFd<'static> {
    STOP.get().expect("shutdown is installed before anything waits").event.as_fd()
}

/// Lets an epoll instance report the end of the server as [`SHUTDOWN`].
///
/// # Errors
/// What epoll_ctl(2) says.
pub fn watch(epoll: &Epoll) -> nix::Result<()> {
    epoll.add(event(), EpollEvent::new(EpollFlags::EPOLLIN, SHUTDOWN))
}

/// Removes the eventfd once it was reported: it is never read, so it would wake the loop again and again.
///
/// # Errors
/// What epoll_ctl(2) says.
pub fn unwatch(epoll: &Epoll) -> nix::Result<()> {
    epoll.delete(event())
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

/// A connection that a thread may be asleep on, for as long as this value lives.
#[derive(Debug)]
pub struct ShutdownGuard<'fd> {
    socket: BorrowedFd<'fd>,
}

impl<'fd> ShutdownGuard<'fd> {
    /// Registers the connection. If the server is draining already, its receiving side is shut at once.
    pub fn new(socket: BorrowedFd<'fd>) -> Self {
        if let Some((word, bit)) = bit_of(socket) {
            word.fetch_or(bit, SeqCst);
        }
        // The handler sets the flag and then reads the bits; we set the bit and then read the flag. With
        // SeqCst at least one of the two sees the other's store, so no connection is forgotten.
        if requested() {
            let _ = shutdown(socket.as_raw_fd(), Shutdown::Read);
        }
        Self { socket }
    }

    /// Shuts the sending side of the connection. From then on no signal wakes its thread: once both sides are
    /// shut, Linux answers whatever arrives with a reset, which destroys the rest of a large reply. So while
    /// the server drains, the sending side is shut only by the close.
    ///
    /// # Errors
    /// What shutdown(2) says.
    pub fn shutdown_write(&self) -> nix::Result<()> {
        self.unregister();
        // We clear the bit and then read the flag; the handler sets the flag and then reads the bits. With
        // SeqCst, if we do not see the flag, the handler does not see the bit.
        let side = if requested() { Shutdown::Read } else { Shutdown::Write };
        shutdown(self.socket.as_raw_fd(), side)
    }

    fn unregister(&self) {
        if let Some((word, bit)) = bit_of(self.socket) {
            word.fetch_and(!bit, SeqCst);
        }
    }
}

impl Drop for ShutdownGuard<'_> {
    fn drop(&mut self) {
        // Before the descriptor is closed. A handler that read the bit just now may still shut a new
        // connection that got the same number: it is draining, so that connection is to end anyway.
        self.unregister();
    }
}

/// Lets the end of the server wake the main thread out of accept(2) on this blocking listener, which must
/// stay open until the process ends or [`become_child`] is called.
pub fn wake_accept_on_shutdown(listener: BorrowedFd<'_>) {
    let stop = STOP.get().expect("shutdown is installed before anything listens");
    stop.listener.store(listener.as_raw_fd(), SeqCst);
    // As in `ShutdownGuard::new`: at least one of the handler and this thread sees what the other stored.
    if requested() {
        make_nonblocking(listener.as_raw_fd());
    }
}

/// Async-signal-safe. It fails only for a descriptor that is not open.
fn make_nonblocking(descriptor: c_int) {
    // SAFETY: fcntl(2) with these commands touches no memory of ours.
    unsafe {
        let flags = libc::fcntl(descriptor, libc::F_GETFL);
        libc::fcntl(descriptor, libc::F_SETFL, flags | libc::O_NONBLOCK);
    }
}

/// Where a descriptor's bit is; `None` if the descriptor limit of this process was raised from outside after
/// it started.
fn bit_of(fd: BorrowedFd<'_>) -> Option<(&'static AtomicU64, u64)> {
    let number = fd.as_raw_fd() as usize;
    let stop = STOP.get().expect("shutdown is installed before anything blocks");
    Some((stop.connections.get(number / 64)?, 1 << (number % 64)))
}

/// In a child after fork(2). The parent's listener is not the child's: made non-blocking here, it would be so
/// in the parent too, since both are one open file description. The same holds for its connections. And a
/// child does not count signals: one that was sent to the whole process group reaches it twice, from the
/// sender and from its parent.
pub fn become_child() {
    CHILD.store(true, SeqCst);
    if let Some(stop) = STOP.get() {
        stop.connections.iter().for_each(|word| word.store(0, SeqCst));
        stop.listener.store(-1, SeqCst);
    }
}

/// [`become_child`] for a child that waits with epoll. The eventfd that it inherited is one and the same in
/// all processes: a signal to one of them would stop them all. So it gets another one, under the same number.
///
/// # Errors
/// What eventfd(2) and dup3(2) say.
pub fn become_watching_child() -> io::Result<()> {
    become_child();
    let fresh = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    // SAFETY: both numbers are descriptors of ours that stay open; the old one is replaced at once, never
    // free.
    let number = unsafe { libc::dup3(fresh.as_raw_fd(), event().as_raw_fd(), libc::O_CLOEXEC) };
    Errno::result(number)?;
    if requested() {
        // The signal came before the new one was there.
        fresh.write(1)?;
    }
    Ok(())
}

extern "C" fn on_stop(signal: c_int) {
    // signal(7): any thread may get a signal that was sent to the process. A child of fork(2) has one thread,
    // whose id is not its parent's.
    if let Some(stop) = STOP.get()
        && !CHILD.load(SeqCst)
        && gettid().as_raw() != stop.main_thread
    {
        // SAFETY: tgkill(2) is a system call without memory, and this process has that thread.
        unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), stop.main_thread, signal) };
        return;
    }
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
        match stop.listener.load(SeqCst) {
            -1 => {}
            listener => make_nonblocking(listener),
        }
        for (index, word) in stop.connections.iter().enumerate() {
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
