//! The children of a forking server: started, counted, reaped, told to stop.
//!
//! A child that ended stays a *zombie* until its parent waits for it. The kernel announces it with SIGCHLD,
//! but signals do not queue: 300 children that end together may give 40 signals. So the handler waits in a
//! loop until no ended child is left.

use kit::shutdown;
use nix::errno::Errno;
use nix::libc::{self, c_int};
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, kill, signal, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

// Relaxed throughout: the process has one thread, and its signal handler interrupts that very thread. Atomics are
// here to be lawful in a handler, not to order memory between CPUs.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
/// A place for the pid of each child; 0 is a free one.
static PLACES: OnceLock<Box<[AtomicI32]>> = OnceLock::new();

/// Lets SIGCHLD reap. `most` is the number of children there may be at once.
///
/// # Errors
/// What sigaction(2) says.
pub fn reap_on_sigchld(most: usize) -> nix::Result<()> {
    PLACES.get_or_init(|| (0..most).map(|_| AtomicI32::new(0)).collect());
    shutdown::handle(Signal::SIGCHLD, on_sigchld)
}

/// Sleeps until there is room for one more child, or the server must stop.
pub fn wait_for_room() {
    let blocked = Blocked::new();
    while RUNNING.load(Relaxed) >= PLACES.get().map_or(0, |places| places.len()) && !shutdown::requested() {
        blocked.wait_for_signal();
    }
}

/// Forks. In the child this calls `body` and never returns.
///
/// When the system allows no more processes (`EAGAIN`) or has no memory for one, it waits for a child to end, or for
/// a tenth of a second, and tries again: the connection waits meanwhile. It gives up when the server must stop.
///
/// # Errors
/// What fork(2) says.
pub fn spawn(body: impl FnOnce()) -> nix::Result<()> {
    let parent = getpid();
    loop {
        // A child may end before its pid is stored; a signal that comes in between must wait.
        let blocked = Blocked::new();
        // SAFETY: this process has a single thread, so the child finds no lock held by a thread it does not have.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => {
                become_child(parent);
                drop(blocked);
                body();
                // SAFETY: _exit(2) has no precondition. exit(3) would flush the parent's buffered stdout again.
                unsafe { libc::_exit(0) }
            }
            Ok(ForkResult::Parent { child }) => {
                store(child);
                return Ok(());
            }
            Err(Errno::EAGAIN | Errno::ENOMEM) if !shutdown::requested() => {
                drop(blocked);
                sleep(Duration::from_millis(100));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Tells every child to drain, waits for it, and kills what is left at the limit. Leaves no zombie.
pub fn stop_all() {
    // Its children end by themselves within this time; the parent must outlive them to reap them.
    // SAFETY: alarm(2) has no precondition.
    unsafe { libc::alarm(shutdown::DRAIN_SECONDS + 2) };
    tell_all(Signal::SIGTERM);
    let limit =
        Instant::now() + Duration::from_secs(u64::from(shutdown::DRAIN_SECONDS)) + Duration::from_millis(200);
    while RUNNING.load(Relaxed) > 0 {
        if Instant::now() > limit {
            tell_all(Signal::SIGKILL);
        }
        sleep(Duration::from_millis(5));
    }
}

/// What a child must undo of what it inherited.
fn become_child(parent: Pid) {
    shutdown::become_child();
    // SAFETY: the actions are "ignore" and "default". Ctrl-C reaches the whole process group; the child counts only
    // what the parent tells it, or one Ctrl-C would count as two signals. SIGCHLD's handler is the parent's.
    unsafe {
        let _ = signal(Signal::SIGINT, SigHandler::SigIgn);
        let _ = signal(Signal::SIGCHLD, SigHandler::SigDfl);
    }
    // A parent that is killed outright cannot tell its children.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    if getppid() != parent {
        // It was killed before the line above.
        // SAFETY: _exit(2) has no precondition.
        unsafe { libc::_exit(1) };
    }
}

fn store(child: Pid) {
    let mut places = PLACES.get().into_iter().flatten();
    if let Some(place) = places.find(|place| place.load(Relaxed) == 0) {
        place.store(child.as_raw(), Relaxed);
        RUNNING.fetch_add(1, Relaxed);
    }
}

fn tell_all(what: Signal) {
    // Blocked: a pid that is reaped between its load and the kill could belong to somebody else.
    let _blocked = Blocked::new();
    for place in PLACES.get().into_iter().flatten() {
        match place.load(Relaxed) {
            0 => {}
            pid => drop(kill(Pid::from_raw(pid), what)),
        }
    }
}

extern "C" fn on_sigchld(_: c_int) {
    let errno = Errno::last_raw();
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        let Some(pid) = status.pid().filter(|_| status != WaitStatus::StillAlive) else { break };
        // It may be nobody that we started: a shell that became this server by exec leaves it its children, and a
        // server that runs as process 1 gets all orphans.
        let mut places = PLACES.get().into_iter().flatten();
        if let Some(place) = places.find(|place| place.load(Relaxed) == pid.as_raw()) {
            place.store(0, Relaxed);
            RUNNING.fetch_sub(1, Relaxed);
        }
    }
    Errno::set_raw(errno);
}

/// All signals wait while this value lives.
struct Blocked {
    before: SigSet,
}

impl Blocked {
    fn new() -> Self {
        let mut before = SigSet::empty();
        // It fails only for an invalid `how`.
        let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), Some(&mut before));
        Self { before }
    }

    /// Lets signals in and sleeps until one has been handled, without a gap in between (sigsuspend(2)): a signal that
    /// came after the caller's look and before its sleep ends the sleep at once.
    fn wait_for_signal(&self) {
        let _ = self.before.suspend();
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}
