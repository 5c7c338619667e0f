//! The dashboard's own routes, and who may ask them.

use super::Shared;
use super::page::{MAX_PAGES, Page, SERVICE};
use crate::apps::authority::{is_loopback, is_same};
use crate::apps::front::{Caller, Site};
use framework::{Connection, Server};
use kit::protocol::http::own::{Head, Request, Responder, Taken, Then};
use kit::session::Timeouts;
use std::str::from_utf8;
use std::sync::Arc;

/// The longest body of an action, in bytes.
const MAX_BODY: u64 = 1024;

/// In every reply of its own.
const FIELDS: &str = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";

/// Neither scripts nor anything else from elsewhere, and no frame around the page.
const POLICY: &str = "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; script-src \
                      'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'\r\n";

impl Site for Shared {
    fn find(&self, head: &Head<'_>) -> Option<Taken> {
        let is_get = matches!(head.method, "GET" | "HEAD");
        let allow = match head.path {
            // Other clients get the greeting of every stage.
            "/" if is_get && head.values("accept").any(wants_html) => "GET, HEAD, OPTIONS",
            "/events" => "GET, OPTIONS",
            path if path.starts_with("/actions/") => "POST, OPTIONS",
            _ => return None,
        };
        Some(Taken { allow, max_body: MAX_BODY })
    }

    fn answer(&self, request: &Request, caller: &Caller, to: Responder<'_>) -> Then {
        let pages = || self.server.get().map_or(0, |server: &Server| server.count(Some(SERVICE)));
        match (check(request, caller), request.path.strip_prefix("/actions/")) {
            (Err((status, why)), _) => to.say(status, FIELDS, why),
            (Ok(()), Some(name)) => match self.perform(name, &request.body) {
                Ok(()) => to.say("200 OK", FIELDS, "done"),
                Err((status, why)) => to.say(status, FIELDS, &why),
            },
            (Ok(()), None) if request.path == "/" => {
                let kind = "Content-Type: text/html; charset=utf-8\r\nVary: Accept\r\n";
                to.send("200 OK", &[kind, POLICY, FIELDS].concat(), self.page.as_bytes());
            }
            _ if pages() >= MAX_PAGES => to.say("503 Service Unavailable", FIELDS, "too many pages are open"),
            _ => return Then::TakenOver,
        }
        Then::Answered
    }

    fn take_over(self: &Arc<Self>, _: Request, connection: &mut Connection<'_>) {
        Page::begin(connection, self);
    }

    fn timeouts(&self, given: Timeouts) -> Timeouts {
        self.switches.timeouts(given)
    }
}

/// Whether a page is wanted (RFC 9110 §12.5.1): HTML by name, and not with a weight of 0.
fn wants_html(accept: &[u8]) -> bool {
    let mut ranges = from_utf8(accept).unwrap_or_default().split(',');
    ranges.any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_html = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
        let weight = |part: &str| part.strip_prefix(['q', 'Q'])?.strip_prefix('=')?.parse::<f32>().ok();
        is_html && !parts.any(|part| weight(part) == Some(0.0))
    })
}

/// Whether the request comes from this machine, and from a page of ours.
fn check(request: &Request, caller: &Caller) -> Result<(), (&'static str, &'static str)> {
    let is_local = caller.server.ip().is_loopback() || caller.address.is_some_and(|ip| ip.is_loopback());
    if !is_local {
        return Err(("403 Forbidden", "this is for the machine of the server"));
    }
    let text = |name| request.values(name).next().and_then(|value| from_utf8(value).ok()).unwrap_or_default();
    let host = text("host");
    if !is_loopback(host, caller.server.port()) {
        let why = "the host must be localhost or a loopback address, with the server's port";
        return Err(("403 Forbidden", why));
    }
    let is_ours = |origin: &[u8]| from_utf8(origin).is_ok_and(|origin| is_same(origin, host));
    if !request.values("origin").all(is_ours) {
        return Err(("403 Forbidden", "pages of other origins may not ask this"));
    }
    let kind = text("content-type").split(';').next().unwrap_or_default();
    // A form of another site cannot be sent as JSON.
    if request.method == "POST" && !kind.trim().eq_ignore_ascii_case("application/json") {
        return Err(("415 Unsupported Media Type", "an action is application/json"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::actions::Switches;
    use super::super::load::Load;
    use super::*;
    use crate::apps::front::tests::{codes, replies};
    use std::time::Duration;

    const HOST: &str = "Host: localhost:8080\r\n";
    const JSON: &str = "Content-Type: application/json; charset=utf-8\r\n";
    const PAGE: &str = "GET / HTTP/1.1\r\nHost: localhost:8080\r\nAccept: text/html,*/*;q=0.8\r\n\r\n";
    const EVENTS: &str = "GET /events HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    const BYTES: &str = "GET /bytes/3 HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";

    fn site() -> Arc<Shared> {
        let second = Duration::from_secs(1);
        Arc::new(Shared::new(Switches::new(second, second), Load::new(false)))
    }

    fn post(name: &str, fields: &str, body: &str) -> String {
        let length = body.len();
        format!("POST /actions/{name} HTTP/1.1\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
    }

    /// Protects whoever watches: an action takes a host of ours, our own origin if there is one, JSON, and a
    /// bounded body.
    #[test]
    fn an_action_is_taken_only_from_the_page_itself() {
        let site = site();
        let ask = |fields: &[&str], body: &str| {
            let (text, taken) = replies(&site, &post("stop", &fields.concat(), body));
            assert!(taken.is_none());
            codes(&text).join(" ")
        };
        let origin = "Origin: http://localhost:8080\r\n";
        assert_eq!(ask(&[HOST, JSON], "{}"), "200");
        assert_eq!(ask(&[HOST, JSON, origin], "{}"), "200");
        for (fields, expected) in [
            ([JSON, ""], "400"),
            ([HOST, ""], "415"),
            ([HOST, "Content-Type: text/plain\r\n"], "415"),
            (["Host: site.example:8080\r\n", JSON], "403"),
            (["Host: localhost:8080\r\nHost: localhost:8080\r\n", JSON], "400"),
            (["Host: localhost:8080\r\nOrigin: http://site.example\r\n", JSON], "403"),
            (["Host: localhost:8080\r\nOrigin: null\r\n", JSON], "403"),
            (["Host: localhost:8080\r\nTransfer-Encoding: chunked\r\n", JSON], "400"),
            (["Host: localhost:8080\r\nContent-Length: 0\r\n", JSON], "400"),
            (["Host: localhost:8080\r\nExpect: a miracle\r\n", JSON], "417"),
        ] {
            assert_eq!(ask(&fields, "{}"), expected, "{fields:?}");
        }
        assert_eq!(ask(&[HOST, JSON], &"x".repeat(1025)), "413");
        assert_eq!(ask(&[HOST, JSON, "Expect: 100-continue\r\n"], "{}"), "100 200");
        let half = post("stop", &[HOST, JSON].concat(), "{}").replace("{}", "{");
        assert_eq!(codes(&replies(&site, &half).0), ["408"]);
        let rebound = PAGE.replace("localhost", "site.example");
        assert_eq!(codes(&replies(&site, &rebound).0), ["403"]);
    }

    /// Protects the order of replies: what is pipelined behind a request of kit's, or of ours, is answered by
    /// whom it concerns, and nothing is answered behind a stream, which does not end.
    #[test]
    fn pipelined_requests_are_answered_in_order_whoever_answers_them() {
        let site = site();
        let stop = post("stop", &[HOST, JSON].concat(), "{}");
        let (text, taken) = replies(&site, &[BYTES, &stop, PAGE, BYTES].concat());
        assert!(taken.is_none());
        let bodies: Vec<&str> = text.split("HTTP/1.1 200 OK\r\n").skip(1).collect();
        assert_eq!(bodies.len(), 4, "{text}");
        assert!(bodies[0].ends_with("\r\n\r\n012") && bodies[1].ends_with("\r\n\r\ndone\n"), "{text}");
        assert!(bodies[2].ends_with("</html>\n") && bodies[3].ends_with("\r\n\r\n012"), "{text}");
        let (text, taken) = replies(&site, &[BYTES, EVENTS, BYTES].concat());
        assert_eq!((codes(&text), taken.map(|request| request.path)), (vec!["200"], Some("/events".into())));
    }

    /// Protects a client that has asked by HEAD, by OPTIONS or by a method that is not taken: it gets what
    /// HTTP promises, and no body that it would take for the next reply.
    #[test]
    fn methods_are_answered_as_on_every_route() {
        let site = site();
        for (request, code) in [
            ("HEAD /events", "405"),
            ("HEAD /actions/stop", "405"),
            ("POST /events", "405"),
            ("OPTIONS /actions/stop", "204"),
            ("FOO /events", "501"),
        ] {
            let input = format!("{request} HTTP/1.1\r\n{HOST}\r\n");
            let (text, taken) = replies(&site, &input);
            assert!(codes(&text) == [code] && taken.is_none(), "{request}: {text}");
            assert!(text.contains("\r\nDate: ") && text.contains("\r\nServer: "), "{text}");
            assert!(code == "501" || text.contains("\r\nAllow: "), "{text}");
            assert!(!request.starts_with("HEAD") || text.ends_with("\r\n\r\n"), "{text}");
        }
        for head in [PAGE.to_owned(), PAGE.replace("localhost", "site.example")] {
            let (text, _) = replies(&site, &head.replace("GET", "HEAD"));
            assert!(text.ends_with("\r\n\r\n") && text.contains("Content-Length: "), "{text}");
        }
    }

    /// Protects the routes of every stage, and the page of a browser that sends many fields.
    #[test]
    fn the_page_is_for_whoever_accepts_html() {
        let site = site();
        let many: String = (0..70).map(|number| format!("X-{number}: a\r\n")).collect();
        for (accept, is_page) in [
            ("text/html", true),
            ("application/xml, Text/HTML;level=1;q=0.5", true),
            ("*/*", false),
            ("text/html;q=0, */*", false),
            ("text/html; q=0.000", false),
            ("text/htmlx", false),
        ] {
            let input = format!("GET / HTTP/1.1\r\n{HOST}{many}Accept: {accept}\r\n\r\n");
            let (text, _) = replies(&site, &input);
            assert!(text.ends_with(if is_page { "</html>\n" } else { "Hello, World!" }), "{accept}");
        }
    }
}
