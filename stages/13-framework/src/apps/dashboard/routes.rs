//! The dashboard's routes in front of kit's HTTP: a protocol without sockets, around another one.

use super::Shared;
use super::request::{Asks, Found, find};
use kit::clock::LoopContext;
use kit::protocol::http::Http;
use kit::protocol::observer::Observer;
use kit::protocol::work::{Answer, Work};
use kit::protocol::{Phase, Protocol};
use kit::write_buffer::WriteBuffer;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Neither scripts nor anything else from elsewhere, and no frame around the page.
const POLICY: &str = "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; script-src \
                      'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'\r\n";

/// What a conversation tells its connection. Relaxed throughout: both are on the thread of one loop.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Requests that kit has answered, and that were not counted yet.
    pub(super) replies: AtomicU64,
    /// The connection is to become a stream of events.
    pub(super) events: AtomicBool,
}

/// Counts kit's replies.
#[derive(Debug)]
pub(super) struct Count(pub(super) Arc<Told>);

impl Observer for Count {
    fn request(&mut self, _: &str, _: &str) {}

    fn reply(&mut self, _: &str, _: u64, _: &LoopContext) {
        self.0.replies.fetch_add(1, Relaxed);
    }
}

/// One conversation.
pub(super) struct Routes {
    shared: Arc<Shared>,
    told: Arc<Told>,
    http: Http,
    port: u16,
    /// A body of ours is on its way.
    unfinished: bool,
    closing: bool,
}

impl Routes {
    /// A conversation that has not begun, with a server on this port.
    pub(super) fn new(shared: Arc<Shared>, told: Arc<Told>, port: u16) -> Self {
        let http = Http::new(shared.sessions.http());
        Self { shared, told, http, port, unfinished: false, closing: false }
    }

    fn answer(&mut self, asks: &Asks, keep_alive: bool, out: &mut WriteBuffer) {
        match asks {
            Asks::Events => self.told.events.store(true, Relaxed),
            Asks::Page { head_only } => {
                let fields = format!("Content-Type: text/html; charset=utf-8\r\nVary: Accept\r\n{POLICY}");
                self.reply(out, "200 OK", &fields, &self.shared.page, *head_only, keep_alive);
            }
            Asks::Action { name, body } => {
                let (status, text) = match self.shared.perform(name, body) {
                    Ok(()) => ("200 OK", "done".to_owned()),
                    Err(refused) => refused,
                };
                self.say(out, status, &text, keep_alive);
            }
        }
    }

    /// A reply in one line.
    fn say(&self, out: &mut WriteBuffer, status: &str, text: &str, keep_alive: bool) {
        let fields = "Content-Type: text/plain; charset=utf-8\r\n";
        self.reply(out, status, fields, &format!("{text}\n"), false, keep_alive);
    }

    fn reply(
        &self,
        out: &mut WriteBuffer,
        status: &str,
        fields: &str,
        body: &str,
        head_only: bool,
        keep_alive: bool,
    ) {
        let (length, last) = (body.len(), if keep_alive { "" } else { "Connection: close\r\n" });
        let head = format!(
            "HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\n{last}\r\n"
        );
        out.extend(head.as_bytes());
        if !head_only {
            out.extend(body.as_bytes());
        }
    }
}

impl Protocol for Routes {
    /// What is pipelined behind a request of kit's is kit's too: browsers do not pipeline.
    fn receive(
        &mut self,
        input: &[u8],
        out: &mut WriteBuffer,
        now: &LoopContext,
    ) -> (usize, Option<Box<Work>>) {
        let mut taken = 0;
        while !self.closing && matches!(self.http.phase(), Phase::Idle | Phase::Head) && !out.is_full() {
            self.unfinished = false;
            match find(&input[taken..], self.port) {
                Found::Other => break,
                Found::Unfinished => {
                    self.unfinished = true;
                    return (taken, None);
                }
                Found::Refused(status, reason) => {
                    self.say(out, status, reason, false);
                    self.closing = true;
                }
                Found::Ours { asks, length, keep_alive } => {
                    let keep_alive = keep_alive && !now.draining;
                    self.answer(&asks, keep_alive, out);
                    self.closing = !keep_alive && asks != Asks::Events;
                    taken += length;
                    // It may have seen the beginning of this request.
                    self.http = Http::new(self.shared.sessions.http());
                }
            }
        }
        if self.closing {
            return (input.len(), None);
        }
        let (more, work) = self.http.receive(&input[taken..], out, now);
        (taken + more, work)
    }

    fn finish(&mut self, answer: Answer, out: &mut WriteBuffer, now: &LoopContext) {
        self.http.finish(answer, out, now);
    }

    fn expire(&mut self, out: &mut WriteBuffer, now: &LoopContext) {
        self.closing |= self.unfinished;
        self.http.expire(out, now);
    }

    fn phase(&self) -> Phase {
        match (self.closing, self.unfinished) {
            (true, _) => Phase::Closing,
            (_, true) => Phase::Body,
            _ => self.http.phase(),
        }
    }

    fn must_linger(&self) -> bool {
        self.closing || self.http.must_linger()
    }
}
