//! A client that speaks WebSocket (RFC 6455). The framing is tungstenite's, which wants a stream to read and
//! write: here that is two buffers, between the callbacks and it.

use super::{MAX_LINE, Room, note, say};
use framework::{Connection, ConnectionId, Protocol, Reason, Server};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

pub(super) const SERVICE: &str = "chat-websocket";

/// One conversation.
pub(super) struct WebSocket {
    name: String,
    context: WebSocketContext,
    wire: Wire,
}

/// What has arrived, and what is to be sent.
#[derive(Default)]
struct Wire {
    input: Vec<u8>,
    output: Vec<u8>,
}

/// A line as a frame, for any number of clients: a server's frames are not masked.
pub(super) fn frame(line: &str) -> Arc<[u8]> {
    bytes_of(Frame::message(line.to_owned(), OpCode::Data(Data::Text), true)).into()
}

fn bytes_of(frame: Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.format(&mut bytes).expect("a vector takes every byte");
    bytes
}

impl WebSocket {
    /// A client whose handshake is over.
    pub(super) fn enter(room: &Room, connection: &mut Connection<'_>) -> Self {
        let (name, greeting) = room.greet(connection.server());
        connection.write_move(frame(&greeting));
        // Its end is that of the peer's bytes, and whoever listens may be silent.
        connection.hold(false);
        connection.set_timeout(Duration::ZERO);
        let config = WebSocketConfig::default()
            .read_buffer_size(MAX_LINE)
            .max_message_size(Some(MAX_LINE))
            .max_frame_size(Some(MAX_LINE));
        let context = WebSocketContext::new(Role::Server, Some(config));
        Self { name, context, wire: Wire::default() }
    }

    /// Says each message that is complete, and answers pings and the close.
    pub(super) fn received(&mut self, bytes: &[u8], connection: &mut Connection<'_>) {
        self.wire.input.extend_from_slice(bytes);
        let end = loop {
            match self.context.read(&mut self.wire) {
                Ok(Message::Text(text)) => {
                    text.as_str().lines().for_each(|line| say(connection, &self.name, line));
                }
                Ok(_) => {}
                Err(end) => break end,
            }
        };
        let _ = self.context.flush(&mut self.wire);
        connection.write_move(std::mem::take(&mut self.wire.output));
        match end {
            Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Error::ConnectionClosed | Error::AlreadyClosed => connection.close(),
            Error::Capacity(_) => fail(CloseCode::Size, "its message is too long", connection),
            _ => fail(CloseCode::Protocol, "it does not keep to RFC 6455", connection),
        }
    }
}

/// Tells why the conversation ends, and ends it (§7.1.7).
fn fail(code: CloseCode, why: &'static str, connection: &mut Connection<'_>) {
    note(&Reason::Dropped(why));
    connection.write_move(bytes_of(Frame::close(Some(CloseFrame { code, reason: why.into() }))));
    connection.close();
}

impl Protocol for WebSocket {
    fn service(&self) -> &'static str {
        SERVICE
    }

    fn on_data(&mut self, connection: &mut Connection<'_>) {
        let Ok(bytes) = connection.receive() else { return };
        let bytes = bytes.to_vec();
        self.received(&bytes, connection);
    }

    fn on_shutdown(&mut self, connection: &mut Connection<'_>) {
        let _ = self.context.close(&mut self.wire, None);
        let _ = self.context.flush(&mut self.wire);
        connection.write_move(std::mem::take(&mut self.wire.output));
        connection.close();
    }

    fn on_close(&mut self, _: &Server, _: ConnectionId, reason: &Reason) {
        note(reason);
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = buffer.len().min(self.input.len());
        buffer[..count].copy_from_slice(&self.input[..count]);
        self.input.drain(..count);
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
