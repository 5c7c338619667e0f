//! A hashed wheel: a ring of lists, one for each tick of 64 ms.
//!
//! ```text
//!   tick % 1024:   0    1    2    3   ...  1023
//!                  |    |         |
//!                  o    o         o          arm and cancel: link and unlink, whatever the number of timers
//!                  |              |
//!                  o              o          a timer more than a round (65 s) away shares a list
//! ```
//!
//! It sorts nothing. The price is precision: all timers of a tick fire together, at its end. No client
//! notices that an idle connection lived 60.03 s.

use super::{Timer, Timers};
use kit::connection_table::Token;

/// The length of a tick in ms.
pub const TICK_MS: u64 = 64;
const SLOTS: usize = 1024;
/// No node.
const NIL: u32 = u32::MAX;

/// Timers in a wheel.
#[derive(Debug)]
pub struct Wheel {
    /// The last tick whose timers have fired.
    tick: u64,
    /// The first node of each slot's list.
    heads: Box<[u32; SLOTS]>,
    /// One bit for each slot that is not empty, to find the next one at a glance.
    occupied: [u64; SLOTS / 64],
    nodes: Vec<Node>,
    /// The first node that is free; they are linked by `next`.
    free: u32,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    key: Token,
    /// The tick at which it fires.
    due: u64,
    next: u32,
    before: u32,
}

impl Wheel {
    /// A wheel that stands at `now`.
    pub fn new(now: u64) -> Self {
        Self {
            tick: now / TICK_MS,
            heads: Box::new([NIL; SLOTS]),
            occupied: [0; SLOTS / 64],
            nodes: Vec::new(),
            free: NIL,
        }
    }

    /// Puts a node at the front of its slot's list.
    fn link(&mut self, index: u32) {
        let slot = slot(self.nodes[index as usize].due);
        let first = std::mem::replace(&mut self.heads[slot], index);
        if first != NIL {
            self.nodes[first as usize].before = index;
        }
        self.nodes[index as usize].next = first;
        self.nodes[index as usize].before = NIL;
        self.occupied[slot / 64] |= 1 << (slot % 64);
    }

    /// Takes a node out of its slot's list and frees it.
    fn unlink(&mut self, index: u32) {
        let Node { due, next, before, .. } = self.nodes[index as usize];
        let slot = slot(due);
        match before {
            NIL => self.heads[slot] = next,
            before => self.nodes[before as usize].next = next,
        }
        if next != NIL {
            self.nodes[next as usize].before = before;
        }
        if self.heads[slot] == NIL {
            self.occupied[slot / 64] &= !(1 << (slot % 64));
        }
        self.nodes[index as usize].next = self.free;
        self.free = index;
    }
}

impl Timers for Wheel {
    fn arm(&mut self, at: u64, key: Token) -> Timer {
        // Rounded up, so that none fires early; the present tick's slot has been looked at already.
        let due = at.div_ceil(TICK_MS).max(self.tick + 1);
        let node = Node { key, due, next: NIL, before: NIL };
        let index = match self.free {
            NIL => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
            free => {
                self.free = self.nodes[free as usize].next;
                self.nodes[free as usize] = node;
                free
            }
        };
        self.link(index);
        Timer { at, id: u64::from(index) }
    }

    fn cancel(&mut self, timer: Timer) {
        self.unlink(timer.id as u32);
    }

    fn next(&mut self) -> Option<u64> {
        let start = slot(self.tick + 1);
        // The word in which the search starts is looked at twice: from the start on, and at last up to it.
        for step in 0..=self.occupied.len() {
            let word = (start / 64 + step) % self.occupied.len();
            let mask = match step {
                0 => u64::MAX << (start % 64),
                _ => u64::MAX,
            };
            let bits = self.occupied[word] & mask;
            if bits != 0 {
                let found = word * 64 + bits.trailing_zeros() as usize;
                let distance = (found + SLOTS - start) % SLOTS;
                return Some((self.tick + 1 + distance as u64) * TICK_MS);
            }
        }
        None
    }

    fn expire(&mut self, now: u64, expired: &mut Vec<Token>) {
        let target = now / TICK_MS;
        // After a sleep of more than a round each slot is looked at once.
        for tick in (self.tick + 1..=target).take(SLOTS) {
            let mut index = self.heads[slot(tick)];
            while index != NIL {
                let Node { key, due, next, .. } = self.nodes[index as usize];
                if due <= target {
                    self.unlink(index);
                    expired.push(key);
                }
                index = next;
            }
        }
        self.tick = self.tick.max(target);
    }
}

fn slot(tick: u64) -> usize {
    (tick % SLOTS as u64) as usize
}
