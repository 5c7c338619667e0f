//! TLS as a pair of hooks: rustls between a protocol and its socket.

use framework::{Connection, ConnectionId, Hooks, Protocol, Reason, Server};
use nix::sys::socket::{MsgFlags, send};
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

/// Any protocol, over TLS: it knows nothing of it.
pub(crate) struct Secured<P> {
    protocol: P,
    config: Arc<ServerConfig>,
}

impl<P> Secured<P> {
    /// `protocol`, with the certificate of `config`.
    pub(crate) fn new(protocol: P, config: Arc<ServerConfig>) -> Self {
        Self { protocol, config }
    }
}

impl<P: Protocol> Protocol for Secured<P> {
    fn service(&self) -> &'static str {
        self.protocol.service()
    }

    fn on_open(&mut self, connection: &mut Connection<'_>) {
        match ServerConnection::new(Arc::clone(&self.config)) {
            Ok(tls) => connection.set_hooks(Box::new(Tls { tls, has_more: false })),
            Err(_) => connection.drop_because("TLS cannot begin"),
        }
        self.protocol.on_open(connection);
    }

    fn on_data(&mut self, connection: &mut Connection<'_>) {
        self.protocol.on_data(connection);
    }

    fn on_ready(&mut self, connection: &mut Connection<'_>) {
        self.protocol.on_ready(connection);
    }

    fn on_shutdown(&mut self, connection: &mut Connection<'_>) {
        self.protocol.on_shutdown(connection);
    }

    fn on_close(&mut self, server: &Server, id: ConnectionId, reason: &Reason) {
        self.protocol.on_close(server, id, reason);
    }

    fn ping(&mut self, connection: &mut Connection<'_>) {
        self.protocol.ping(connection);
    }
}

/// The hooks of one connection, and what they must remember.
struct Tls {
    tls: ServerConnection,
    /// The last read filled its buffer: more may be decrypted already.
    has_more: bool,
}

impl Hooks for Tls {
    fn read(&mut self, socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buffer) {
                // Nothing is decrypted: the socket may have more.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => {
                    self.has_more = result.as_ref().is_ok_and(|&count| count == buffer.len());
                    return result;
                }
            }
            self.has_more = false;
            if self.tls.read_tls(&mut Socket(socket))? == 0 {
                return Ok(0);
            }
            let processed = self.tls.process_new_packets();
            // The next part of the handshake, or an alert that says what was wrong.
            match self.flush(socket) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }

    // ANCHOR: write
    fn write(&mut self, socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        // Encrypted now, and sent as far as there is room: what was taken is not what was sent.
        let taken = self.tls.writer().write(bytes)?;
        match self.flush(socket) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }
    // ANCHOR_END: write

    fn flush(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut Socket(socket))?;
        }
        Ok(())
    }

    fn wants_room(&self) -> bool {
        self.tls.wants_write()
    }

    fn has_input(&self) -> bool {
        self.has_more
    }

    fn end(&mut self, socket: BorrowedFd<'_>) {
        self.tls.send_close_notify();
        let _ = self.flush(socket);
    }
}

/// A socket as rustls wants it.
struct Socket<'fd>(BorrowedFd<'fd>);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(nix::unistd::read(self.0, buffer)?)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self.0.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
