//! The primitives that [`wake`](crate::wake) stands on: std's, or those of [loom](https://docs.rs/loom) when
//! the crate is built with `--cfg loom`, as in stage 07.

#[cfg(not(loom))]
pub use real::*;
#[cfg(loom)]
pub use {fault::*, model::*};

#[cfg(not(loom))]
mod real {
    pub use parking_lot::Mutex;
    pub use std::sync::atomic::AtomicBool;
}

/// Loom's primitives, with the interface of those above, each broken by the [`Fault`] that a test asks for.
#[cfg(loom)]
mod model {
    use super::fault::Fault;
    use loom::sync::atomic;
    use std::sync::atomic::Ordering::{self, Relaxed, Release};

    /// See [`parking_lot::Mutex`].
    #[derive(Debug)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// See [`parking_lot::Mutex::new`].
        pub fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        /// See [`parking_lot::Mutex::lock`].
        pub fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("no thread of the model panics")
        }
    }

    /// See [`std::sync::atomic::AtomicBool`].
    #[derive(Debug)]
    pub struct AtomicBool(atomic::AtomicBool);

    impl AtomicBool {
        /// See [`std::sync::atomic::AtomicBool::new`].
        pub fn new(value: bool) -> Self {
            Self(atomic::AtomicBool::new(value))
        }

        /// See [`std::sync::atomic::AtomicBool::load`].
        pub fn load(&self, order: Ordering) -> bool {
            self.0.load(order)
        }

        /// See [`std::sync::atomic::AtomicBool::store`].
        pub fn store(&self, value: bool, order: Ordering) {
            self.0.store(value, order);
        }

        /// See [`std::sync::atomic::AtomicBool::swap`].
        pub fn swap(&self, value: bool, order: Ordering) -> bool {
            if Fault::StoresForSwaps.is_set() && !value {
                let old = self.0.load(Relaxed);
                self.0.store(value, Release);
                return old;
            }
            let order = if Fault::RelaxedSwaps.is_set() { Relaxed } else { order };
            let old = self.0.swap(value, order);
            old && !Fault::BlindSwaps.is_set()
        }
    }
}

/// Faults that the model must find: a checker that has never been seen to fail proves nothing.
#[cfg(loom)]
mod fault {
    use std::cell::Cell;

    /// A fault, injected below the code under test.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Fault {
        /// None.
        None,
        /// A task is marked as not queued by a plain store: what a waker did that found it queued need not be
        /// seen by the poll.
        StoresForSwaps,
        /// The exchanges order nothing.
        RelaxedSwaps,
        /// A waker does not learn that the task is queued already, and queues it twice.
        BlindSwaps,
    }

    thread_local! {
        /// Loom runs all threads of a model on the thread that started it, so tests do not disturb each
        /// other.
        static CURRENT: Cell<Fault> = const { Cell::new(Fault::None) };
    }

    impl Fault {
        /// Injects this fault into all that this thread models from now on.
        pub fn inject(self) {
            CURRENT.set(self);
        }

        pub(super) fn is_set(self) -> bool {
            CURRENT.get() == self
        }
    }
}
