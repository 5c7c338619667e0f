//! Watching what a conversation is about, for an access log.
//!
//! A request and its reply meet only in the protocol: a loop sees bytes, and pipelined replies leave in one
//! write. So the protocol tells an [`Observer`], if the session has one; else each notification is one test
//! of a pointer.

use crate::clock::LoopContext;
use std::fmt::Debug;

/// An observer is told of each request and its reply, in the order in which the replies are sent.
pub trait Observer: Send + Sync + Debug {
    /// A request's head is complete. Neither part contains a blank or a control character: such a head is not
    /// parsed.
    fn request(&mut self, method: &str, target: &str);

    /// A reply is complete: its status code, three digits, and the bytes of its head and body, even if the
    /// peer goes away before it has received them all. No request precedes the reply to a head that could not
    /// be parsed, or that did not arrive in time.
    fn reply(&mut self, status: &str, bytes: u64, now: &LoopContext);
}

/// An observer, and the reply that is being written.
#[derive(Debug)]
pub(crate) struct Observed {
    observer: Box<dyn Observer>,
    /// Its status code, and how many bytes waited to be sent when it began.
    reply: Option<(&'static str, u64)>,
}

impl Observed {
    pub(crate) fn new(observer: Box<dyn Observer>) -> Self {
        Self { observer, reply: None }
    }

    /// `waiting` bytes are to be sent when the head of a request is complete.
    pub(crate) fn request(&mut self, method: &str, target: &str, waiting: u64, now: &LoopContext) {
        self.end_reply(waiting, now);
        self.observer.request(method, target);
    }

    /// A reply with this status line begins behind `waiting` bytes.
    pub(crate) fn begin_reply(&mut self, status: &'static str, waiting: u64, now: &LoopContext) {
        self.end_reply(waiting, now);
        let (code, _) = status.split_once(' ').unwrap_or((status, ""));
        // 100 (Continue) precedes the reply and is not one.
        if !code.starts_with('1') {
            self.reply = Some((code, waiting));
        }
    }

    /// The reply that was begun, if there is one, is complete: with it `waiting` bytes are to be sent.
    pub(crate) fn end_reply(&mut self, waiting: u64, now: &LoopContext) {
        if let Some((status, before)) = self.reply.take() {
            self.observer.reply(status, waiting - before, now);
        }
    }
}
