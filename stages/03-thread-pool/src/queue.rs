//! One locked queue: any number of senders and receivers.
//!
//! The textbook's producer and consumer: a mutex for the items, a condition variable to sleep on while there
//! is nothing to take, another while there is no room. It closes when the last half of either side is
//! dropped, so the threads of a pool end when the loop that feeds them ends, without a flag of their own.
//!
//! ```
//! let (sender, receiver) = thread_pool::queue::queue(2);
//! let worker = std::thread::spawn(move || std::iter::from_fn(|| receiver.recv()).sum::<i32>());
//! (1..=10).for_each(|item| sender.send(item).expect("the worker takes them"));
//! drop(sender); // The queue is closed: the worker takes what is left, and ends.
//! assert_eq!(worker.join().unwrap(), 55);
//! ```

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;

struct Queue<T> {
    state: Mutex<QueueState<T>>,
    not_empty: Condvar,
    not_full: Condvar,
}

struct QueueState<T> {
    items: VecDeque<T>,
    max: usize,
    senders: usize,
    receivers: usize,
}

/// The half that puts items in.
pub struct Sender<T>(Arc<Queue<T>>);

/// The half that takes items out.
pub struct Receiver<T>(Arc<Queue<T>>);

/// A queue of at most `max` items.
pub fn queue<T>(max: usize) -> (Sender<T>, Receiver<T>) {
    let state = QueueState { items: VecDeque::new(), max, senders: 1, receivers: 1 };
    let (not_empty, not_full) = (Condvar::new(), Condvar::new());
    let shared = Arc::new(Queue { state: Mutex::new(state), not_empty, not_full });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Sender<T> {
    /// Puts an item in, waiting for room.
    ///
    /// # Errors
    /// Returns the item when no receiver is left.
    pub fn send(&self, item: T) -> Result<(), T> {
        let mut state = self.0.state.lock();
        // A loop, since a woken thread may find that another was quicker.
        while state.items.len() >= state.max && state.receivers > 0 {
            self.0.not_full.wait(&mut state);
        }
        if state.receivers == 0 {
            return Err(item);
        }
        state.items.push_back(item);
        // Unlocked first, so that the woken thread does not block on the lock at once.
        drop(state);
        self.0.not_empty.notify_one();
        Ok(())
    }
}

impl<T> Receiver<T> {
    // ANCHOR: recv
    /// Takes an item out, waiting for one; `None` when the queue is empty and no sender is left.
    pub fn recv(&self) -> Option<T> {
        let mut state = self.0.state.lock();
        while state.items.is_empty() && state.senders > 0 {
            self.0.not_empty.wait(&mut state);
        }
        let item = state.items.pop_front();
        drop(state);
        self.0.not_full.notify_one();
        item
    }
    // ANCHOR_END: recv
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.state.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.0.state.lock().receivers += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.state.lock().senders -= 1;
        self.0.not_empty.notify_all();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.state.lock().receivers -= 1;
        self.0.not_full.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::{JoinHandle, scope, sleep, spawn};
    use std::time::{Duration, Instant};

    /// What a thread returns. A lost wake-up must be a failure and not a test that never ends, and the limit
    /// is far more than anything here takes.
    fn returned<T>(thread: JoinHandle<T>) -> T {
        let begun = Instant::now();
        while !thread.is_finished() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it waits on");
            sleep(Duration::from_micros(100));
        }
        thread.join().expect("no panic")
    }

    #[test]
    fn every_item_is_taken_once_by_one_of_many_receivers() {
        let (sender, receiver) = queue(3);
        let mut taken = scope(|threads| {
            for part in 0..4 {
                let sender = sender.clone();
                threads.spawn(move || {
                    (0..1000).for_each(|i| sender.send(part * 1000 + i).expect("receivers are there"))
                });
            }
            drop(sender);
            let takers: Vec<_> = (0..3)
                .map(|_| {
                    let receiver = receiver.clone();
                    threads.spawn(move || std::iter::from_fn(|| receiver.recv()).collect::<Vec<_>>())
                })
                .collect();
            takers.into_iter().flat_map(|taker| taker.join().expect("no panic")).collect::<Vec<i32>>()
        });
        taken.sort_unstable();
        assert_eq!(taken, (0..4000).collect::<Vec<_>>());
    }

    /// Protects a pool from workers that end because they were woken in vain: here by a sender that leaves
    /// while another one is there.
    #[test]
    fn a_receiver_that_is_woken_in_vain_goes_on_waiting() {
        let (sender, receiver) = queue(1);
        let other = sender.clone();
        let waiting = spawn(move || receiver.recv());
        // Most likely it sleeps by now. If not, this test shows less, and a right queue passes all the same.
        sleep(Duration::from_millis(50));
        drop(other);
        sleep(Duration::from_millis(50));
        sender.send(1).expect("the receiver is there");
        assert_eq!(returned(waiting), Some(1));
    }

    /// Protects a pool from jobs that wait while workers sleep: each of two items that are sent in one go
    /// wakes a receiver, for the first one may be busy for long.
    #[test]
    fn each_of_two_items_wakes_a_receiver_of_its_own() {
        for round in 0..500 {
            let (sender, receiver) = queue(2);
            // Each takes one item and is busy from then on.
            let waiting = [receiver.clone(), receiver].map(|receiver| {
                spawn(move || {
                    let item = receiver.recv();
                    (item, receiver)
                })
            });
            std::thread::yield_now();
            for item in [1, 2] {
                sender.send(item).expect("the receivers are there");
            }
            for thread in waiting {
                let (item, _receiver) = returned(thread);
                assert!(matches!(item, Some(1 | 2)), "round {round}: {item:?}");
            }
        }
    }

    #[test]
    fn what_was_sent_before_the_last_sender_left_is_still_taken() {
        let (sender, receiver) = queue(2);
        sender.send(1).expect("a receiver is there");
        drop(sender);
        assert_eq!((receiver.recv(), receiver.recv()), (Some(1), None));
    }

    #[test]
    fn a_sender_that_waits_for_room_gets_its_item_back_when_the_last_receiver_leaves() {
        let (sender, receiver) = queue(1);
        sender.send(1).expect("a receiver is there");
        let waiting = spawn(move || sender.send(2));
        drop(receiver);
        assert_eq!(waiting.join().expect("no panic"), Err(2));
    }
}
