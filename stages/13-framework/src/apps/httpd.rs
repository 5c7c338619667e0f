//! The HTTP server of every stage: kit's session, driven by callbacks.

use super::Options;
use framework::{Connection, Protocol, Server};
use kit::options::ProtocolKind;
use kit::output::Output;
use kit::session::{Next, Session};
use kit::socket::{MAX_WRITE, has_unread, would_block};
use kit::start::{Sessions, listen};
use kit::write_buffer::Body;
use nix::sys::socket::SockFlag;
use nix::sys::uio::pread;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;

/// What one callback may send: 1 MiB of a body, or four writes of small replies.
const WRITE_BUDGET: usize = MAX_WRITE;
const MIN_WRITE_COST: usize = WRITE_BUDGET / 4;
/// How often a callback reads that must find out whether anything is left.
pub(crate) const MAX_READS: usize = 16;
/// How much of a file goes through a hook at once.
const PIECE: usize = 16 * 1024;

/// Serves until the server must stop.
///
/// # Errors
/// Why it cannot listen, fork, accept or wait.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let server = Server::with_listener(listener, options.settings())?;
    server.run(move |_: &Server| Box::new(Httpd::new(sessions.clone())) as Box<dyn Protocol>)
}

/// One connection.
pub(crate) struct Httpd {
    sessions: Sessions,
    /// Made when the connection is opened.
    session: Option<Session>,
}

impl Httpd {
    /// A conversation that has not begun.
    pub(crate) fn new(sessions: Sessions) -> Self {
        Self { sessions, session: None }
    }

    fn drive(&mut self, connection: &mut Connection<'_>, reads: usize) {
        if let Some(session) = &mut self.session {
            drive(session, connection, reads);
        }
    }
}

impl Protocol for Httpd {
    fn service(&self) -> &'static str {
        "http"
    }

    fn on_open(&mut self, connection: &mut Connection<'_>) {
        let session = self.session.insert(self.sessions.open(connection.now()));
        // It ends the connection, and knows when; an end of the peer's bytes is not the end of the replies.
        connection.hold(true);
        connection.set_deadline(session.deadline());
    }

    fn on_data(&mut self, connection: &mut Connection<'_>) {
        // One read is enough, since what is left is reported again.
        let reads = reads(1, connection);
        self.drive(connection, reads);
    }

    fn on_ready(&mut self, connection: &mut Connection<'_>) {
        let reads = reads(0, connection);
        self.drive(connection, reads);
    }

    /// A request may be in the socket already; an idle connection ends with this.
    fn on_shutdown(&mut self, connection: &mut Connection<'_>) {
        self.drive(connection, MAX_READS);
    }

    /// Ends the conversation if nothing is left to read: what the peer sent in time may still wait.
    fn ping(&mut self, connection: &mut Connection<'_>) {
        self.drive(connection, MAX_READS);
    }
}

/// Does what the session says until it waits for the peer, and tells the framework for what. At most
/// `reads` reads.
pub(crate) fn drive(session: &mut Session, connection: &mut Connection<'_>, mut reads: usize) {
    let mut now = connection.now().clone();
    let mut budget = WRITE_BUDGET;
    loop {
        match session.next(&now) {
            Next::Read if reads == 0 => break,
            Next::Read => match connection.receive() {
                Ok([]) => {
                    reads = 0;
                    session.ended();
                }
                Ok(bytes) => {
                    reads -= 1;
                    session.received(bytes, &now);
                }
                Err(error) if error.kind() != ErrorKind::WouldBlock => return,
                // The deadline may have passed, or the server stops: then the session says something
                // else.
                Err(_) => {
                    if !would_block(connection.as_fd(), session, &now) {
                        break;
                    }
                }
            },
            Next::Write(_) if budget == 0 => break,
            Next::Write(output) => match write(output, connection) {
                Ok(count) => {
                    session.sent(count, &now);
                    budget = budget.saturating_sub(count.max(MIN_WRITE_COST));
                }
                Err(error) if error.kind() != ErrorKind::WouldBlock => return connection.close_now(),
                Err(_) if session.would_block(&now) => {}
                Err(_) => break,
            },
            Next::Work(work) => {
                let answer = work.run();
                now = connection.read_clock().clone();
                session.finished(answer, &now);
            }
            Next::ShutdownWrite => connection.shutdown_write(),
            Next::Close => return connection.close_now(),
        }
    }
    // A connection waits for one thing at a time: while replies wait to be sent it does not read.
    let has_output = session.has_output();
    connection.pause(has_output);
    connection.wait_for_room(has_output);
    connection.set_deadline(session.deadline());
}

/// A server that drains must know that nothing is left to read: then an idle connection ends.
pub(crate) fn reads(otherwise: usize, connection: &Connection<'_>) -> usize {
    if connection.now().draining { MAX_READS } else { otherwise }
}

/// Writes what the connection takes.
fn write(output: Output<'_>, connection: &mut Connection<'_>) -> io::Result<usize> {
    if connection.is_hooked() {
        return write_through_hook(output, connection);
    }
    Ok(output.write_to(connection.as_fd())?)
}

/// As kit writes to a socket, but through the writing hook.
fn write_through_hook(mut output: Output<'_>, connection: &mut Connection<'_>) -> io::Result<usize> {
    let count = match (output.bytes(), output.body()) {
        (&[], Some(Body::File { file, offset, left })) => {
            let mut piece = [0; PIECE];
            let wanted = (*left).min(PIECE as u64) as usize;
            match pread(file, &mut piece[..wanted], *offset as i64)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => connection.send(&piece[..count])?,
            }
        }
        (&[], Some(body)) => connection.send(body.filler())?,
        (bytes, _) => connection.send(bytes)?,
    };
    if output.ends_with(count) && has_unread(connection.as_fd()) {
        output.unread();
    }
    Ok(count)
}
