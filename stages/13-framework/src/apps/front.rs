//! A connection that speaks kit's HTTP with an application's own routes ahead of those of every stage, and
//! that the application may take over: for a stream, a program or another protocol.

use super::httpd::{MAX_READS, drive, reads};
use framework::{Connection, Protocol};
use kit::clock::LoopContext;
use kit::protocol::http::Http;
use kit::protocol::http::own::{self, Head, Request, Responder, Taken, Then};
use kit::protocol::observer::Observer;
use kit::session::{Session, Timeouts};
use kit::start::Sessions;
use nix::sys::socket::{SockaddrIn, getpeername};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// An application that answers some requests itself.
pub(crate) trait Site: Send + Sync + 'static {
    /// See [`own::Routes::find`].
    fn find(&self, head: &Head<'_>) -> Option<Taken>;

    /// See [`own::Routes::answer`].
    fn answer(&self, request: &Request, caller: &Caller, to: Responder<'_>) -> Then;

    /// Goes on with a connection that was taken over.
    fn take_over(self: &Arc<Self>, request: Request, connection: &mut Connection<'_>);

    /// The timeouts of a new connection.
    fn timeouts(&self, given: Timeouts) -> Timeouts {
        given
    }
}

/// Who asks, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// None if it has gone already.
    pub(crate) address: Option<Ipv4Addr>,
    /// Where the server listens.
    pub(crate) server: SocketAddrV4,
}

impl Caller {
    pub(crate) fn of(connection: &Connection<'_>) -> Self {
        let peer = getpeername::<SockaddrIn>(connection.as_fd().as_raw_fd());
        Self { address: peer.ok().map(|peer| peer.ip()), server: connection.server().address() }
    }
}

/// What a conversation tells its connection: both are on the thread of one loop.
#[derive(Debug, Default)]
struct Told {
    /// The request with which the application takes over.
    taken: Mutex<Option<Request>>,
    /// Requests that kit has answered, and that were not counted yet. Relaxed: there is one thread.
    replies: AtomicU64,
}

/// Counts kit's replies.
#[derive(Debug)]
struct Count(Arc<Told>);

impl Observer for Count {
    fn request(&mut self, _: &str, _: &str) {}

    fn reply(&mut self, _: &str, _: u64, _: &LoopContext) {
        self.0.replies.fetch_add(1, Relaxed);
    }
}

/// The routes of a site, for one conversation.
struct Routes<S> {
    site: Arc<S>,
    caller: Caller,
    told: Arc<Told>,
}

impl<S: Site> own::Routes for Routes<S> {
    fn find(&self, head: &Head<'_>) -> Option<Taken> {
        self.site.find(head)
    }

    fn answer(&self, request: Request, to: Responder<'_>) -> Then {
        let then = self.site.answer(&request, &self.caller, to);
        if then == Then::TakenOver {
            *self.told.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
        }
        then
    }
}

/// One connection.
pub(crate) struct Front<S> {
    site: Arc<S>,
    sessions: Sessions,
    told: Arc<Told>,
    /// Made when the connection is opened.
    session: Option<Session>,
}

impl<S: Site> Front<S> {
    /// A conversation that has not begun.
    pub(crate) fn new(site: Arc<S>, sessions: Sessions) -> Self {
        Self { site, sessions, told: Arc::default(), session: None }
    }

    /// Goes on with a connection of which this was read already.
    pub(crate) fn begin(mut self, input: &[u8], connection: &mut Connection<'_>) {
        self.on_open(connection);
        if let Some(session) = &mut self.session {
            session.received(input, connection.now());
        }
        if !self.drive(connection, 0) {
            connection.set_protocol(Box::new(self));
        }
    }

    /// Returns whether the application has taken over.
    fn drive(&mut self, connection: &mut Connection<'_>, reads: usize) -> bool {
        let Some(session) = &mut self.session else { return false };
        drive(session, connection, reads);
        connection.count_requests(self.told.replies.swap(0, Relaxed));
        if session.has_output() {
            return false;
        }
        let taken = self.told.taken.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.map(|request| self.site.take_over(request, connection)).is_some()
    }
}

impl<S: Site> Protocol for Front<S> {
    fn service(&self) -> &'static str {
        "http"
    }

    fn on_open(&mut self, connection: &mut Connection<'_>) {
        let (site, told) = (Arc::clone(&self.site), Arc::clone(&self.told));
        let routes = Routes { site, caller: Caller::of(connection), told };
        let http = Http::with_routes(self.sessions.http(), routes);
        let timeouts = self.site.timeouts(self.sessions.timeouts());
        let session = self.session.insert(Session::new(Box::new(http), timeouts, connection.now()));
        session.observe(Box::new(Count(Arc::clone(&self.told))));
        // The session ends the connection, and knows when.
        connection.hold(true);
        connection.set_deadline(session.deadline());
    }

    fn on_data(&mut self, connection: &mut Connection<'_>) {
        let reads = reads(1, connection);
        self.drive(connection, reads);
    }

    fn on_ready(&mut self, connection: &mut Connection<'_>) {
        let reads = reads(0, connection);
        self.drive(connection, reads);
    }

    fn on_shutdown(&mut self, connection: &mut Connection<'_>) {
        self.drive(connection, MAX_READS);
    }

    fn ping(&mut self, connection: &mut Connection<'_>) {
        self.drive(connection, MAX_READS);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use kit::clock::Clock;
    use kit::protocol::Protocol;
    use kit::protocol::http::{Limits, Settings};
    use kit::write_buffer::WriteBuffer;

    /// What a site on port 8080 replies to a peer on this machine that sends this in one segment and is
    /// silent then, and the request with which it takes over. The body of a large reply is left out.
    pub(crate) fn replies<S: Site>(site: &Arc<S>, input: &str) -> (String, Option<Request>) {
        let caller = Caller { address: Some(Ipv4Addr::LOCALHOST), server: "127.0.0.1:8080".parse().unwrap() };
        let (site, told) = (Arc::clone(site), Arc::<Told>::default());
        let settings = Arc::new(Settings { limits: Limits::default(), root: None });
        let mut http = Http::with_routes(settings, Routes { site, caller, told: Arc::clone(&told) });
        let mut out = WriteBuffer::default();
        let clock = Clock::new();
        http.receive(input.as_bytes(), &mut out, clock.last());
        http.expire(&mut out, clock.last());
        let taken = told.taken.lock().unwrap().take();
        (String::from_utf8_lossy(out.parts().0).into_owned(), taken)
    }

    /// The status codes of replies, in their order.
    pub(crate) fn codes(replies: &str) -> Vec<&str> {
        let codes = replies.split("HTTP/1.1 ").filter_map(|reply| reply.get(..3));
        codes.filter(|code| code.bytes().all(|byte| byte.is_ascii_digit())).collect()
    }
}
