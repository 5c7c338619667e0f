//! HTTP/1.1 and 1.0 (RFC 9110, RFC 9112) as a resumable state machine.
//!
//! ```text
//!   input --> empty lines, head --> body, if there is one --> reply, or work and then the reply --+
//!                ^     |                    |                                                     |
//!                |     +--- wrong ----------+---> 4xx or 5xx, Closed                              |
//!                +------------------------- the connection stays ---------------------------------+
//! ```
//!
//! What is answered depends on the bytes alone, never on how the network cut them. A request whose head
//! comes in one piece is parsed where it lies (`head`: in one pass if it is `plain`, else by httparse) and
//! nothing is allocated for it; one that comes in pieces, or is refused, goes through `scan`.

mod answer;
mod body;
mod chunked;
mod condition;
mod fields;
mod framing;
mod grammar;
mod head;
mod limits;
mod media;
pub mod own;
mod plain;
mod range;
mod reply;
mod request;
mod route;
mod scan;
mod serve;
mod settings;
mod status;
mod target;
mod ticket;

pub use limits::Limits;
pub use settings::Settings;

use super::{Phase, Protocol};
use crate::clock::LoopContext;
use crate::protocol::work::{Answer, Work};
use crate::write_buffer::WriteBuffer;
use body::Upload;
use fields::{Expect, Fields};
use framing::Framing;
use own::{Head, NoRoutes, Responder, Routes, Taken, Then};
use reply::Manner;
use request::Request;
use route::Route;
use scan::{CompleteHead, Scan};
use status::{Reject, Status};
use std::sync::Arc;
use target::Target;
use ticket::Waiting;

/// One HTTP conversation. Ten thousand idle ones are held at a time, so what is rare is boxed.
#[derive(Debug)]
pub struct Http<R = NoRoutes> {
    routes: R,
    settings: Arc<Settings>,
    state: State,
    /// Requests whose head was complete.
    served: u32,
    /// See [`Protocol::must_linger`].
    linger: bool,
}

#[derive(Debug)]
enum State {
    /// Between requests, or in a head.
    Head(Scan),
    /// In a body.
    Body(Box<Upload>),
    /// The last request waits for its work.
    Last,
    /// An application goes on with the socket.
    TakenOver,
    /// The conversation is over.
    Closed,
}

/// What to do after a piece of input.
enum Next {
    /// Look at what is left of the input.
    Continue,
    /// It needs more input.
    NeedInput,
}

/// What a piece of input acts upon, beside the conversation itself.
struct Effects<'a> {
    out: &'a mut WriteBuffer,
    now: &'a LoopContext,
    /// A job that may block.
    work: Option<Box<Work>>,
}

impl Effects<'_> {
    /// Out of line, like all that only an observer needs.
    #[cold]
    fn tell_request(&mut self, head: &httparse::Request<'_, '_>) {
        self.out.begin_request(head.method.unwrap_or_default(), head.path.unwrap_or_default(), self.now);
    }
}

impl Http {
    /// A conversation that has not begun.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self::with_routes(settings, NoRoutes)
    }

    /// The same, as a session takes it. Compiled here, once, with the rest of kit: what is generic is
    /// compiled where it is named, and less of it is inlined there.
    pub fn boxed(settings: Arc<Settings>) -> Box<dyn Protocol> {
        Box::new(Self::new(settings))
    }
}

impl<R: Routes> Http<R> {
    /// A conversation that has not begun, in which an application's routes go before those of every stage.
    pub fn with_routes(settings: Arc<Settings>, routes: R) -> Self {
        Self { routes, settings, state: State::Head(Scan::default()), served: 0, linger: false }
    }

    /// Takes empty lines and then at most one head from the front of `input`.
    fn head(&mut self, input: &[u8], to: &mut Effects<'_>) -> (usize, Next) {
        let skipped = head::empty_lines(input);
        let input = &input[skipped..];
        if input.is_empty() || input == b"\r" {
            return (skipped, Next::NeedInput);
        }
        let mut lines = head::lines();
        let (length, next) = match head::parse(input, &mut lines, &self.settings.limits) {
            Some((length, head)) => (length, self.begin(&head, to)),
            None => self.head_in_pieces(Scan::default(), input, to),
        };
        (skipped + length, next)
    }

    /// A head that is not yet complete, or that was refused where it lay: too long, or wrong.
    #[cold]
    fn head_in_pieces(&mut self, mut scan: Scan, input: &[u8], to: &mut Effects<'_>) -> (usize, Next) {
        let verdict = scan.advance(input, &self.settings.limits);
        let CompleteHead { length, digit, minor } = match verdict {
            Ok(Some(whole)) => whole,
            Ok(None) => {
                self.state = State::Head(scan);
                return (0, Next::NeedInput);
            }
            Err(reject) => return (0, self.reject(reject, scan.head_only, to)),
        };
        // HTTP/1.2 is answered as 1.1 (RFC 9110 §2.5), but httparse does not know it.
        let mut patched = Vec::new();
        let mut head = &input[..length];
        if minor > 1 {
            patched.extend_from_slice(head);
            patched[digit] = b'1';
            head = &patched;
        }
        self.state = State::Head(Scan::default());
        let mut lines = head::lines();
        let next = match head::parse(head, &mut lines, &self.settings.limits) {
            Some((_, head)) => self.begin(&head, to),
            None => self.reject(Reject::bad("malformed head"), scan.head_only, to),
        };
        (length, next)
    }

    /// Begins to answer a request whose head is complete.
    // Inlined, since the head and the fields would be written to memory and read again.
    #[inline(always)]
    fn begin(&mut self, head: &httparse::Request<'_, '_>, to: &mut Effects<'_>) -> Next {
        self.served = self.served.saturating_add(1);
        if to.out.is_observed() {
            to.tell_request(head);
        }
        let last = self.settings.limits.max_requests.is_some_and(|max| self.served >= max);
        let http_1_0 = head.version == Some(0);
        let fields = match Fields::read(head.headers, http_1_0) {
            Ok(fields) => fields,
            Err(reject) => return self.reject(reject, head.method == Some("HEAD"), to),
        };
        if R::EXIST
            && let Some(next) = self.begin_own(head, &fields, last, to)
        {
            return next;
        }
        // What benchmarks ask for, ahead of what must be looked up.
        if let (Some("GET"), Some("/"), Framing::Empty, Expect::Nothing) =
            (head.method, head.path, fields.framing, fields.expect)
        {
            let manner = Manner { head_only: false, http_1_0, keep_alive: fields.persistent && !last };
            let manner = manner.when(to.now);
            answer::hello(manner, to.out, to.now);
            if !manner.keep_alive {
                self.state = State::Closed;
            }
            return Next::Continue;
        }
        let max_body = self.settings.limits.max_body;
        let (target, settings) = (head.path.unwrap_or_default(), &self.settings);
        let route = |method| Route::find(method, target, head.headers, settings);
        let request = Request::read(head, fields, max_body, last, route);
        self.proceed(request, max_body, head.method == Some("HEAD"), to)
    }

    /// [`Http::begin`] for a request of the application; None if it is none.
    fn begin_own(
        &mut self,
        head: &httparse::Request<'_, '_>,
        fields: &Fields,
        last: bool,
        to: &mut Effects<'_>,
    ) -> Option<Next> {
        let Ok(Target::Path { sent, path }) = target::parse(head.path?) else { return None };
        let (method, http_1_0) = (head.method?, head.version == Some(0));
        let seen = Head { method, path: &path, sent, headers: head.headers, http_1_0 };
        let Taken { allow, max_body } = self.routes.find(&seen)?;
        let max_body = max_body.min(self.settings.limits.max_body);
        let route = |method| Ok(Route::own(method, allow, &seen));
        let request = Request::read(head, *fields, max_body, last, route);
        Some(self.proceed(request, max_body, method == "HEAD", to))
    }

    /// Answers a request without a body, or begins to read its body.
    #[inline(always)]
    fn proceed(
        &mut self,
        request: Result<Request, Reject>,
        max_body: u64,
        head_only: bool,
        to: &mut Effects<'_>,
    ) -> Next {
        match request {
            Ok(Request { manner, route, framing: Framing::Empty, .. }) => {
                self.respond(manner, route, &[], to);
                Next::Continue
            }
            Ok(request) => {
                if request.awaits_continue {
                    reply::send_continue(to.out, to.now);
                }
                self.state = State::Body(Box::new(Upload::new(request, max_body, &self.settings.limits)));
                Next::Continue
            }
            Err(reject) => self.reject(reject, head_only, to),
        }
    }

    /// Takes the front of `input` as body, and answers when it is complete.
    fn body(&mut self, input: &[u8], to: &mut Effects<'_>) -> (usize, Next) {
        let State::Body(upload) = &mut self.state else { unreachable!("called in a body alone") };
        match upload.take(input) {
            Ok((used, false)) => (used, Next::NeedInput),
            Ok((used, true)) => {
                let done = std::mem::replace(&mut self.state, State::Head(Scan::default()));
                let State::Body(upload) = done else { unreachable!("it was a body above") };
                let Upload { manner, route, kept, .. } = *upload;
                self.respond(manner, route, &kept, to);
                // A client that has sent a body may send on (a stray CR LF is common) while it still reads
                // the reply.
                self.linger |= !matches!(self.state, State::Head(_));
                (used, Next::Continue)
            }
            Err(reject) => {
                let head_only = upload.manner.head_only;
                (0, self.reject(reject, head_only, to))
            }
        }
    }

    /// Answers a request that is complete, or hands out the work that must come first.
    fn respond(&mut self, manner: Manner, route: Route, body: &[u8], to: &mut Effects<'_>) {
        let manner = manner.when(to.now);
        if let Route::Own(mut request) = route {
            request.body = body.to_vec();
            let then = self.routes.answer(*request, Responder { out: to.out, now: to.now, manner });
            if then == Then::TakenOver {
                self.state = State::TakenOver;
            } else if !manner.keep_alive {
                self.state = State::Closed;
            }
            return;
        }
        to.work = answer::at_once(route, manner, body, &self.settings, to.out, to.now);
        if !manner.keep_alive {
            self.state = if to.work.is_some() { State::Last } else { State::Closed };
        }
        // Else the next head is expected, even before the work is done: the ticket has all that the reply
        // needs. (Stage 06 without its ONESHOT reads on, to show the race.)
    }

    /// Appends a last reply and ends the conversation.
    #[cold]
    fn reject(&mut self, reject: Reject, head_only: bool, to: &mut Effects<'_>) -> Next {
        let manner = Manner { head_only, http_1_0: false, keep_alive: false };
        reply::plain(to.out, to.now, reject.status, manner, None, reject.why);
        self.abort();
        Next::Continue
    }

    /// Ends the conversation though the peer may still be sending.
    fn abort(&mut self) {
        self.state = State::Closed;
        self.linger = true;
    }
}

impl<R: Routes> Protocol for Http<R> {
    fn receive(
        &mut self,
        input: &[u8],
        out: &mut WriteBuffer,
        now: &LoopContext,
    ) -> (usize, Option<Box<Work>>) {
        let mut to = Effects { out, now, work: None };
        let mut used = 0;
        loop {
            let rest = &input[used..];
            let (taken, next) = match &self.state {
                // Before the state is looked at: most often nothing is behind the request.
                _ if rest.is_empty() => return (used, None),
                State::Closed | State::Last => {
                    self.linger = true;
                    return (input.len(), None);
                }
                State::TakenOver => return (input.len(), None),
                _ if to.out.is_full() => return (used, None),
                State::Head(scan) if scan.is_new() => self.head(rest, &mut to),
                State::Head(scan) => self.head_in_pieces(*scan, rest, &mut to),
                State::Body(_) => self.body(rest, &mut to),
            };
            used += taken;
            if let Next::NeedInput = next {
                return (used, None);
            }
            if to.work.is_some() {
                return (used, to.work);
            }
        }
    }

    fn finish(&mut self, answer: Answer, out: &mut WriteBuffer, now: &LoopContext) {
        if matches!(self.state, State::Closed) {
            return;
        }
        if out.parts().1.is_some() {
            // A later request was answered before this one (stage 06 without its ONESHOT) and its body is
            // on the way: nothing may be put into the middle of it.
            return self.abort();
        }
        // Asked anew: the server may have been told to stop while the work was done.
        let Answer { outcome, ticket } = answer;
        let mut waiting = Waiting::from(ticket);
        waiting.manner = waiting.manner.when(now);
        if !waiting.manner.keep_alive {
            self.state = State::Closed;
        }
        answer::after_work(waiting, outcome, out, now);
    }

    fn expire(&mut self, out: &mut WriteBuffer, now: &LoopContext) {
        // There is no place for a 408 in the middle of a body, nor before a reply that is due.
        let is_free = out.parts().1.is_none();
        let head_only = match &self.state {
            State::Closed => return,
            State::TakenOver => {
                self.state = State::Closed;
                return;
            }
            State::Head(scan) if scan.is_new() => {
                self.state = State::Closed;
                return;
            }
            State::Head(scan) if is_free => scan.head_only,
            State::Body(upload) if is_free => upload.manner.head_only,
            State::Head(_) | State::Body(_) | State::Last => return self.abort(),
        };
        let why = "the request did not come in time";
        let reject = Reject { status: Status::RequestTimeout, why };
        self.reject(reject, head_only, &mut Effects { out, now, work: None });
    }

    fn phase(&self) -> Phase {
        match &self.state {
            State::Head(scan) if !scan.is_new() => Phase::Head,
            State::Head(_) | State::Last => Phase::Idle,
            State::TakenOver => Phase::TakenOver,
            State::Body(_) => Phase::Body,
            State::Closed => Phase::Closing,
        }
    }

    fn must_linger(&self) -> bool {
        self.linger
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten thousand idle connections hold one each.
    #[test]
    fn a_conversation_is_small_and_so_is_its_work() {
        assert!(size_of::<Http>() <= 48, "{} bytes", size_of::<Http>());
        assert!(size_of::<Work>() <= 72, "{} bytes", size_of::<Work>());
    }
}
