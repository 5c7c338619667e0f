//! What has arrived and waits until a send is over.
//!
//! Kept in pieces of one size and given back piece by piece: one vector that grows would be copied each time it doubles, and
//! would leave holes in the heap that nobody can use.

use std::collections::VecDeque;

/// Small arrivals share a piece of this size.
const PIECE: usize = 8 * 1024;

/// Bytes in the order in which they arrived.
#[derive(Default)]
pub struct Aside {
    pieces: VecDeque<Vec<u8>>,
    len: usize,
}

impl Aside {
    /// Adds what has arrived.
    pub fn put(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        match self.pieces.back_mut() {
            Some(last) if last.capacity() - last.len() >= bytes.len() => last.extend_from_slice(bytes),
            _ => {
                let mut piece = Vec::with_capacity(PIECE.max(bytes.len()));
                piece.extend_from_slice(bytes);
                self.pieces.push_back(piece);
            }
        }
    }

    /// Takes the first piece out.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let piece = self.pieces.pop_front()?;
        self.len -= piece.len();
        if self.is_empty() {
            // An idle connection keeps no memory.
            self.pieces = VecDeque::new();
        }
        Some(piece)
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_taken_in_order_and_small_arrivals_share_memory() {
        for size in [1, 100, PIECE - 1, PIECE, PIECE + 1] {
            let all: Vec<u8> = (0..5 * PIECE).map(|i| (i % 251) as u8).collect();
            let mut aside = Aside::default();
            all.chunks(size).for_each(|bytes| aside.put(bytes));
            assert_eq!(aside.len(), all.len());
            assert!(aside.pieces.len() <= 10, "{} pieces of {size}", aside.pieces.len());
            let taken: Vec<u8> = std::iter::from_fn(|| aside.take()).flatten().collect();
            assert!(taken == all && aside.is_empty(), "{size}");
        }
    }
}
