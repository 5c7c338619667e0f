//! Echo (RFC 862): what came in goes out.

use super::{Phase, Protocol, Step};
use crate::clock::Now;
use crate::outbox::Outbox;
use crate::protocol::work::Answer;

/// One echo conversation. It has no state but whether it is over.
#[derive(Debug, Default)]
pub struct Echo {
    closing: bool,
}

impl Protocol for Echo {
    fn receive(&mut self, input: &[u8], out: &mut Outbox, _now: &Now) -> (usize, Step) {
        if self.closing {
            return (input.len(), Step::Close);
        }
        if out.is_full() {
            return (0, Step::Write);
        }
        out.extend(input);
        (input.len(), Step::Read)
    }

    fn finish(&mut self, _answer: Answer, _out: &mut Outbox, _now: &Now) {
        unreachable!("echo hands out no work");
    }

    fn expire(&mut self, _out: &mut Outbox, _now: &Now) {
        self.closing = true;
    }

    fn phase(&self) -> Phase {
        if self.closing { Phase::Closing } else { Phase::Idle }
    }

    fn must_linger(&self) -> bool {
        false
    }
}
