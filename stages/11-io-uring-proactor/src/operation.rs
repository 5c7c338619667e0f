//! Which completion belongs to which request.
//!
//! A completion carries the 64 bits that its request was given. Here they are the connection's token, with the kind of
//! the request in four bits that no descriptor number reaches:
//!
//! ```text
//!   generation (32) | kind (4) | descriptor (28)
//! ```

use kit::registry::Token;

/// What was asked of the kernel for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Everything that arrives, one completion for each piece (multishot).
    Receive,
    /// The beginning of what waits in the outbox.
    Send,
    /// The next piece of a file, to be sent.
    Read,
}

const SHIFT: u32 = 28;
const MASK: u64 = 0xf << SHIFT;

impl Operation {
    /// The mark of this request for the connection of `token`.
    pub fn mark(self, token: Token) -> u64 {
        let kind = match self {
            Operation::Receive => 1,
            Operation::Send => 2,
            Operation::Read => 3,
        };
        token | kind << SHIFT
    }

    /// The connection and the request that a mark was made of.
    pub fn of(mark: u64) -> Option<(Token, Self)> {
        let operation = match (mark & MASK) >> SHIFT {
            1 => Operation::Receive,
            2 => Operation::Send,
            3 => Operation::Read,
            _ => return None,
        };
        Some((mark & !MASK, operation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_gives_back_what_it_was_made_of() {
        // The largest descriptor that a stage asks for, and the largest generation.
        for token in [0, 7, kit::options::MOST_DESCRIPTORS, 1 << 32 | 5, u64::from(u32::MAX) << 32 | 9] {
            for operation in [Operation::Receive, Operation::Send, Operation::Read] {
                assert_eq!(Operation::of(operation.mark(token)), Some((token, operation)));
            }
        }
    }
}
