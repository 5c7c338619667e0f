//! Which requests are the dashboard's own: found in the bytes, and checked.

use super::authority::{is_loopback, is_same};
use httparse::{EMPTY_HEADER, Request, Status};

/// The longest body of an action, in bytes.
const MAX_BODY: usize = 1024;
const MAX_HEADERS: usize = 64;

/// What the input begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Something for kit's HTTP: another route, a head that is not complete, or one that is wrong.
    Other,
    /// A head of ours, and a body that is not complete.
    Unfinished,
    /// A request of ours that is `length` bytes long.
    Ours { asks: Asks, length: usize, keep_alive: bool },
    /// A request of ours that is refused with this status and this reason. The connection ends with it.
    Refused(&'static str, &'static str),
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// The page, or its head alone.
    Page { head_only: bool },
    /// The figures, as they come.
    Events,
    /// That something be done.
    Action { name: String, body: Vec<u8> },
}

/// The fields that matter.
#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a str>,
    origin: Option<&'a str>,
    content_type: Option<&'a str>,
    length: usize,
    wants_html: bool,
    closes: bool,
    /// One of them is there twice, or is unreadable.
    wrong: bool,
}

/// Looks at the beginning of the input. `port` is where the server listens.
pub(super) fn find(input: &[u8], port: u16) -> Found {
    // Most requests are kit's, and are told from ours by a few bytes.
    let begins = |prefix: &[u8]| input.starts_with(prefix);
    let (page, head) = (begins(b"GET / "), begins(b"HEAD / "));
    let target = input.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    if !page && !head && target != b"/events" && !target.starts_with(b"/actions/") {
        return Found::Other;
    }
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    let Ok(Status::Complete(head_length)) = request.parse(input) else { return Found::Other };
    let fields = fields(&request);
    if (page || head) && !fields.wants_html {
        return Found::Other;
    }
    let action = request.path.unwrap_or_default().strip_prefix("/actions/");
    let asks = match (request.method.unwrap_or_default(), action) {
        ("GET" | "HEAD", None) if page || head => Asks::Page { head_only: head },
        ("GET", None) => Asks::Events,
        ("POST", Some(name)) => Asks::Action { name: name.to_owned(), body: Vec::new() },
        (_, None) => return Found::Refused("405 Method Not Allowed", "GET is what the events take"),
        (_, Some(_)) => return Found::Refused("405 Method Not Allowed", "POST is what an action takes"),
    };
    if let Err((status, reason)) = check(&fields, &asks, port) {
        return Found::Refused(status, reason);
    }
    let length = head_length + fields.length;
    let Some(body) = input.get(head_length..length) else { return Found::Unfinished };
    let asks = match asks {
        Asks::Action { name, .. } => Asks::Action { name, body: body.to_vec() },
        other => other,
    };
    Found::Ours { asks, length, keep_alive: request.version == Some(1) && !fields.closes }
}

fn fields<'a>(request: &Request<'_, 'a>) -> Fields<'a> {
    let mut fields = Fields::default();
    for header in request.headers.iter() {
        let Ok(value) = std::str::from_utf8(header.value) else { continue };
        let once = |field: &mut Option<&'a str>| field.replace(value).is_some();
        match header.name.to_ascii_lowercase().as_str() {
            "host" => fields.wrong |= once(&mut fields.host),
            "origin" => fields.wrong |= once(&mut fields.origin),
            "content-type" => fields.wrong |= once(&mut fields.content_type),
            "transfer-encoding" => fields.wrong = true,
            "content-length" => {
                let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                fields.wrong |= !is_number || fields.length > 0;
                // Too many digits are too many bytes.
                fields.length = value.parse().unwrap_or(usize::MAX);
            }
            "accept" => fields.wants_html |= value.to_ascii_lowercase().contains("text/html"),
            "connection" => fields.closes |= value.to_ascii_lowercase().contains("close"),
            _ => {}
        }
    }
    fields
}

fn check(fields: &Fields<'_>, asks: &Asks, port: u16) -> Result<(), (&'static str, &'static str)> {
    let Some(host) = fields.host.filter(|_| !fields.wrong) else {
        return Err(("400 Bad Request", "one Host is needed, and a Content-Length for a body"));
    };
    if !is_loopback(host, port) {
        return Err((
            "403 Forbidden",
            "the host must be localhost or a loopback address, with the server's port",
        ));
    }
    if fields.origin.is_some_and(|origin| !is_same(origin, host)) {
        return Err(("403 Forbidden", "pages of other origins may not ask this"));
    }
    if fields.length > MAX_BODY {
        return Err(("413 Content Too Large", "a body may have 1024 bytes"));
    }
    let kind = fields.content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    // A form of another site cannot be sent as JSON.
    if matches!(asks, Asks::Action { .. }) && !kind.trim().eq_ignore_ascii_case("application/json") {
        return Err(("415 Unsupported Media Type", "an action is application/json"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(fields: &str, body: &str) -> Vec<u8> {
        format!("POST /actions/sleep HTTP/1.1\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len()).into()
    }

    const HOST: &str = "Host: localhost:8080\r\n";
    const JSON: &str = "Content-Type: application/json; charset=utf-8\r\n";

    /// Protects the routes of every stage: nothing of theirs is taken, whatever piece of it has come.
    #[test]
    fn what_is_not_the_dashboards_is_left_alone() {
        let whole = "GET / HTTP/1.1\r\nHost: localhost:8080\r\nAccept: text/html,*/*;q=0.8\r\n\r\n";
        for length in 0..whole.len() {
            assert_eq!(find(&whole.as_bytes()[..length], 8080), Found::Other, "{length} bytes");
        }
        let asks = Asks::Page { head_only: false };
        let ours = Found::Ours { asks, length: whole.len(), keep_alive: true };
        assert_eq!(find(format!("{whole}GET").as_bytes(), 8080), ours);
        for other in [
            "GET / HTTP/1.1\r\nHost: localhost:8080\r\nAccept: */*\r\n\r\n",
            "GET /bytes/1 HTTP/1.1\r\nHost: localhost:8080\r\nAccept: text/html\r\n\r\n",
            "GET /eventsx HTTP/1.1\r\nHost: localhost:8080\r\n\r\n",
            "GET /events HTTP/1.1\r\nHost localhost\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 0\r\n\r\n",
        ] {
            assert_eq!(find(other.as_bytes(), 8080), Found::Other, "{other}");
        }
    }

    /// Protects whoever watches: an action takes a host of ours, our own origin if there is one, JSON, and a
    /// bounded body.
    #[test]
    fn an_action_is_taken_only_from_the_page_itself() {
        let status = |request: Vec<u8>| match find(&request, 8080) {
            Found::Refused(status, _) => status[..3].parse().unwrap(),
            Found::Ours { length, .. } if length == request.len() => 200,
            other => panic!("{other:?}"),
        };
        let origin = "Origin: http://localhost:8080\r\n";
        assert_eq!(status(post(&[HOST, JSON].concat(), "{}")), 200);
        assert_eq!(status(post(&[HOST, JSON, origin].concat(), "{}")), 200);
        for (fields, expected) in [
            ([JSON, ""], 400),
            ([HOST, ""], 415),
            ([HOST, "Content-Type: text/plain\r\n"], 415),
            (["Host: site.example:8080\r\n", JSON], 403),
            (["Host: localhost:8080\r\nHost: localhost:8080\r\n", JSON], 400),
            (["Host: localhost:8080\r\nOrigin: http://site.example\r\n", JSON], 403),
            (["Host: localhost:8080\r\nOrigin: null\r\n", JSON], 403),
            (["Host: localhost:8080\r\nTransfer-Encoding: chunked\r\n", JSON], 400),
        ] {
            assert_eq!(status(post(&fields.concat(), "{}")), expected, "{fields:?}");
        }
        assert_eq!(status(post(&[HOST, JSON].concat(), &"x".repeat(1025))), 413);
        let whole = post(&[HOST, JSON].concat(), "{}");
        assert_eq!(find(&whole[..whole.len() - 1], 8080), Found::Unfinished);
        let get = "GET /actions/sleep HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
        assert_eq!(status(get.into()), 405);
        let rebound = "GET / HTTP/1.1\r\nHost: site.example:8080\r\nAccept: text/html\r\n\r\n";
        assert_eq!(status(rebound.into()), 403);
    }
}
