//! The chat over HTTP: its page, and the handshake of a WebSocket (RFC 6455 §4.2).

use super::Room;
use super::websocket::WebSocket;
use crate::apps::authority::{is_address, is_same};
use crate::apps::front::{Caller, Site};
use framework::Connection;
use kit::protocol::http::own::{Head, Request, Responder, Taken, Then};
use std::sync::Arc;
use tungstenite::handshake::derive_accept_key;

const PAGE: &str = include_str!("page.html");

/// What is refused: the status, fields, and the reason.
type Refused = (&'static str, &'static str, &'static str);

impl Site for Room {
    fn find(&self, _: &Head<'_>) -> Option<Taken> {
        Some(Taken { allow: "GET, HEAD, OPTIONS", max_body: u64::MAX })
    }

    fn answer(&self, request: &Request, _: &Caller, to: Responder<'_>) -> Then {
        if request.path != "/" {
            to.say("404 Not Found", "", "the chat is at /");
        } else if request.values("upgrade").next().is_none() {
            to.send("200 OK", "Content-Type: text/html; charset=utf-8\r\n", PAGE.as_bytes());
        } else {
            match check(request) {
                Ok(()) => return Then::TakenOver,
                Err((status, fields, why)) => to.say(status, fields, why),
            }
        }
        Then::Answered
    }

    fn take_over(self: &Arc<Self>, request: Request, connection: &mut Connection<'_>) {
        let accept = derive_accept_key(request.values("sec-websocket-key").next().unwrap_or_default());
        connection.write_move(
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            )
            .into_bytes(),
        );
        let socket = WebSocket::enter(self, connection);
        connection.set_protocol(Box::new(socket));
    }
}

/// Whether this is a handshake, and one of a page of ours: a page of another site may open a WebSocket to
/// here in its reader's name (§10.2).
fn check(request: &Request) -> Result<(), Refused> {
    let bad = |why| Err(("400 Bad Request", "", why));
    let text = |name| request.values(name).next().and_then(|value| std::str::from_utf8(value).ok());
    let has = |name, wanted: &str| {
        let lists = request.values(name).filter_map(|value| std::str::from_utf8(value).ok());
        lists.flat_map(|list| list.split(',')).any(|member| member.trim().eq_ignore_ascii_case(wanted))
    };
    let host = text("host").unwrap_or_default();
    if request.method != "GET" || request.http_1_0 {
        return bad("a WebSocket begins with a GET of HTTP/1.1");
    }
    if !has("upgrade", "websocket") || !has("connection", "upgrade") {
        return bad("Upgrade is for a WebSocket here, and stands in Connection too");
    }
    if text("sec-websocket-version") != Some("13") {
        let fields = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
        return Err(("426 Upgrade Required", fields, "the version of WebSocket is 13"));
    }
    if request.values("sec-websocket-key").count() != 1 || !text("sec-websocket-key").is_some_and(is_key) {
        return bad("Sec-WebSocket-Key is 16 bytes in base64");
    }
    if !is_address(host) {
        return Err(("403 Forbidden", "", "the host must be an address or localhost"));
    }
    let is_ours = |origin: &[u8]| std::str::from_utf8(origin).is_ok_and(|origin| is_same(origin, host));
    if !request.values("origin").all(is_ours) {
        return Err(("403 Forbidden", "", "pages of other origins may not join"));
    }
    Ok(())
}

/// 16 bytes are 22 characters and two signs that fill up (RFC 4648 §4).
fn is_key(key: &str) -> bool {
    let digits = key.strip_suffix("==").unwrap_or_default();
    digits.len() == 22 && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::front::tests::{codes, replies};

    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const UPGRADE: &str = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n";
    const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
    const HOST: &str = "Host: localhost:8080\r\n";

    /// Protects a reader of another site, whose page could speak here in the reader's name; and clients from
    /// a handshake that none of them meant.
    #[test]
    fn only_a_handshake_of_our_own_page_opens_a_websocket() {
        let room = Arc::<Room>::default();
        let ask = |head: &[&str]| replies(&room, &["GET / HTTP/1.1\r\n", &head.concat(), "\r\n"].concat());
        let whole = [HOST, UPGRADE, VERSION, KEY];
        for origin in ["", "Origin: http://localhost:8080\r\n"] {
            let (text, taken) = ask(&[&whole.concat(), origin]);
            assert!(text.is_empty() && taken.is_some(), "{text}");
        }
        let refused = |head: &[&str], code: &str| {
            let (text, taken) = ask(head);
            assert!(codes(&text) == [code] && taken.is_none(), "{head:?}: {text}");
            text
        };
        refused(&[&whole.concat(), "Origin: http://site.example\r\n"], "403");
        refused(&[&whole.concat(), "Origin: null\r\n"], "403");
        let rebound = "Host: site.example:8080\r\nOrigin: http://site.example:8080\r\n";
        refused(&[rebound, UPGRADE, VERSION, KEY], "403");
        refused(&[UPGRADE, VERSION, KEY], "400");
        refused(&[HOST, UPGRADE, VERSION], "400");
        refused(&[HOST, UPGRADE, VERSION, "Sec-WebSocket-Key: x\r\n"], "400");
        refused(&[HOST, UPGRADE, VERSION, KEY, KEY], "400");
        refused(&[HOST, "Upgrade: websocket\r\n", VERSION, KEY], "400");
        refused(&[HOST, "Upgrade: h2c\r\nConnection: Upgrade\r\n"], "400");
        let old = refused(&[HOST, UPGRADE, KEY, "Sec-WebSocket-Version: 8\r\n"], "426");
        assert!(old.contains("Sec-WebSocket-Version: 13\r\n"), "{old}");
        let (text, taken) = replies(&room, &["GET / HTTP/1.0\r\n", &whole.concat(), "\r\n"].concat());
        assert!(codes(&text) == ["400"] && taken.is_none(), "{text}");
        let posted = "POST / HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 5\r\n\r\nevil\n";
        assert_eq!(codes(&replies(&room, posted).0), ["405"]);
        let page = "HEAD / HTTP/1.1\r\nHost: localhost:8080\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(codes(&replies(&room, page).0), ["200", "404"]);
    }
}
