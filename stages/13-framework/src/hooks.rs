//! Reading and writing hooks: what stands between a connection's protocol and its socket.
//!
//! ```text
//!   protocol  -- write, write_move: packets -->  hook.write  -- send(2) -->  socket
//!   protocol  <-- receive: bytes --------------  hook.read   <- read(2) --  socket
//! ```
//!
//! A connection with hooks has no other way to its socket, so a protocol works unchanged above them. The TLS
//! pair is `examples/tls.rs`.

use std::io;
use std::os::fd::BorrowedFd;

/// A pair of hooks, with whatever it must remember of its connection.
pub trait Hooks: Send {
    /// Reads from the socket and puts what is meant for the protocol into `buffer`. 0 is the end.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing for the protocol yet; any other error ends the connection.
    fn read(&mut self, socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize>;

    /// Takes bytes of the protocol, and sends what becomes of them. Returns how many were *taken*, which need
    /// not be how many were sent; 0 means that none can be taken now, and [`Hooks::wants_room`] must then be
    /// true.
    ///
    /// # Errors
    /// `WouldBlock` is as good as 0; any other error ends the connection.
    fn write(&mut self, socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize>;

    /// Sends what the hook itself holds: a handshake, records.
    ///
    /// # Errors
    /// `WouldBlock` when the socket has no room; any other error ends the connection.
    fn flush(&mut self, socket: BorrowedFd<'_>) -> io::Result<()>;

    /// Whether the hook holds bytes that wait for room in the socket.
    fn wants_room(&self) -> bool;

    /// Whether the hook holds bytes for the protocol. The socket is not reported for them, so the loop calls
    /// [`crate::Protocol::on_data`] again by itself.
    fn has_input(&self) -> bool {
        false
    }

    /// The connection closes once everything is sent: the last chance to say so to the peer.
    fn end(&mut self, _socket: BorrowedFd<'_>) {}
}
