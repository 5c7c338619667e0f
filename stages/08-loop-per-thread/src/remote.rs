//! Work for a loop, from other threads: muduo's `runInLoop` and `queueInLoop`.
//!
//! ```text
//!   any thread                                        the loop's thread
//!   queue_in_loop: lock, push, unlock                 epoll_wait ... returns
//!                  was empty? write the eventfd ----> swap the queue for an empty one, under the lock
//!                                                     run the tasks, without the lock
//! ```
//!
//! muduo asks at run time on which thread it is: `runInLoop` calls the functor at once on the loop's own
//! thread and queues it on any other. Here the types know: only the loop's own thread can hold `&mut` to it,
//! and so can *run* a task ([`crate::event_loop::EventLoop::run_in_loop`]); every other thread has a
//! [`Remote`] and can only *queue*. A task that must not run before the present one is over is queued through
//! a `Remote` on the loop's own thread, too.

use nix::sys::eventfd::{EfdFlags, EventFd};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

/// Something to do with the loop `T`, on its thread.
pub type Task<T> = Box<dyn FnOnce(&mut T) + Send>;

/// A loop's queue, as other threads see it.
pub struct Remote<T> {
    queue: Arc<QueueState<T>>,
}

/// A loop's queue, as the loop sees it.
pub struct Pending<T> {
    queue: Arc<QueueState<T>>,
}

/// The tasks that wait, and what wakes the loop for them.
struct QueueState<T> {
    tasks: Mutex<Vec<Task<T>>>,
    event: EventFd,
}

impl<T> Remote<T> {
    // ANCHOR: queue
    /// Runs `task` on the loop's thread, after the tasks that were queued before it.
    pub fn queue_in_loop(&self, task: impl FnOnce(&mut T) + Send + 'static) {
        let mut tasks = self.queue.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = tasks.is_empty();
        tasks.push(Box::new(task));
        drop(tasks);
        // Where a task is waiting, a wake-up is on its way: the loop has not taken the queue since. So a
        // burst costs one write. A loop that queues for itself needs it no less: it would sleep on its own
        // task.
        if was_empty {
            // It blocks only when the counter would pass 2^64 - 2.
            self.queue.event.write(1).expect("an eventfd takes a write");
        }
    }
    // ANCHOR_END: queue
}

impl<T> Clone for Remote<T> {
    fn clone(&self) -> Self {
        Self { queue: Arc::clone(&self.queue) }
    }
}

impl<T> Pending<T> {
    /// An empty queue.
    ///
    /// # Errors
    /// When descriptors run out.
    pub fn new() -> nix::Result<Self> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self { queue: Arc::new(QueueState { tasks: Mutex::new(Vec::new()), event }) })
    }

    /// A way for other threads to put something into the queue.
    pub fn remote(&self) -> Remote<T> {
        Remote { queue: Arc::clone(&self.queue) }
    }

    // ANCHOR: take
    /// Takes all tasks, to run them in this order. To be called after each wake-up, and not before it: a task
    /// that is queued from here on finds the queue empty, so it wakes the loop again.
    pub fn take(&mut self) -> Vec<Task<T>> {
        // Only the swap is under the lock: a task may queue another one, and may take long.
        std::mem::take(&mut *self.queue.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }
    // ANCHOR_END: take
}

impl<T> AsFd for Pending<T> {
    /// What to watch, *edge-triggered*: each write is then one event, and the counter never has to be read.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.event.as_fd()
    }
}
