//! The primitives that [`ring`](crate::ring) and [`parker`](crate::parker) stand on: std's, or those of
//! [loom](https://docs.rs/loom) when the crate is built with `--cfg loom`.
//!
//! Loom runs a test once for every order in which its threads could have run and for every value that a
//! load was allowed to return. Both modules name the primitives through this one, so that what the model
//! explores is the code that the server runs, line for line, and no copy of it.

#[cfg(not(loom))]
pub use real::*;
#[cfg(loom)]
pub use {fault::*, model::*};

#[cfg(not(loom))]
mod real {
    pub use std::sync::Arc;
    pub use std::sync::atomic::{AtomicBool, AtomicUsize, fence};

    /// std's `UnsafeCell` behind loom's interface: access by closure, so that loom can see where it begins
    /// and ends.
    #[derive(Debug)]
    pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// A cell that holds `value`.
        pub const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        /// Lends the content for reading.
        #[inline]
        pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Lends the content for writing.
        #[inline]
        pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

/// Loom's primitives, each weakened by the [`Fault`] that a test has asked for.
#[cfg(loom)]
mod model {
    use super::fault::Fault;
    use loom::sync::atomic;
    pub use loom::{cell::UnsafeCell, sync::Arc};
    use std::sync::atomic::Ordering::{self, Acquire, Relaxed, Release};

    fn weak(order: Ordering) -> Ordering {
        match order {
            Acquire if Fault::NoAcquire.is_set() => Relaxed,
            Release if Fault::NoRelease.is_set() => Relaxed,
            order => order,
        }
    }

    /// See [`std::sync::atomic::fence`].
    pub fn fence(order: Ordering) {
        if !Fault::NoFence.is_set() {
            atomic::fence(order);
        }
    }

    /// See [`std::sync::atomic::AtomicUsize`].
    #[derive(Debug)]
    pub struct AtomicUsize(atomic::AtomicUsize);

    impl AtomicUsize {
        /// See [`std::sync::atomic::AtomicUsize::new`].
        pub fn new(value: usize) -> Self {
            Self(atomic::AtomicUsize::new(value))
        }

        /// See [`std::sync::atomic::AtomicUsize::load`].
        pub fn load(&self, order: Ordering) -> usize {
            self.0.load(weak(order))
        }

        /// See [`std::sync::atomic::AtomicUsize::store`].
        pub fn store(&self, value: usize, order: Ordering) {
            self.0.store(value, weak(order));
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
            self.0.load(weak(order))
        }

        /// See [`std::sync::atomic::AtomicBool::store`].
        pub fn store(&self, value: bool, order: Ordering) {
            self.0.store(value, weak(order));
        }

        /// See [`std::sync::atomic::AtomicBool::compare_exchange`].
        pub fn compare_exchange(
            &self,
            old: bool,
            new: bool,
            ok: Ordering,
            err: Ordering,
        ) -> Result<bool, bool> {
            self.0.compare_exchange(old, new, weak(ok), weak(err))
        }
    }
}

/// Faults that the model must find. A checker that has never been seen to fail proves nothing, so the tests
/// break the real code on purpose and demand that loom notices.
#[cfg(loom)]
mod fault {
    use std::cell::Cell;

    /// A fault, injected below the code under test.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Fault {
        /// None.
        None,
        /// `Release` stores are relaxed: a value can be seen before what it announces.
        NoRelease,
        /// `Acquire` loads are relaxed: the same fault from the reader's side.
        NoAcquire,
        /// Fences do nothing: a store may be seen after a later load.
        NoFence,
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
