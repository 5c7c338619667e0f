//! Chat: what one client says, all others hear. Over plain lines (`nc`), or over WebSocket from a browser.
//!
//! A room needs no list of its members: the server has it ([`Server::each`], by the name of the service).
//!
//! ```text
//!   Guest: reads until it knows -- "GET " --> upgrade --> WebSocket
//!                               \- anything else -------> Lines
//! ```

mod guest;
mod lines;
mod websocket;

use super::Options;
use framework::{Connection, Protocol, Reason, Server, Settings};
use guest::Guest;
use kit::stderr::log_stderr;
use std::io;
use std::sync::Arc;
use std::time::Duration;

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
    // Whoever listens may be silent.
    let settings = Settings {
        max_queued: MAX_QUEUED,
        send_buffer: Some(SEND_BUFFER),
        idle_timeout: Duration::ZERO,
        ..options.settings()
    };
    Server::new(settings)?.run(|_: &Server| Box::<Guest>::default() as Box<dyn Protocol>)
}

// ANCHOR: say
/// Tells all clients but this one. Each of the two forms is made once and shared by all who get it.
fn say(connection: &Connection<'_>, line: &str) {
    let (server, origin) = (connection.server(), Some(connection.id()));
    let text: Arc<[u8]> = format!("{line}\n").into_bytes().into();
    server.each(origin, Some(lines::SERVICE), move |other| other.write_move(Arc::clone(&text)), |_, _| {});
    let frame = websocket::frame(line);
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
