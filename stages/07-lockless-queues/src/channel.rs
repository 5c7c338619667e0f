//! A channel from the dispatcher to one worker: a queue of one of three kinds (`--queue`), and a [`Parker`]
//! on which the worker sleeps while the queue is empty.
//!
//! All kinds are bounded and never block the sender.

use crate::parker::{Parker, Unparker, Wakeup, parker};
use crate::ring::{Consumer, Producer, ring};
use crossbeam::queue::ArrayQueue;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};

/// What a channel keeps its items in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `VecDeque` behind a mutex.
    Mutex,
    /// crossbeam's `ArrayQueue`: any number of producers and consumers.
    Crossbeam,
    /// This stage's own ring.
    Ring,
}

/// The dispatcher's end.
pub struct Sender<T> {
    queue: PushHalf<T>,
    unparker: Unparker,
    closed: Arc<AtomicBool>,
}

/// The worker's end.
pub struct Receiver<T> {
    queue: PopHalf<T>,
    parker: Parker,
    closed: Arc<AtomicBool>,
}

enum PushHalf<T> {
    Mutex(Arc<Mutex<VecDeque<T>>>, usize),
    Crossbeam(Arc<ArrayQueue<T>>),
    Ring(Producer<T>),
}

enum PopHalf<T> {
    Mutex(Arc<Mutex<VecDeque<T>>>),
    Crossbeam(Arc<ArrayQueue<T>>),
    Ring(Consumer<T>),
}

/// A channel for `capacity` items.
///
/// # Errors
/// When the descriptor that the worker waits on cannot be made.
pub fn channel<T>(kind: Kind, capacity: usize, wakeup: Wakeup) -> io::Result<(Sender<T>, Receiver<T>)> {
    let (push, pop) = match kind {
        Kind::Mutex => {
            let items = Arc::new(Mutex::new(VecDeque::with_capacity(capacity)));
            (PushHalf::Mutex(Arc::clone(&items), capacity), PopHalf::Mutex(items))
        }
        Kind::Crossbeam => {
            let items = Arc::new(ArrayQueue::new(capacity));
            (PushHalf::Crossbeam(Arc::clone(&items)), PopHalf::Crossbeam(items))
        }
        Kind::Ring => {
            let (producer, consumer) = ring(capacity);
            (PushHalf::Ring(producer), PopHalf::Ring(consumer))
        }
    };
    let (unparker, parker) = parker(wakeup)?;
    let closed = Arc::new(AtomicBool::new(false));
    let sender = Sender { queue: push, unparker, closed: Arc::clone(&closed) };
    Ok((sender, Receiver { queue: pop, parker, closed }))
}

impl<T> Sender<T> {
    /// Puts an item in, and wakes the worker if it sleeps.
    ///
    /// # Errors
    /// Returns the item when the queue is full.
    pub fn send(&mut self, item: T) -> Result<(), T> {
        match &mut self.queue {
            PushHalf::Mutex(items, capacity) => {
                let mut items = items.lock();
                if items.len() >= *capacity {
                    return Err(item);
                }
                items.push_back(item);
            }
            PushHalf::Crossbeam(items) => items.push(item)?,
            PushHalf::Ring(producer) => producer.push(item)?,
        }
        self.unparker.unpark();
        Ok(())
    }
}

impl<T> Drop for Sender<T> {
    /// Closes the channel: the worker takes what is left, and ends.
    fn drop(&mut self) {
        // Release: a worker that sees the flag sees all that was sent before it.
        self.closed.store(true, Release);
        self.unparker.unpark();
    }
}

impl<T> Receiver<T> {
    // ANCHOR: recv
    /// Takes an item out, sleeping until there is one; `None` when the channel is closed and empty.
    pub fn recv(&mut self) -> Option<T> {
        loop {
            // The flag is read first: if it is set, the queue already holds everything that was sent.
            let closed = self.closed.load(Acquire);
            match self.queue.pop() {
                Some(item) => return Some(item),
                None if closed => return None,
                None => self.parker.park_unless(|| !self.queue.is_empty() || self.closed.load(Acquire)),
            }
        }
    }
    // ANCHOR_END: recv
}

impl<T> PopHalf<T> {
    fn pop(&mut self) -> Option<T> {
        match self {
            PopHalf::Mutex(items) => items.lock().pop_front(),
            PopHalf::Crossbeam(items) => items.pop(),
            PopHalf::Ring(consumer) => consumer.pop(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            PopHalf::Mutex(items) => items.lock().is_empty(),
            PopHalf::Crossbeam(items) => items.is_empty(),
            PopHalf::Ring(consumer) => consumer.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::spawn;

    #[test]
    fn every_kind_delivers_in_order_returns_what_does_not_fit_and_ends_when_closed() {
        for kind in [Kind::Mutex, Kind::Crossbeam, Kind::Ring] {
            for wakeup in [Wakeup::Eventfd, Wakeup::Pipe, Wakeup::Park] {
                let (mut sender, mut receiver) = channel(kind, 2, wakeup).expect("a descriptor is free");
                assert_eq!((sender.send(0), sender.send(1), sender.send(9)), (Ok(()), Ok(()), Err(9)));
                let worker = spawn(move || std::iter::from_fn(|| receiver.recv()).collect::<Vec<_>>());
                for item in 2..1000 {
                    while sender.send(item).is_err() {
                        std::thread::yield_now();
                    }
                }
                drop(sender);
                assert_eq!(
                    worker.join().expect("no panic"),
                    (0..1000).collect::<Vec<_>>(),
                    "{kind:?} {wakeup:?}"
                );
            }
        }
    }
}
