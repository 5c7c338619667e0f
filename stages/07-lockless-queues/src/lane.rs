//! A worker's queue, in one of three kinds: what `--queue` puts in the ring's place.
//!
//! All are bounded, never block the sender, and let the worker sleep on a doorbell while there is nothing to take.

use crate::doorbell::{Ringer, Sleeper, Wakeup, doorbell};
use crate::ring::{Consumer, Producer, ring};
use crossbeam::queue::ArrayQueue;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};

/// What a lane is made of.
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
pub struct Lane<T> {
    tail: Tail<T>,
    ringer: Ringer,
    closed: Arc<AtomicBool>,
}

/// The worker's end.
pub struct Post<T> {
    head: Head<T>,
    sleeper: Sleeper,
    closed: Arc<AtomicBool>,
}

enum Tail<T> {
    Mutex(Arc<Mutex<VecDeque<T>>>, usize),
    Crossbeam(Arc<ArrayQueue<T>>),
    Ring(Producer<T>),
}

enum Head<T> {
    Mutex(Arc<Mutex<VecDeque<T>>>),
    Crossbeam(Arc<ArrayQueue<T>>),
    Ring(Consumer<T>),
}

/// A lane for `capacity` items.
///
/// # Errors
/// When the doorbell's descriptor cannot be made.
pub fn lane<T>(kind: Kind, capacity: usize, wakeup: Wakeup) -> io::Result<(Lane<T>, Post<T>)> {
    let (tail, head) = match kind {
        Kind::Mutex => {
            let items = Arc::new(Mutex::new(VecDeque::with_capacity(capacity)));
            (Tail::Mutex(Arc::clone(&items), capacity), Head::Mutex(items))
        }
        Kind::Crossbeam => {
            let items = Arc::new(ArrayQueue::new(capacity));
            (Tail::Crossbeam(Arc::clone(&items)), Head::Crossbeam(items))
        }
        Kind::Ring => {
            let (producer, consumer) = ring(capacity);
            (Tail::Ring(producer), Head::Ring(consumer))
        }
    };
    let (ringer, sleeper) = doorbell(wakeup)?;
    let closed = Arc::new(AtomicBool::new(false));
    Ok((Lane { tail, ringer, closed: Arc::clone(&closed) }, Post { head, sleeper, closed }))
}

impl<T> Lane<T> {
    /// Puts an item in, and wakes the worker if it sleeps.
    ///
    /// # Errors
    /// Gives the item back when the lane is full.
    pub fn send(&mut self, item: T) -> Result<(), T> {
        match &mut self.tail {
            Tail::Mutex(items, capacity) => {
                let mut items = items.lock();
                if items.len() >= *capacity {
                    return Err(item);
                }
                items.push_back(item);
            }
            Tail::Crossbeam(items) => items.push(item)?,
            Tail::Ring(producer) => producer.push(item)?,
        }
        self.ringer.notify();
        Ok(())
    }
}

impl<T> Drop for Lane<T> {
    /// Closes the lane: the worker takes what is left, and ends.
    fn drop(&mut self) {
        // Release: who sees the flag sees all that was sent before it.
        self.closed.store(true, Release);
        self.ringer.notify();
    }
}

impl<T> Post<T> {
    /// Takes an item out, sleeping until there is one; `None` when the lane is closed and empty.
    pub fn recv(&mut self) -> Option<T> {
        loop {
            // The flag first: if it is set, what is taken after it is all there will ever be.
            let closed = self.closed.load(Acquire);
            match self.head.take() {
                Some(item) => return Some(item),
                None if closed => return None,
                None => self.sleeper.sleep_unless(|| !self.head.is_empty() || self.closed.load(Acquire)),
            }
        }
    }
}

impl<T> Head<T> {
    fn take(&mut self) -> Option<T> {
        match self {
            Head::Mutex(items) => items.lock().pop_front(),
            Head::Crossbeam(items) => items.pop(),
            Head::Ring(consumer) => consumer.pop(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Head::Mutex(items) => items.lock().is_empty(),
            Head::Crossbeam(items) => items.is_empty(),
            Head::Ring(consumer) => consumer.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::spawn;

    #[test]
    fn every_kind_delivers_in_order_gives_back_what_does_not_fit_and_ends_when_closed() {
        for kind in [Kind::Mutex, Kind::Crossbeam, Kind::Ring] {
            for wakeup in [Wakeup::Eventfd, Wakeup::Pipe, Wakeup::Park] {
                let (mut lane, mut post) = lane(kind, 2, wakeup).expect("a descriptor is free");
                assert_eq!((lane.send(0), lane.send(1), lane.send(9)), (Ok(()), Ok(()), Err(9)));
                let worker = spawn(move || std::iter::from_fn(|| post.recv()).collect::<Vec<_>>());
                for item in 2..1000 {
                    while lane.send(item).is_err() {
                        std::thread::yield_now();
                    }
                }
                drop(lane);
                assert_eq!(
                    worker.join().expect("no panic"),
                    (0..1000).collect::<Vec<_>>(),
                    "{kind:?} {wakeup:?}"
                );
            }
        }
    }
}
