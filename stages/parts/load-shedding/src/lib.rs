//! A queue that decides which requests are served when more come than can be.
//!
//! Beyond its peak a server cannot answer everybody, and what it can choose is whom. A client waits for so
//! long and then gives up; work for one that has given up is lost. With a queue that only grows every
//! request waits longer than that, so the server works all the time and nobody gets an answer (*congestion
//! collapse*).
//!
//! ```text
//!   unbounded    in --> [ . . . . . . . . . ] --> the oldest             waits without end
//!   bounded:N    in --> [ . . . N ] --> the oldest      full: refused    waits N requests at most
//!   lifo         in --> [ . . . . . . . . . ]           the newest first; the old ones are lost
//!                   \-->
//!   by-age:MS    in --> [ . . . . . . . . . ] --> the oldest             refused if it has waited longer
//! ```
//!
//! ```
//! use load_shedding::{Policy, queue};
//!
//! let (sender, receiver) = queue(Policy::Bounded(1));
//! assert_eq!(sender.send("first"), Ok(()));
//! assert_eq!(sender.send("second"), Err("second"), "it is full: refuse it");
//! assert_eq!(receiver.recv().map(|taken| taken.item), Some("first"));
//! ```

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Whom a queue serves, and whom it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The oldest first, however many wait.
    Unbounded,
    /// The oldest first; while so many wait, the next one is refused (tail drop).
    Bounded(usize),
    /// The newest first, however many wait.
    Lifo,
    /// The oldest first; one that has waited longer than this is refused when its turn comes.
    ByAge(Duration),
}

impl FromStr for Policy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const ALLOWED: &str =
            "expected unbounded, bounded:N (N from 1 to 1048576), lifo, or by-age:MS (MS from 1 to 60000)";
        let number = |digits: &str, max: u64| match digits.parse::<u64>() {
            Ok(number) if (1..=max).contains(&number) => Ok(number),
            _ => Err(ALLOWED),
        };
        match text.split_once(':') {
            None if text == "unbounded" => Ok(Self::Unbounded),
            None if text == "lifo" => Ok(Self::Lifo),
            Some(("bounded", limit)) => Ok(Self::Bounded(number(limit, 1 << 20)? as usize)),
            Some(("by-age", ms)) => Ok(Self::ByAge(Duration::from_millis(number(ms, 60_000)?))),
            _ => Err(ALLOWED),
        }
    }
}

/// The half that puts items in. The queue closes when it is dropped.
#[derive(Debug)]
pub struct Sender<T>(Arc<Queue<T>>);

/// The half that takes items out; any number of threads may have one.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Queue<T>>);

/// An item whose turn has come.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken<T> {
    /// The item.
    pub item: T,
    /// It has waited too long: refuse it, since its client has given up or soon will.
    pub is_late: bool,
}

#[derive(Debug)]
struct Queue<T> {
    policy: Policy,
    state: Mutex<State<T>>,
    not_empty: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// Each with the time at which it came, the oldest at the front.
    items: VecDeque<(Instant, T)>,
    closed: bool,
}

/// A queue with one sender.
pub fn queue<T>(policy: Policy) -> (Sender<T>, Receiver<T>) {
    let state = Mutex::new(State { items: VecDeque::new(), closed: false });
    let queue = Arc::new(Queue { policy, state, not_empty: Condvar::new() });
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

impl<T> Sender<T> {
    // ANCHOR: send
    /// Puts an item in, and never waits.
    ///
    /// # Errors
    /// Returns the item when the queue is full: refuse it.
    pub fn send(&self, item: T) -> Result<(), T> {
        let mut state = self.0.state.lock();
        if matches!(self.0.policy, Policy::Bounded(limit) if state.items.len() >= limit) {
            return Err(item);
        }
        state.items.push_back((Instant::now(), item));
        // Unlocked first, so that the woken thread does not block on the lock at once.
        drop(state);
        self.0.not_empty.notify_one();
        Ok(())
    }
    // ANCHOR_END: send
}

impl<T> Receiver<T> {
    // ANCHOR: recv
    /// Takes an item out, sleeping until there is one; `None` when the queue is closed and empty.
    pub fn recv(&self) -> Option<Taken<T>> {
        let mut state = self.0.state.lock();
        while state.items.is_empty() && !state.closed {
            self.0.not_empty.wait(&mut state);
        }
        let (came, item) = match self.0.policy {
            Policy::Lifo => state.items.pop_back()?,
            _ => state.items.pop_front()?,
        };
        let is_late = matches!(self.0.policy, Policy::ByAge(max) if came.elapsed() > max);
        Some(Taken { item, is_late })
    }
    // ANCHOR_END: recv
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.state.lock().closed = true;
        self.0.not_empty.notify_all();
    }
}
