//! A binary heap: the earliest is on top, and the rest is only as much in order as that needs.
//!
//! To take one out of the middle one must find it first, and a heap cannot search. So a cancelled timer is
//! *marked* and stays until it comes to the top: in a server with short connections and a timeout of a minute
//! nearly all timers would be dead ones, which is why source 003 chose the tree. The answer is to sweep when
//! more than half are dead: a sweep looks at n timers after at least n/2 cancellations, so it costs each of
//! them a constant.

use super::{Timer, Timers};
use kit::connection_table::Token;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

/// Timers in a heap.
#[derive(Debug, Default)]
pub struct Heap {
    /// (time, id, key), the earliest on top.
    heap: BinaryHeap<Reverse<(u64, u64, Token)>>,
    /// The ids of those in the heap that were cancelled.
    dead: HashSet<u64>,
    next_id: u64,
}

impl Heap {
    /// How many it holds, dead ones included.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The earliest that is alive.
    fn top(&mut self) -> Option<(u64, Token)> {
        while let Some(&Reverse((at, id, key))) = self.heap.peek() {
            // Most often none is dead, and the look-up of an id would hash it all the same.
            if self.dead.is_empty() || !self.dead.remove(&id) {
                return Some((at, key));
            }
            self.heap.pop();
        }
        None
    }
}

impl Timers for Heap {
    fn arm(&mut self, at: u64, key: Token) -> Timer {
        let id = self.next_id;
        self.next_id += 1;
        self.heap.push(Reverse((at, id, key)));
        Timer { at, id }
    }

    fn cancel(&mut self, timer: Timer) {
        self.dead.insert(timer.id);
        if self.dead.len() > self.heap.len() / 2 {
            let dead = &mut self.dead;
            self.heap.retain(|Reverse((_, id, _))| !dead.remove(id));
        }
    }

    fn next(&mut self) -> Option<u64> {
        self.top().map(|(at, _)| at)
    }

    fn expire(&mut self, now: u64, expired: &mut Vec<Token>) {
        while let Some((at, key)) = self.top()
            && at <= now
        {
            self.heap.pop();
            expired.push(key);
        }
    }
}
