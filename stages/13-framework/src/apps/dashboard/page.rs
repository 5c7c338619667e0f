//! The page, and a connection that streams the figures to it (server-sent events: the HTML standard, §9.2).

use super::Shared;
use framework::{Connection, ConnectionId, Protocol, Reason, Server};
use kit::stderr::log_stderr;
use nix::sys::socket::{setsockopt, sockopt};
use std::time::Duration;

/// The name of the service, by which the sampler finds the pages.
pub(super) const SERVICE: &str = "dashboard-page";

/// How many pages may be open.
pub(super) const MAX_PAGES: usize = 256;

/// What the kernel buffers for a page, in bytes, which it doubles: a page that does not read is noticed soon.
const SEND_BUFFER: usize = 16 * 1024;

/// The document, with its style and its script within.
pub(super) fn document() -> String {
    include_str!("page.html")
        .replace("/* STYLE */", include_str!("page.css"))
        .replace("/* CHART */", include_str!("chart.js"))
        .replace("/* SCRIPT */", include_str!("page.js"))
}

/// One open page.
pub(super) struct Page;

impl Page {
    /// Makes a connection a stream of events; its request was read.
    pub(super) fn begin(connection: &mut Connection<'_>, shared: &Shared) {
        let _ = setsockopt(&*connection, sockopt::SndBuf, &SEND_BUFFER);
        let hello = serde_json::json!({
            "loop": connection.id().worker(),
            "may_load": shared.load.is_allowed(),
        });
        let date = String::from_utf8_lossy(&connection.now().date).into_owned();
        connection.write_move(
            format!(
                "HTTP/1.1 200 OK\r\nServer: c10k-lab\r\nDate: {date}\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\
                 X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n\
                 retry: 1000\nevent: hello\ndata: {hello}\n\n"
            )
            .into_bytes(),
        );
        // A page says nothing, and does not take its end from silence.
        connection.hold(false);
        connection.pause(false);
        connection.wait_for_room(false);
        connection.set_timeout(Duration::ZERO);
        connection.set_protocol(Box::new(Self));
    }
}

impl Protocol for Page {
    fn service(&self) -> &'static str {
        SERVICE
    }

    /// What a page sends is dropped; its end ends the stream.
    fn on_data(&mut self, connection: &mut Connection<'_>) {
        let _ = connection.receive();
    }

    fn on_shutdown(&mut self, connection: &mut Connection<'_>) {
        connection.close_now();
    }

    fn on_close(&mut self, _: &Server, _: ConnectionId, reason: &Reason) {
        if let Reason::Dropped(why) = reason {
            log_stderr(format_args!("a page was dropped: {why}"));
        }
    }
}
