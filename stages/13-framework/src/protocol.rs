//! What happens to a connection, as callbacks.

use crate::connection::Connection;
use crate::handle::{ConnectionId, Server};
use nix::errno::Errno;
use std::any::Any;

/// The conversation with one peer: a value for each connection. Its fields are the connection's state, and
/// need no lock: a connection belongs to one loop, and all its callbacks run there, one after the other.
///
/// A callback must not block: every other connection of the loop waits for it.
// ANCHOR: protocol
pub trait Protocol: Any + Send {
    /// The name of the service, by which connections are counted and chosen.
    fn service(&self) -> &'static str;

    /// The connection was opened.
    fn on_open(&mut self, _connection: &mut Connection<'_>) {}

    /// Bytes have arrived, or the end of them. To be read with [`Connection::read`] or
    /// [`Connection::receive`]: what is left is reported again, so a protocol that does not want to read must
    /// say so ([`Connection::pause`]).
    fn on_data(&mut self, connection: &mut Connection<'_>);

    /// All that was queued has been sent, or there is room again after [`Connection::wait_for_room`].
    fn on_ready(&mut self, _connection: &mut Connection<'_>) {}

    /// The server stops. Unless this closes the connection, the protocol goes on for the time that is left.
    fn on_shutdown(&mut self, connection: &mut Connection<'_>) {
        connection.close();
    }

    /// The connection is over; its descriptor is closed when this returns.
    fn on_close(&mut self, _server: &Server, _id: ConnectionId, _reason: &Reason) {}

    // ANCHOR_END: protocol
    /// Nothing has happened for the connection's timeout.
    fn ping(&mut self, connection: &mut Connection<'_>) {
        connection.close();
    }
}

/// Why a connection was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// We closed it, after everything was sent.
    Closed,
    /// The peer has shut its sending side, and had everything that it was to get.
    Ended,
    /// A read or a write failed: most often the peer has reset the connection.
    Failed(Errno),
    /// We gave it up, for this reason.
    Dropped(&'static str),
}
