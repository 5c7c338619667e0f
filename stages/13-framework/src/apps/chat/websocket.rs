//! A client that speaks WebSocket (RFC 6455). The framing is tungstenite's, which wants a stream to read and
//! write: here that is two buffers, between the callbacks and it.

use super::{MAX_LINE, note, say};
use framework::{Connection, ConnectionId, Protocol, Reason, Server};
use std::io::{self, Read, Write};
use std::sync::Arc;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

pub(super) const SERVICE: &str = "chat-websocket";

/// One conversation.
pub(super) struct WebSocket {
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
    let mut bytes = Vec::new();
    Frame::message(line.to_owned(), OpCode::Data(Data::Text), true)
        .format(&mut bytes)
        .expect("a vector takes every byte");
    bytes.into()
}

impl WebSocket {
    /// A conversation whose handshake is over.
    pub(super) fn new() -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(MAX_LINE)
            .max_message_size(Some(MAX_LINE))
            .max_frame_size(Some(MAX_LINE));
        Self { context: WebSocketContext::new(Role::Server, Some(config)), wire: Wire::default() }
    }

    /// Says each message that is complete, and answers pings and the close.
    pub(super) fn received(&mut self, bytes: &[u8], connection: &mut Connection<'_>) {
        self.wire.input.extend_from_slice(bytes);
        let end = loop {
            match self.context.read(&mut self.wire) {
                Ok(Message::Text(text)) => {
                    text.as_str().lines().for_each(|line| say(connection, line));
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
            _ => connection.drop_because("it does not keep to RFC 6455"),
        }
    }
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
