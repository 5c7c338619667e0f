//! Which completion belongs to which submission.
//!
//! A completion carries the 64 bits of `user_data` that its submission had. Here they are the connection's
//! token, with the kind of the operation in four bits that no descriptor number reaches:
//!
//! ```text
//!   generation (32) | kind (4) | descriptor (28)
//! ```

use kit::connection_table::Token;

/// What the kernel does for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Receives what arrives: one piece, or with one completion for each everything (multishot).
    Receive,
    /// Sends the beginning of the session's output.
    Send,
    /// Reads the next piece of a file that is to be sent.
    Read,
    /// With `--direct`: ends the sending direction.
    ShutDown,
    /// With `--direct`: makes a descriptor for a slot.
    Install,
}

const SHIFT: u32 = 28;
const MASK: u64 = 0xf << SHIFT;

impl Operation {
    /// The `user_data` of this operation for the connection of `token`.
    pub fn user_data(self, token: Token) -> u64 {
        let kind = match self {
            Operation::Receive => 1,
            Operation::Send => 2,
            Operation::Read => 3,
            Operation::ShutDown => 4,
            Operation::Install => 5,
        };
        token | kind << SHIFT
    }

    /// The connection and the operation that [`Operation::user_data`] was made of.
    pub fn of(user_data: u64) -> Option<(Token, Self)> {
        let operation = match (user_data & MASK) >> SHIFT {
            1 => Operation::Receive,
            2 => Operation::Send,
            3 => Operation::Read,
            4 => Operation::ShutDown,
            5 => Operation::Install,
            _ => return None,
        };
        Some((user_data & !MASK, operation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects every connection from the completions of another.
    #[test]
    fn user_data_returns_the_token_and_the_operation_that_it_was_made_of() {
        // The largest descriptor that a stage asks for, and the largest generation.
        for token in [0, 7, kit::options::MAX_DESCRIPTORS, 1 << 32 | 5, u64::from(u32::MAX) << 32 | 9] {
            for operation in [
                Operation::Receive,
                Operation::Send,
                Operation::Read,
                Operation::ShutDown,
                Operation::Install,
            ] {
                assert_eq!(Operation::of(operation.user_data(token)), Some((token, operation)));
            }
        }
    }
}
