//! Fibers: a stack for each task, and no `.await`.
//!
//! A future keeps what it needs across an `.await` in a state machine of the size that the compiler computes.
//! A fiber keeps everything, on a stack of its own: any function that it calls may wait, and need not say so
//! in its type. What it costs is the stack, and that nobody sees where a function may give way.
//!
//! A fiber waits for the same futures, on the same reactor: [`Fiber`] is a future itself, so that the
//! executor polls it as any other, and [`Waits::wait`] polls a future on the fiber's stack and switches back
//! to the executor's stack while it is pending. The switch is `corosensei`'s: it saves the registers that a
//! call must preserve, and changes the stack pointer.

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// The size of a stack. The kernel gives memory only to pages that are touched; below it lies one that must
/// not be.
const STACK: usize = 64 * 1024;

/// A function on a stack of its own.
pub struct Fiber(Coroutine<Waker, (), ()>);

/// How a fiber waits.
pub struct Waits<'fiber> {
    yielder: &'fiber Yielder<Waker, ()>,
    /// Whom a future that is pending wakes: what the executor has polled the fiber with.
    waker: RefCell<Waker>,
}

impl Fiber {
    /// A fiber that runs `body`, from the first poll on.
    ///
    /// # Errors
    /// When there is no memory for its stack (mmap(2)).
    pub fn new(body: impl FnOnce(&Waits<'_>) + 'static) -> io::Result<Self> {
        let stack = DefaultStack::new(STACK)?;
        Ok(Self(Coroutine::with_stack(stack, move |yielder, waker| {
            body(&Waits { yielder, waker: RefCell::new(waker) });
        })))
    }
}

// ANCHOR: fiber
impl Future for Fiber {
    type Output = ();

    /// Switches to the fiber's stack, until it waits or ends.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.0.resume(context.waker().clone()) {
            CoroutineResult::Yield(()) => Poll::Pending,
            CoroutineResult::Return(()) => Poll::Ready(()),
        }
    }
}

impl Waits<'_> {
    /// What `future` returns. Until then the fiber's stack rests, and the executor runs others.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        loop {
            let polled = future.as_mut().poll(&mut Context::from_waker(&self.waker.borrow()));
            match polled {
                Poll::Ready(value) => return value,
                Poll::Pending => *self.waker.borrow_mut() = self.yielder.suspend(()),
            }
        }
    }
}
// ANCHOR_END: fiber
