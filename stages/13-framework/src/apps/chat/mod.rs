//! Chat: what one client says, all others hear. Over plain lines (`nc`), or over WebSocket from a browser.
//!
//! A room needs no list of its members: the server has it ([`Server::each`], by the name of the service).
//!
//! ```text
//!   Guest: reads a line -- a request's --> Front (kit's HTTP) -- page, or upgrade --> WebSocket
//!                        \- any other ---> Lines
//! ```

mod guest;
mod lines;
mod site;
mod websocket;

use super::Options;
use framework::{Connection, Protocol, Reason, Server, Settings};
use guest::Guest;
use kit::options::ProtocolKind;
use kit::start::listen;
use kit::stderr::log_stderr;
use nix::sys::socket::SockFlag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What waits for one client at most, in bytes: one that does not read is dropped, and nobody waits for it.
const MAX_QUEUED: usize = 64 * 1024;
/// And in the kernel, which doubles this.
const SEND_BUFFER: usize = 64 * 1024;
/// The longest line, in bytes.
const MAX_LINE: usize = 4 * 1024;

/// Serves until the server must stop.
///
/// # Errors
/// Why it cannot listen, accept or wait; `InvalidInput` for several processes.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    if options.processes > 1 {
        let text = "the chat takes --processes 1: clients of one process could not hear those of another";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let settings = Settings { max_queued: MAX_QUEUED, send_buffer: Some(SEND_BUFFER), ..options.settings() };
    let room = Arc::<Room>::default();
    let server = Server::with_listener(listener, settings)?;
    server
        .run(move |_: &Server| Box::new(Guest::new(Arc::clone(&room), sessions.clone())) as Box<dyn Protocol>)
}

/// What all clients share.
#[derive(Default)]
struct Room {
    /// How many have come in. Relaxed: a number for each, whatever its order.
    guests: AtomicU64,
}

impl Room {
    /// The name of a client that comes in, and what it is told.
    fn greet(&self, server: &Server) -> (String, String) {
        let others = [lines::SERVICE, websocket::SERVICE].map(|service| server.count(Some(service)));
        let name = format!("guest {}", self.guests.fetch_add(1, Relaxed) + 1);
        let greeting =
            format!("* You are {name}. Others here: {}. They see what you send.", others[0] + others[1]);
        (name, greeting)
    }
}

// ANCHOR: say
/// Tells all clients but this one. Each of the two forms is made once and shared by all who get it.
fn say(connection: &Connection<'_>, name: &str, line: &str) {
    let (server, origin) = (connection.server(), Some(connection.id()));
    let line = format!("{name}: {line}");
    let text: Arc<[u8]> = format!("{line}\n").into_bytes().into();
    server.each(origin, Some(lines::SERVICE), move |other| other.write_move(Arc::clone(&text)), |_, _| {});
    let frame = websocket::frame(&line);
    server.each(
        origin,
        Some(websocket::SERVICE),
        move |other| other.write_move(Arc::clone(&frame)),
        |_, _| {},
    );
}
// ANCHOR_END: say

/// A client that was given up is worth a line.
fn note(reason: &Reason) {
    if let Reason::Dropped(why) = reason {
        log_stderr(format_args!("a client was dropped: {why}"));
    }
}
