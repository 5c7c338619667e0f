//! A client that has not shown yet what it speaks.

use super::lines::Lines;
use super::websocket::WebSocket;
use framework::{Connection, Protocol};
use httparse::{EMPTY_HEADER, Request, Status};
use tungstenite::handshake::derive_accept_key;

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 8 * 1024;
const MAX_HEADERS: usize = 64;

const PAGE: &str = include_str!("page.html");

/// Bytes that have come.
#[derive(Default)]
pub(super) struct Guest {
    input: Vec<u8>,
}

/// What a head asks for.
enum Asks {
    /// The head is not complete.
    More,
    /// The page.
    Page,
    /// A WebSocket, with this key; the head is so long.
    Upgrade(String, usize),
    /// Something else.
    Nonsense,
}

impl Protocol for Guest {
    fn service(&self) -> &'static str {
        "chat-guest"
    }

    fn on_data(&mut self, connection: &mut Connection<'_>) {
        let Ok(bytes) = connection.receive() else { return };
        self.input.extend_from_slice(bytes);
        let begins = self.input.len().min(4);
        if self.input[..begins] != b"GET "[..begins] {
            let mut lines = Lines::default();
            lines.received(&self.input, connection);
            return connection.set_protocol(Box::new(lines));
        }
        match asks(&self.input) {
            Asks::More if self.input.len() < MAX_HEAD => {}
            Asks::Upgrade(key, length) => {
                let accept = derive_accept_key(key.as_bytes());
                connection.write_move(
                    format!(
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                         Sec-WebSocket-Accept: {accept}\r\n\r\n"
                    )
                    .into_bytes(),
                );
                let mut socket = WebSocket::new();
                socket.received(&self.input[length..], connection);
                connection.set_protocol(Box::new(socket));
            }
            Asks::Page => reply(connection, "200 OK", "text/html; charset=utf-8", PAGE),
            Asks::More | Asks::Nonsense => {
                reply(connection, "400 Bad Request", "text/plain", "a WebSocket, or lines, please\n");
            }
        }
    }
}

fn reply(connection: &mut Connection<'_>, status: &str, kind: &str, body: &str) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    connection.write_move((head + body).into_bytes());
    connection.close();
}

fn asks(input: &[u8]) -> Asks {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    let length = match request.parse(input) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Asks::More,
        Err(_) => return Asks::Nonsense,
    };
    let value = |name: &str| {
        let header = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    // A page of another site may open a WebSocket to here in its reader's name (RFC 6455 §10.2).
    let is_ours = |origin: &str| value("Host").is_some_and(|host| origin.split("//").nth(1) == Some(host));
    match (value("Upgrade"), value("Sec-WebSocket-Key"), value("Sec-WebSocket-Version")) {
        (None, ..) if request.path == Some("/") => Asks::Page,
        (Some(upgrade), Some(key), Some("13"))
            if upgrade.eq_ignore_ascii_case("websocket") && value("Origin").is_none_or(is_ours) =>
        {
            Asks::Upgrade(key.to_owned(), length)
        }
        _ => Asks::Nonsense,
    }
}
