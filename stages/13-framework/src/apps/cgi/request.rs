//! One request, read until it is whole, and then the wait for its program.

use super::Limits;
use super::environment::Asked;
use super::program::Program;
use super::reply::{Outcome, error};
use framework::{Connection, ConnectionId, Protocol, Reason, Server};
use httparse::{EMPTY_HEADER, Status};
use nix::sys::socket::{SockaddrIn, getpeername};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::Duration;

/// The longest head, in bytes.
const MAX_HEAD: usize = 8 * 1024;
const MAX_HEADERS: usize = 64;
/// The longest body, in bytes: what a pipe holds (pipe(7)).
const MAX_BODY: usize = 64 * 1024;

/// One connection.
pub(super) struct Request {
    limits: Arc<Limits>,
    input: Vec<u8>,
    program: Option<Program>,
}

/// What the bytes so far are.
enum Parsed {
    More,
    Whole(Asked),
    Wrong(&'static str),
}

impl Request {
    /// A connection that has sent nothing.
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        Self { limits, input: Vec::new(), program: None }
    }

    fn start(&mut self, asked: &Asked, connection: &mut Connection<'_>) -> Result<(), &'static str> {
        let client = getpeername::<SockaddrIn>(connection.as_fd().as_raw_fd());
        let client = client.map_or_else(|_| String::new(), |client| client.ip().to_string());
        let (id, is_head) = (connection.id(), asked.method == "HEAD");
        let answer = move |server: &Server, outcome: Outcome| {
            let reply = outcome.reply(is_head);
            let send = move |connection: &mut Connection<'_>| {
                connection.write_move(reply);
                connection.close();
            };
            // Nobody waits for it any more: then there is nothing to do.
            server.fd_task(id, send, |_| {});
        };
        let started = Program::start(connection.server(), &self.limits, asked, &client, answer);
        self.program = Some(started.map_err(|error| match error.kind() {
            ErrorKind::NotFound => "404 Not Found",
            ErrorKind::PermissionDenied => "403 Forbidden",
            _ => "503 Service Unavailable",
        })?);
        // The program's time counts now. Whoever has asked for one reply gets one.
        connection.set_timeout(Duration::ZERO);
        connection.hold(true);
        Ok(())
    }
}

impl Protocol for Request {
    fn service(&self) -> &'static str {
        "cgi"
    }

    fn on_data(&mut self, connection: &mut Connection<'_>) {
        let Ok(bytes) = connection.receive() else { return };
        if self.program.is_some() {
            // What comes behind the request is dropped; an end of it changes nothing.
            return;
        }
        self.input.extend_from_slice(bytes);
        let refused = match parse(&self.input) {
            Parsed::More => return,
            Parsed::Wrong(status) => status,
            Parsed::Whole(asked) => match self.start(&asked, connection) {
                Ok(()) => return,
                Err(status) => status,
            },
        };
        connection.write_move(error(refused));
        connection.close();
    }

    /// A request whose program runs is in flight.
    fn on_shutdown(&mut self, connection: &mut Connection<'_>) {
        if self.program.is_none() {
            connection.close();
        }
    }

    fn on_close(&mut self, _: &Server, _: ConnectionId, _: &Reason) {
        // The client has gone, or has its reply: its program need not go on.
        self.program.iter().for_each(Program::kill);
    }
}

fn parse(input: &[u8]) -> Parsed {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(input) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if input.len() < MAX_HEAD => return Parsed::More,
        Ok(Status::Partial) => return Parsed::Wrong("431 Request Header Fields Too Large"),
        Err(_) => return Parsed::Wrong("400 Bad Request"),
    };
    let mut asked = Asked {
        method: request.method.unwrap_or_default().to_owned(),
        program: String::new(),
        path_info: String::new(),
        query: String::new(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let mut body = 0;
    for header in request.headers.iter() {
        let Ok(value) = std::str::from_utf8(header.value) else { return Parsed::Wrong("400 Bad Request") };
        match header.name.to_ascii_lowercase().as_str() {
            "transfer-encoding" => return Parsed::Wrong("501 Not Implemented"),
            "content-length" => match value.parse() {
                Ok(length) if value.bytes().all(|byte| byte.is_ascii_digit()) => body = length,
                _ => return Parsed::Wrong("400 Bad Request"),
            },
            _ => asked.headers.push((header.name.to_owned(), value.to_owned())),
        }
    }
    if !matches!(asked.method.as_str(), "GET" | "HEAD" | "POST") {
        return Parsed::Wrong("501 Not Implemented");
    }
    if body > MAX_BODY {
        return Parsed::Wrong("413 Content Too Large");
    }
    let target = request.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(rest) = path.strip_prefix("/cgi-bin/") else { return Parsed::Wrong("404 Not Found") };
    let (program, info) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    // A name, and nothing that leads out of the directory: no dot at its beginning, no escape.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if program.is_empty() || program.starts_with('.') || !program.bytes().all(is_plain) {
        return Parsed::Wrong("404 Not Found");
    }
    (asked.program, asked.path_info, asked.query) = (program.to_owned(), info.to_owned(), query.to_owned());
    match input.get(length..length + body) {
        None => Parsed::More,
        Some(body) => {
            asked.body = body.to_vec();
            Parsed::Whole(asked)
        }
    }
}
