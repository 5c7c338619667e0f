//! What a request leaves with its work, so that the conversation itself keeps nothing of it.

use super::reply::Manner;
use super::serve::FileRequest;
use crate::protocol::work::Ticket;

/// A request that waits for its work: all that is needed to answer it later.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) manner: Manner,
    pub(super) asked: Asked,
}

/// What the request that waits has asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// So many milliseconds.
    Sleep(u64),
    /// So many microseconds.
    Spin(u64),
    File(Box<FileRequest>),
}

// The word of a ticket: a bit for each of these, and the amount above them.
const HEAD_ONLY: u64 = 1;
const HTTP_1_0: u64 = 1 << 1;
const KEEP_ALIVE: u64 = 1 << 2;
const SPIN: u64 = 1 << 3;
const AMOUNT: u32 = 4;

impl From<Waiting> for Ticket {
    /// Allocates nothing: the request for a file is boxed already, and all else fits into the word.
    fn from(Waiting { manner, asked }: Waiting) -> Self {
        let flag = |set: bool, bit: u64| if set { bit } else { 0 };
        let manner = flag(manner.head_only, HEAD_ONLY)
            | flag(manner.http_1_0, HTTP_1_0)
            | flag(manner.keep_alive, KEEP_ALIVE);
        match asked {
            // --max-sleep and --max-spin are far below 2 to the 60.
            Asked::Sleep(ms) => Ticket::new(manner | ms << AMOUNT, None),
            Asked::Spin(us) => Ticket::new(manner | SPIN | us << AMOUNT, None),
            Asked::File(request) => Ticket::new(manner, Some(request)),
        }
    }
}

impl From<Ticket> for Waiting {
    /// Panics if the ticket is that of another protocol.
    fn from(ticket: Ticket) -> Self {
        let (word, rest) = ticket.into_parts();
        let is_set = |bit| word & bit != 0;
        let manner = Manner {
            head_only: is_set(HEAD_ONLY),
            http_1_0: is_set(HTTP_1_0),
            keep_alive: is_set(KEEP_ALIVE),
        };
        let amount = word >> AMOUNT;
        let asked = match rest {
            Some(request) => {
                Asked::File(request.downcast().expect("work goes back to the protocol that handed it out"))
            }
            None if is_set(SPIN) => Asked::Spin(amount),
            None => Asked::Sleep(amount),
        };
        Self { manner, asked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_reads_back_as_the_request_that_was_left() {
        for bits in 0..8 {
            let manner =
                Manner { head_only: bits & 1 != 0, http_1_0: bits & 2 != 0, keep_alive: bits & 4 != 0 };
            for asked in [
                Asked::Sleep(0),
                Asked::Sleep(3_600_000),
                Asked::Spin(0),
                Asked::Spin(60_000_000),
                Asked::File(Box::new(FileRequest::new("a.txt", "/a.txt?b", &[]))),
            ] {
                let left = Waiting { manner, asked };
                let shown = format!("{left:?}");
                assert_eq!(format!("{:?}", Waiting::from(Ticket::from(left))), shown);
            }
        }
    }
}
