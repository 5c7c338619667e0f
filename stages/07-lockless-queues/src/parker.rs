//! How a consumer sleeps while its ring is empty, and how it is woken: never too late, and without a system
//! call while it is awake.
//!
//! A producer that notified after every push would pay a system call per item; a consumer that never slept
//! would pay a CPU. So the consumer announces that it sleeps, and the producer notifies only then. The danger
//! is a wake-up lost between the consumer's last look and its sleep. Both sides do the same two things,
//! crosswise:
//!
//! ```text
//!      consumer (park_unless)              producer (push, then unpark)
//!      ----------------------              ----------------------------
//!      sleeping = true                     push the item
//!      fence                               fence
//!      look at the ring: empty?            look at sleeping: true?
//!        yes: wait for the notifier          yes: sleeping = false, notify
//! ```
//!
//! The two fences stand in one order that both threads agree on. The thread whose fence comes second sees
//! what the other wrote before its own: the producer sees `sleeping`, or the consumer sees the item, or both.
//! Both is harmless: the consumer is notified though it did not sleep, and its next wait returns at once (a
//! *spurious* wake-up, so the caller looks at its ring in a loop). If neither saw the other's, the consumer
//! would sleep for ever. Without the fences that may happen, on x86 too: a store waits in the core's store
//! buffer while a later load is already answered (Intel SDM, volume 3: "loads may be reordered with older
//! stores to different locations"). Tests on real threads all but never meet it; loom does, in
//! `tests/loom.rs`.
//!
//! Acquire and release are not enough here. They order what came before a store with what comes after a
//! load; what is needed is a store before a *load*. (Dekker's algorithm of 1965 turns on the same point.)

use crate::notifier::{Eventfd, Notifier, Park, Pipe};
use crate::sync::{Arc, AtomicBool, fence};
use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// What a sleeping consumer waits for (`--wakeup`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Wakeup {
    /// A counter in the kernel: one descriptor, read and written eight bytes at a time. See eventfd(2).
    Eventfd,
    /// A byte through a pipe, as before Linux 2.6.22 and in source 000's thread pool.
    Pipe,
    /// The thread itself: a futex, no descriptor. See [`std::thread::park`].
    Park,
}

struct ParkState {
    sleeping: AtomicBool,
    notifier: Box<dyn Notifier>,
}

/// The producer's side. Copies wake the same consumer, so that a dispatcher and a shutdown can both do so.
#[derive(Clone)]
pub struct Unparker(Arc<ParkState>);

/// The consumer's side: one thread sleeps on it.
pub struct Parker(Arc<ParkState>);

/// Both sides of a parker that waits in the given way.
///
/// # Errors
///
/// When the kernel has no descriptor left for it.
pub fn parker(wakeup: Wakeup) -> io::Result<(Unparker, Parker)> {
    Ok(with_notifier(match wakeup {
        Wakeup::Eventfd => Box::new(Eventfd::new()?),
        Wakeup::Pipe => Box::new(Pipe::new()?),
        Wakeup::Park => Box::new(Park::default()),
    }))
}

/// Both sides of a parker that waits for any [`Notifier`].
pub fn with_notifier(notifier: Box<dyn Notifier>) -> (Unparker, Parker) {
    let state = Arc::new(ParkState { sleeping: AtomicBool::new(false), notifier });
    (Unparker(state.clone()), Parker(state))
}

impl Unparker {
    // ANCHOR: unpark
    /// Wakes the consumer if it sleeps, or is about to, and has not been notified yet.
    ///
    /// Call it after the push (or after whatever else `ready` looks at): the consumer sees what was stored
    /// before this call. One call covers any number of pushes, so a dispatcher calls it once a batch.
    pub fn unpark(&self) {
        // SeqCst: the push above is seen before `sleeping` is looked at. The module says why.
        fence(SeqCst);
        let sleeping = &self.0.sleeping;
        // Most often the consumer is awake: a load sees that without taking the cache line from it, as an
        // exchange would. Relaxed: the load decides nothing but whether to exchange.
        //
        // Of several producers, the one that turns `true` into `false` notifies. It is no plain swap, so that
        // `false` is written only by the consumer itself or by a producer that then notifies: no announcement
        // can be lost. Acquire: what `Notifier::prepare` left is ours to use.
        if sleeping.load(Relaxed) && sleeping.compare_exchange(true, false, Acquire, Relaxed).is_ok() {
            self.0.notifier.notify();
        }
    }
    // ANCHOR_END: unpark
}

impl Parker {
    // ANCHOR: park
    /// Blocks until unparked, unless `ready` says that there is something to do.
    ///
    /// It may return early: call it in a loop that looks for work first. `ready` must look at what the
    /// producer stores before it unparks, and must not itself call [`std::thread::park`].
    pub fn park_unless(&self, mut ready: impl FnMut() -> bool) {
        self.0.notifier.prepare();
        // Release: a producer that sees that we sleep can use what `prepare` left. (It does no more than
        // that: the fence orders this store and the check below.)
        self.0.sleeping.store(true, Release);
        // SeqCst: every thread sees `sleeping` before we look for the last time. The module says why.
        fence(SeqCst);
        if !ready() {
            self.0.notifier.wait();
        }
        // Awake, perhaps without a notification: until the next call no notification is wanted. Relaxed: a
        // producer that still sees `true` notifies once for nothing.
        self.0.sleeping.store(false, Relaxed);
    }
    // ANCHOR_END: park
}
