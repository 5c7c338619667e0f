//! The HTTP server of every stage: kit's session, driven by callbacks.

use super::Options;
use framework::{Connection, Protocol, Server};
use kit::options::ProtocolKind;
use kit::output::Output;
use kit::session::{Next, Session};
use kit::socket::{MAX_WRITE, has_unread, unacknowledged, would_block};
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
/// How often a connection is looked at that only waits for its peer's kernel, while the server drains (ms).
const LOOK_AGAIN_MS: u64 = 20;
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
            Next::Read => {
                if reads == 0 || session.is_taken_over() {
                    break;
                }
                match connection.receive() {
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
                }
            }
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
    let mut deadline = session.deadline();
    if session.is_lingering() && now.draining {
        // Nothing tells when the peer has the last of what it was sent, and then the server may end.
        deadline = Some(now.ms + LOOK_AGAIN_MS);
    }
    connection.set_deadline(deadline);
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
    let sent = match (output.bytes(), output.body()) {
        (&[], Some(Body::File { file, offset, left })) => {
            let mut piece = [0; PIECE];
            let wanted = (*left).min(PIECE as u64) as usize;
            match pread(file, &mut piece[..wanted], *offset as i64)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => connection.send(&piece[..count]),
            }
        }
        (&[], Some(body)) => connection.send(body.filler()),
        (bytes, _) => connection.send(bytes),
    };
    let count = sent.inspect_err(|_| output.unacknowledged(unacknowledged(connection.as_fd())))?;
    if output.ends_with(count) && has_unread(connection.as_fd()) {
        output.unread();
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::thread;
    use std::time::{Duration, Instant};

    /// Stops a server one of whose clients has fetched a large reply and is idle. Returns how long that took.
    fn stop_with_an_idle_client() -> Duration {
        let options = Options::parse_from(["stage-13", "--addr", "127.0.0.1:0", "--workers", "1"]);
        let (listener, sessions) =
            listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http).expect("a free port");
        let settings = framework::Settings { workers: 1, ..framework::Settings::default() };
        let server = Server::with_listener(listener, settings).expect("it listens");
        let running = server.clone();
        let application = move |_: &Server| Box::new(Httpd::new(sessions.clone())) as Box<dyn Protocol>;
        let thread = thread::spawn(move || running.run(application));
        let mut client = TcpStream::connect(server.address()).expect("it listens");
        client.write_all(b"GET /bytes/100000 HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
        client.read_exact(&mut vec![0; 100_000]).expect("a reply");
        let begun = Instant::now();
        server.stop();
        thread.join().expect("no panic").expect("it serves");
        begun.elapsed()
    }

    /// Protects whoever stops a server: a client that has everything holds it up for no longer than a look
    /// takes. Without that it is the 1.8 s that connections may take, each time; a busy machine is slow now
    /// and then.
    #[test]
    fn a_client_that_has_its_large_reply_does_not_hold_up_the_end() {
        let is_quick = (0..5).any(|_| stop_with_an_idle_client() < Duration::from_secs(1));
        assert!(is_quick, "the server ends when the time for it is over");
    }
}
