//! Connections by descriptor number.
//!
//! The kernel always assigns the lowest free number, so an array indexed by it stays dense and a look-up is
//! one load (a hash map took 15 ns more). But a number is used again at once: an event that was fetched for
//! an old connection may arrive after a new one took its number. So each token carries a *generation*:
//!
//! ```text
//!   token = generation << 32 | descriptor
//! ```
//!
//! and an event whose generation is not the slot's is for a connection that is gone.
//!
//! ```
//! use kit::connection_table::ConnectionTable;
//! use std::os::fd::AsFd;
//!
//! let (mut table, fd) = (ConnectionTable::new(), std::io::stdin());
//! let old = table.token(fd.as_fd());
//! table.insert(old, "the first connection");
//! table.remove(old);
//! let new = table.token(fd.as_fd());
//! table.insert(new, "the second, which was given the same descriptor number");
//! assert_eq!(table.get_mut(old), None, "an event that was fetched for the first");
//! ```

use std::os::fd::{AsRawFd, BorrowedFd};

/// What epoll returns with an event (`epoll_data_t`).
pub type Token = u64;

/// The token of the listening socket. No connection has one of these two: descriptor numbers do not reach
/// this far.
pub const LISTENER: Token = Token::MAX;
/// The token of the event that the server must stop.
pub const SHUTDOWN: Token = Token::MAX - 1;

/// Values by descriptor number.
#[derive(Debug)]
pub struct ConnectionTable<T> {
    slots: Vec<Slot<T>>,
    len: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> ConnectionTable<T> {
    /// An empty table.
    pub const fn new() -> Self {
        Self { slots: Vec::new(), len: 0 }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The token that the next value inserted for `fd` will have.
    pub fn token(&self, fd: BorrowedFd<'_>) -> Token {
        self.token_of(fd.as_raw_fd() as usize)
    }

    /// As [`ConnectionTable::token`], for a value that is known by a small number of another kind.
    pub fn token_of(&self, number: usize) -> Token {
        let generation = self.slots.get(number).map_or(0, |slot| slot.generation);
        Token::from(generation.wrapping_add(1)) << 32 | number as Token
    }

    /// Stores the value of `token`, in place of one that may still be there.
    pub fn insert(&mut self, token: Token, value: T) {
        let index = index(token);
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, || Slot { generation: 0, value: None });
        }
        let slot = &mut self.slots[index];
        slot.generation = generation(token);
        self.len += usize::from(slot.value.replace(value).is_none());
    }

    // ANCHOR: get-mut
    /// The value of `token`, unless it is gone.
    pub fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        let slot = self.slots.get_mut(index(token))?;
        if slot.generation == generation(token) { slot.value.as_mut() } else { None }
    }
    // ANCHOR_END: get-mut

    /// Takes the value of `token` out.
    pub fn remove(&mut self, token: Token) -> Option<T> {
        let slot = self.slots.get_mut(index(token)).filter(|slot| slot.generation == generation(token))?;
        let value = slot.value.take();
        self.len -= usize::from(value.is_some());
        value
    }

    /// The tokens of all the values, in the order of their descriptors.
    pub fn tokens(&self) -> Vec<Token> {
        self.select(|_| true)
    }

    /// The tokens of the values that `wanted` picks.
    pub fn select(&self, mut wanted: impl FnMut(&T) -> bool) -> Vec<Token> {
        let slots = self.slots.iter().enumerate();
        slots
            .filter(|(_, slot)| slot.value.as_ref().is_some_and(&mut wanted))
            .map(|(number, slot)| Token::from(slot.generation) << 32 | number as Token)
            .collect()
    }
}

impl<T> Default for ConnectionTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

fn index(token: Token) -> usize {
    (token & 0xffff_ffff) as usize
}

fn generation(token: Token) -> u32 {
    (token >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::stdin;
    use std::os::fd::AsFd;

    #[test]
    fn an_event_for_a_closed_connection_finds_nothing_after_its_number_was_reused() {
        let mut table = ConnectionTable::new();
        let fd = stdin();
        let old = table.token(fd.as_fd());
        table.insert(old, "old");
        assert_eq!(table.remove(old), Some("old"));
        let new = table.token(fd.as_fd());
        table.insert(new, "new");
        assert_eq!(table.get_mut(old), None);
        assert_eq!(table.remove(old), None);
        assert_eq!(table.get_mut(new), Some(&mut "new"));
        assert_eq!((table.len(), table.tokens()), (1, vec![new]));
    }
}
