//! A balanced tree in the order of the times: what source 003 chose, as a multimap.
//!
//! Two timers may fire in the same millisecond, and a map has each key once. So the key is the time *and* a
//! number that is never used twice; it is also what cancelling needs to find the one that is meant.

use super::{Timer, Timers};
use kit::connection_table::Token;
use std::collections::BTreeMap;

/// Timers in a tree.
#[derive(Debug, Default)]
pub struct Tree {
    by_time: BTreeMap<(u64, u64), Token>,
    next_id: u64,
}

impl Timers for Tree {
    fn arm(&mut self, at: u64, key: Token) -> Timer {
        let id = self.next_id;
        self.next_id += 1;
        self.by_time.insert((at, id), key);
        Timer { at, id }
    }

    fn cancel(&mut self, timer: Timer) {
        self.by_time.remove(&(timer.at, timer.id));
    }

    fn next(&mut self) -> Option<u64> {
        self.by_time.first_key_value().map(|(&(at, _), _)| at)
    }

    fn expire(&mut self, now: u64, expired: &mut Vec<Token>) {
        while let Some(first) = self.by_time.first_entry()
            && first.key().0 <= now
        {
            expired.push(first.remove());
        }
    }
}
