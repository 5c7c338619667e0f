//! The children of a forking server: how they are started, counted, reaped and stopped.
//!
//! A child that ended stays a *zombie* until its parent waits for it. The kernel announces the end with
//! SIGCHLD, but signals do not queue: 300 children that end together may cause only 40 signals. So a signal
//! says that at least one child has ended, and not how many.

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

// Relaxed throughout: the process has one thread, and its signal handler interrupts that very thread. They
// are atomics because a signal handler may share nothing else, not to order memory between CPUs.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
/// A slot for the pid of each child; 0 marks a free one.
static SLOTS: OnceLock<Box<[AtomicI32]>> = OnceLock::new();
/// When the children were first told to drain.
static STOPPING: OnceLock<Instant> = OnceLock::new();

/// Reaps children on SIGCHLD. At most `max` of them may run at once.
///
/// # Errors
/// What sigaction(2) says.
pub fn reap_on_sigchld(max: usize) -> nix::Result<()> {
    SLOTS.get_or_init(|| (0..max).map(|_| AtomicI32::new(0)).collect());
    shutdown::handle(Signal::SIGCHLD, on_sigchld)
}

/// Sleeps until there is room for one more child. When the server must stop, connections may still wait that
/// the kernel had accepted before: then the children finish what is in flight, which makes room for them.
pub fn wait_for_room() {
    let blocked = Blocked::new();
    while RUNNING.load(Relaxed) >= SLOTS.get().map_or(0, |slots| slots.len()) {
        if shutdown::requested() {
            STOPPING.get_or_init(Instant::now);
            signal_all(Signal::SIGTERM);
        }
        blocked.wait_for_signal();
    }
}

/// Forks. In the child this calls `body` and never returns.
///
/// When the system allows no more processes (`EAGAIN`) or has no memory for one, this waits a tenth of a
/// second and tries again; the connection waits meanwhile. It stops trying when the server must stop.
///
/// # Errors
/// What fork(2) says.
pub fn spawn(body: impl FnOnce()) -> nix::Result<()> {
    let parent = getpid();
    loop {
        // A child may end before its pid is stored; a signal that comes in between must wait.
        let blocked = Blocked::new();
        // SAFETY: this process has a single thread, so the child finds no lock held by a thread it does not
        // have.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => {
                become_child(parent);
                drop(blocked);
                body();
                // SAFETY: _exit(2) has no precondition. exit(3) would flush the parent's buffered stdout
                // again.
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

/// Tells every child to drain, waits for it, and kills it if it still runs at the limit. No zombie remains.
pub fn stop_all() {
    // The children end by themselves within this time; the parent must outlive them to reap them.
    // SAFETY: alarm(2) has no precondition.
    unsafe { libc::alarm(shutdown::DRAIN_SECONDS + 2) };
    signal_all(Signal::SIGTERM);
    let limit = *STOPPING.get_or_init(Instant::now)
        + Duration::from_secs(u64::from(shutdown::DRAIN_SECONDS))
        + Duration::from_millis(200);
    while RUNNING.load(Relaxed) > 0 {
        if Instant::now() > limit {
            signal_all(Signal::SIGKILL);
        }
        sleep(Duration::from_millis(5));
    }
}

/// Undoes in the child what it must not inherit.
fn become_child(parent: Pid) {
    shutdown::become_child();
    // SAFETY: the actions are "ignore" and "default". Ctrl-C reaches the whole process group; the child
    // counts only the signal that its parent sends, or one Ctrl-C would count as two. SIGCHLD's handler is
    // the parent's.
    unsafe {
        let _ = signal(Signal::SIGINT, SigHandler::SigIgn);
        let _ = signal(Signal::SIGCHLD, SigHandler::SigDfl);
    }
    end_with_parent(parent);
}

/// In a child, right after fork(2): the kernel ends it when its parent ends, since a parent that is killed
/// outright can tell nothing to its children. `parent` is the pid that the parent had before the fork.
pub fn end_with_parent(parent: Pid) {
    // PR_SET_PDEATHSIG(2const): the signal is sent when the *thread* ends that has forked; a parent has one.
    // The setting is cleared in a child of this process, and by execve(2) of a program with privileges:
    // neither happens here.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    // A parent that ended before the line above sends nothing. This child has been given to another process
    // then: to the nearest subreaper, or to process 1 of its PID namespace, whose pid cannot be `parent`,
    // which lived at the same time. 0 is no such process: a parent outside of the namespace, as after
    // `unshare --pid`, is 0 from the start.
    let now = getppid();
    if now != parent && now.as_raw() != 0 {
        // SAFETY: _exit(2) has no precondition.
        unsafe { libc::_exit(1) };
    }
}

fn store(child: Pid) {
    let mut slots = SLOTS.get().into_iter().flatten();
    if let Some(slot) = slots.find(|slot| slot.load(Relaxed) == 0) {
        slot.store(child.as_raw(), Relaxed);
        RUNNING.fetch_add(1, Relaxed);
    }
}

fn signal_all(what: Signal) {
    // Signals are blocked: a pid that is reaped between its load and the kill could by then belong to another
    // process.
    let _blocked = Blocked::new();
    for slot in SLOTS.get().into_iter().flatten() {
        match slot.load(Relaxed) {
            0 => {}
            pid => drop(kill(Pid::from_raw(pid), what)),
        }
    }
}

// ANCHOR: reap
extern "C" fn on_sigchld(_: c_int) {
    let errno = Errno::last_raw();
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        let Some(pid) = status.pid().filter(|_| status != WaitStatus::StillAlive) else { break };
        // The pid may be that of a process which we did not start: a shell that became this server by exec(3)
        // leaves its children to it, and a server that runs as process 1 inherits all orphans.
        let mut slots = SLOTS.get().into_iter().flatten();
        if let Some(slot) = slots.find(|slot| slot.load(Relaxed) == pid.as_raw()) {
            slot.store(0, Relaxed);
            RUNNING.fetch_sub(1, Relaxed);
        }
    }
    Errno::set_raw(errno);
}
// ANCHOR_END: reap

/// Blocks all signals while this value lives.
struct Blocked {
    before: SigSet,
}

impl Blocked {
    fn new() -> Self {
        let mut before = SigSet::empty();
        // sigprocmask(2) fails only for an invalid `how`.
        let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), Some(&mut before));
        Self { before }
    }

    /// Unblocks signals and sleeps until one has been handled, in one step (sigsuspend(2)): a signal that
    /// came after the caller's check and before its sleep ends the sleep at once.
    fn wait_for_signal(&self) {
        let _ = self.before.suspend();
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}
