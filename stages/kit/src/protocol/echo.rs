//! Echo (RFC 862): what came in goes out.

use super::{Phase, Protocol};
use crate::clock::LoopContext;
use crate::protocol::work::{Answer, Work};
use crate::write_buffer::WriteBuffer;

/// An echo conversation, whose only state is whether it is over.
#[derive(Debug, Default)]
pub struct Echo {
    closing: bool,
}

impl Protocol for Echo {
    fn receive(
        &mut self,
        input: &[u8],
        out: &mut WriteBuffer,
        _now: &LoopContext,
    ) -> (usize, Option<Box<Work>>) {
        if self.closing {
            return (input.len(), None);
        }
        if out.is_full() {
            return (0, None);
        }
        out.extend(input);
        (input.len(), None)
    }

    fn finish(&mut self, _answer: Answer, _out: &mut WriteBuffer, _now: &LoopContext) {
        unreachable!("echo hands out no work");
    }

    fn expire(&mut self, _out: &mut WriteBuffer, _now: &LoopContext) {
        self.closing = true;
    }

    fn phase(&self) -> Phase {
        if self.closing { Phase::Closing } else { Phase::Idle }
    }

    fn must_linger(&self) -> bool {
        false
    }
}
