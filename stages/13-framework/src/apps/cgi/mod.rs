//! CGI/1.1 (RFC 3875): a program for each request, under a limit on its time and one on its output.
//!
//! ```text
//!   client -- head, body --> Front (kit's HTTP) -- /cgi-bin/NAME --> fork, exec --> program
//!     ^                                                                               | stdout: a pipe,
//!     |                                                                               v attached to the server
//!     +--- reply --- fd_task <-- at the end of the output, or of its time ---------- Output
//! ```
//!
//! The program's end of things is a connection like any other: its output is read by callbacks, so a program
//! that sleeps holds up nobody.

mod environment;
mod program;
mod reply;

use super::Options;
use super::front::{Caller, Front, Site};
use environment::Asked;
use framework::{Connection, ConnectionId, Protocol, Reason, Server};
use kit::options::ProtocolKind;
use kit::protocol::http::own::{Head, Request, Responder, Taken, Then};
use kit::start::listen;
use nix::sys::socket::SockFlag;
use program::Program;
use reply::Outcome;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The longest body, in bytes: what a pipe holds (pipe(7)).
const MAX_BODY: u64 = 64 * 1024;

/// What a program may take, unless an option says it: time, and bytes of output.
const TIME: Duration = Duration::from_secs(5);
const OUTPUT: usize = 1024 * 1024;

/// What programs may take, and where they are.
#[derive(Debug)]
struct Programs {
    directory: PathBuf,
    time: Duration,
    /// In bytes.
    output: usize,
}

/// Serves the programs below `--root` until the server must stop.
///
/// # Errors
/// Why it cannot listen, fork, accept or wait; `InvalidInput` without a directory.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let needs = "the application cgi needs --root DIR with programs";
    let root = options.common.root.as_ref();
    let root = root.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, needs))?;
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let programs = Arc::new(Programs {
        directory: root.canonicalize()?,
        time: options.cgi_time.unwrap_or(TIME),
        output: options.cgi_output.unwrap_or(OUTPUT),
    });
    let server = Server::with_listener(listener, options.settings())?;
    server.run(move |_: &Server| {
        Box::new(Front::new(Arc::clone(&programs), sessions.clone())) as Box<dyn Protocol>
    })
}

impl Site for Programs {
    fn find(&self, _: &Head<'_>) -> Option<Taken> {
        Some(Taken { allow: "GET, HEAD, POST, OPTIONS", max_body: MAX_BODY })
    }

    fn answer(&self, request: &Request, _: &Caller, to: Responder<'_>) -> Then {
        let found = Asked::of(request).ok_or(io::ErrorKind::NotFound.into());
        let found = found.and_then(|asked: Asked<'_>| self.find_program(&asked));
        let Err(error) = found else { return Then::TakenOver };
        match error.kind() {
            io::ErrorKind::PermissionDenied => to.say("403 Forbidden", "", "it may not be executed"),
            _ => to.say("404 Not Found", "", "programs are at /cgi-bin/NAME"),
        }
        Then::Answered
    }

    /// Whoever has asked a program gets its one reply; the connection ends with it.
    fn take_over(self: &Arc<Self>, request: Request, connection: &mut Connection<'_>) {
        let (id, is_head) = (connection.id(), request.method == "HEAD");
        let answer = move |server: &Server, outcome: Outcome| {
            let send = move |connection: &mut Connection<'_>| {
                connection.write_move(outcome.reply(is_head, &connection.now().date));
                connection.close();
            };
            // Nobody waits for it any more: then there is nothing to do.
            server.fd_task(id, send, |_| {});
        };
        // The program's time counts now.
        connection.set_timeout(Duration::ZERO);
        connection.hold(true);
        match self.start(&request, connection, answer) {
            Ok(program) => connection.set_protocol(Box::new(Waiting { program })),
            Err(_) => {
                connection.write_move(Outcome::NotStarted.reply(is_head, &connection.now().date));
                connection.close();
            }
        }
    }
}

/// The client of a program.
struct Waiting {
    program: Program,
}

impl Protocol for Waiting {
    fn service(&self) -> &'static str {
        "cgi"
    }

    /// What comes behind the request is dropped; an end of it changes nothing.
    fn on_data(&mut self, connection: &mut Connection<'_>) {
        let _ = connection.receive();
    }

    /// A request whose program runs is in flight.
    fn on_shutdown(&mut self, _: &mut Connection<'_>) {}

    fn on_close(&mut self, _: &Server, _: ConnectionId, _: &Reason) {
        // The client has gone, or has its reply: its program need not go on.
        self.program.kill();
    }
}
