//! The way from a waker to the executor: how a task that waits gets its next poll.
//!
//! ```text
//!      waker (any thread)                        executor (its own thread)
//!      ------------------                        -------------------------
//!      make true what the task waits for         pop a task
//!      queued = true: was it already?            queued = false
//!        no: push the task                       poll it: is it true now?
//!            is the executor asleep? notify
//!                                                nothing left:
//!                                                sleeping = true
//!                                                look at the queue: empty? sleep
//! ```
//!
//! Two things can go wrong, and both are one wake-up lost for ever.
//!
//! *Around the poll.* A waker that finds the task queued does nothing, so the poll that is still to come must
//! see what that waker has done. Therefore `queued` is cleared **before** the poll, and by an exchange: it
//! reads what the last waker wrote, and so everything that this waker did before is visible (acquire reads
//! what release wrote). A plain store would read nothing, and promise nothing.
//!
//! *Around the sleep.* The executor says that it sleeps, and then looks at the queue; a waker pushes, and
//! then looks whether the executor sleeps. Stage 07's parker needs two fences here. Here the queue's lock
//! does their work: of the two critical sections one is first, and the thread whose section is second sees
//! everything that the other did before its own.
//!
//! `tests/loom.rs` tries every order, and breaks each of these rules to see that loom notices.

use crate::sync::{AtomicBool, Mutex};
use kit::connection_table::Token;
use nix::sys::eventfd::EventFd;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::task::Wake;

/// What wakes an executor that sleeps. A notification that comes before the sleep ends that sleep at once.
pub trait Notify: Send + Sync + 'static {
    /// Wakes it.
    fn notify(&self);
}

impl Notify for EventFd {
    fn notify(&self) {
        // It blocks only when the counter would pass 2^64 - 2.
        self.write(1).expect("an eventfd takes a write");
    }
}

/// The tasks that have something to do, each at most once, in the order in which they were woken.
#[derive(Debug)]
pub struct RunQueue<N> {
    tasks: Mutex<VecDeque<Token>>,
    /// The executor is asleep, or is about to look at the queue for the last time.
    sleeping: AtomicBool,
    notifier: N,
}

impl<N: Notify> RunQueue<N> {
    /// An empty queue of an executor that `notifier` wakes.
    pub fn new(notifier: N) -> Self {
        Self { tasks: Mutex::new(VecDeque::new()), sleeping: AtomicBool::new(false), notifier }
    }

    /// What wakes the executor.
    pub fn notifier(&self) -> &N {
        &self.notifier
    }

    /// Puts a task in, and wakes the executor if it sleeps.
    pub fn push(&self, task: Token) {
        self.tasks.lock().push_back(task);
        // Relaxed: the lock orders it. If the executor's last look came before our push, we see what it
        // wrote before that look; if not, it sees the task. On the executor's own thread it is never true, so
        // a wake-up there costs no system call.
        if self.sleeping.load(Relaxed) {
            self.notifier.notify();
        }
    }

    /// Takes the task that has waited longest.
    pub fn pop(&self) -> Option<Token> {
        self.tasks.lock().pop_front()
    }

    /// To be called before the executor waits: whether it may sleep. If not, a task has something to do.
    /// [`RunQueue::awake`] must follow.
    pub fn may_sleep(&self) -> bool {
        // Relaxed: see `push`. It is written before the lock is taken, so a waker that gets the lock after us
        // sees it.
        self.sleeping.store(true, Relaxed);
        self.tasks.lock().is_empty()
    }

    /// The executor is awake. Relaxed: a waker that still sees it asleep notifies once for nothing.
    pub fn awake(&self) {
        self.sleeping.store(false, Relaxed);
    }
}

/// A task, as its wakers see it. It is not the future: a waker that outlives the task keeps nothing of it
/// alive, and what it wakes is a number that no task has any more.
#[derive(Debug)]
pub struct Waking<N> {
    task: Token,
    /// The task is in the queue, and has not been polled since.
    queued: AtomicBool,
    queue: Arc<RunQueue<N>>,
}

impl<N: Notify> Waking<N> {
    /// A task that is not queued yet.
    pub fn new(task: Token, queue: Arc<RunQueue<N>>) -> Self {
        Self { task, queued: AtomicBool::new(false), queue }
    }

    // ANCHOR: wake
    /// Lets the task be polled once more: once, however often it is woken before.
    pub fn schedule(&self) {
        // Release: a poll that begins after this sees what we did before. Acquire: it is an exchange, and
        // passes on what wakers before us did.
        if !self.queued.swap(true, AcqRel) {
            self.queue.push(self.task);
        }
    }

    /// To be called when the task has left the queue: polls it. A wake-up from here on queues it again, also
    /// in the middle of the poll.
    pub fn poll<R>(&self, poll: impl FnOnce() -> R) -> R {
        // Acquire: whoever found `queued` set did nothing more, so the poll must see what it did before.
        self.queued.swap(false, AcqRel);
        poll()
    }
    // ANCHOR_END: wake
}

/// With this std makes a [`std::task::Waker`] of an [`Arc`]: the four functions of its table count references
/// and call one of these two.
impl<N: Notify> Wake for Waking<N> {
    fn wake(self: Arc<Self>) {
        self.schedule();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.schedule();
    }
}
