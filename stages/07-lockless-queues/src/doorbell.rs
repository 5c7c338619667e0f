//! How a consumer sleeps while its ring is empty, and how it is woken: never too late, and without a system
//! call while it is awake.
//!
//! A producer that rang after every push would pay a system call per item; a consumer that never slept would
//! pay a CPU. So the consumer says when it sleeps, and the producer rings only then. The danger is a wake-up
//! lost between the consumer's last look and its sleep. Both sides do the same two things, crosswise:
//!
//! ```text
//!      consumer (sleep_unless)             producer (push, then notify)
//!      -----------------------             ----------------------------
//!      sleeping = true                     push the item
//!      fence                               fence
//!      look at the ring: empty?            look at sleeping: true?
//!        yes: wait for the bell              yes: sleeping = false, ring the bell
//! ```
//!
//! The two fences stand in one order that both threads agree on. Whoever's comes second sees what the other
//! wrote before its own: the producer sees `sleeping`, or the consumer sees the item, or both. Both is
//! harmless: the bell was rung for nobody, and the next wait returns at once (a *spurious* wake-up, so the
//! caller looks at its ring in a loop). Neither would be a hang, and without the fences it may happen, on x86
//! too: a store waits in the core's store buffer while a later load is already answered (Intel SDM, volume 3:
//! "loads may be reordered with older stores to different locations"). Tests on real threads all but never
//! meet it; loom does, in `tests/loom.rs`.
//!
//! Acquire and release are not enough here. They order what came before a store with what comes after a
//! load; what is needed is a store before a *load*. (Dekker's algorithm of 1965 turns on the same point.)

use crate::bell::{Bell, Eventfd, Park, Pipe};
use crate::sync::{Arc, AtomicBool, fence};
use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// What a sleeping consumer waits for (`--wakeup`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Wakeup {
    /// A counter in the kernel: one descriptor, read and written eight bytes at a time. See eventfd(2).
    Eventfd,
    /// A byte through a pipe, as before Linux 2.6.22 and in seed 000's thread pool.
    Pipe,
    /// The thread itself: a futex, no descriptor. See [`std::thread::park`].
    Park,
}

struct Shared {
    sleeping: AtomicBool,
    bell: Box<dyn Bell>,
}

/// The producer's side. Copies ring the same bell, so that a dispatcher and a shutdown can both wake.
#[derive(Clone)]
pub struct Ringer(Arc<Shared>);

/// The consumer's side: one thread sleeps on it.
pub struct Sleeper(Arc<Shared>);

/// A doorbell of the given kind.
///
/// # Errors
///
/// When the kernel has no descriptor left for it.
pub fn doorbell(wakeup: Wakeup) -> io::Result<(Ringer, Sleeper)> {
    Ok(with_bell(match wakeup {
        Wakeup::Eventfd => Box::new(Eventfd::new()?),
        Wakeup::Pipe => Box::new(Pipe::new()?),
        Wakeup::Park => Box::new(Park::default()),
    }))
}

/// A doorbell around any [`Bell`].
pub fn with_bell(bell: Box<dyn Bell>) -> (Ringer, Sleeper) {
    let shared = Arc::new(Shared { sleeping: AtomicBool::new(false), bell });
    (Ringer(shared.clone()), Sleeper(shared))
}

impl Ringer {
    /// Wakes the consumer if it sleeps, or is about to, and has not been rung for yet.
    ///
    /// Call it after the push (or after whatever else `ready` looks at): what was stored before this call is
    /// seen by the consumer. One call covers any number of pushes, so a dispatcher calls it once a batch.
    pub fn notify(&self) {
        // SeqCst: the push above is seen before `sleeping` is looked at. The module says why.
        fence(SeqCst);
        let sleeping = &self.0.sleeping;
        // Most often nobody sleeps: a load sees that without taking the cache line from the consumer, as an
        // exchange would. Relaxed: it decides nothing but whether to exchange.
        //
        // Of several ringers, the one that turns `true` into `false` rings. It is no plain swap, so that
        // `false` is written only by the sleeper itself or by one who then rings: no announcement can be
        // wiped out in silence. Acquire: what `Bell::prepare` left is ours to use.
        if sleeping.load(Relaxed) && sleeping.compare_exchange(true, false, Acquire, Relaxed).is_ok() {
            self.0.bell.ring();
        }
    }
}

impl Sleeper {
    /// Blocks until notified, unless `ready` says that there is something to do.
    ///
    /// It may return early: call it in a loop that looks for work first. `ready` must look at what the
    /// producer stores before it notifies, and must not itself call [`std::thread::park`].
    pub fn sleep_unless(&self, mut ready: impl FnMut() -> bool) {
        self.0.bell.prepare();
        // Release: whoever sees that we sleep can use what `prepare` left. (That is all it is for: the
        // order of this store and the look below is the fence's work.)
        self.0.sleeping.store(true, Release);
        // SeqCst: everyone sees `sleeping` before we look for the last time. The module says why.
        fence(SeqCst);
        if !ready() {
            self.0.bell.wait();
        }
        // Awake, perhaps without having been rung for: until the next call no ring is wanted. Relaxed: a
        // producer that still sees `true` rings once for nothing.
        self.0.sleeping.store(false, Relaxed);
    }
}
