//! Requests that an application answers itself, ahead of the routes of every stage (stage 13).
//!
//! Everything about them that is not the answer is kit's: parsing, limits, framing, `Expect`, 405 and
//! OPTIONS, Date and Server, the body of a reply to HEAD, and that replies leave in the order of their
//! requests.

use super::reply::{Manner, Reply};
use crate::clock::LoopContext;
use crate::write_buffer::WriteBuffer;
use httparse::Header;

/// The routes of an application.
pub trait Routes: Send {
    /// False: there are none, and the compiler leaves out what concerns them.
    const EXIST: bool = true;

    /// How a request is taken, if it is for the application. None: it is answered as by every stage.
    fn find(&self, head: &Head<'_>) -> Option<Taken>;

    /// Answers a request, with its body, by a method that the target takes.
    fn answer(&self, request: Request, to: Responder<'_>) -> Then;
}

/// No routes but those of every stage.
#[derive(Clone, Copy, Debug)]
pub struct NoRoutes;

impl Routes for NoRoutes {
    const EXIST: bool = false;

    fn find(&self, _: &Head<'_>) -> Option<Taken> {
        None
    }

    fn answer(&self, _: Request, _: Responder<'_>) -> Then {
        Then::Answered
    }
}

/// What a request asks for, before its body.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// As it was sent: it may be unknown.
    pub method: &'a str,
    /// Decoded. It begins with a slash, and has neither `..` nor empty segments but a last one.
    pub path: &'a str,
    pub(super) sent: &'a str,
    pub(super) headers: &'a [Header<'a>],
    pub(super) http_1_0: bool,
}

impl<'a> Head<'a> {
    /// The values of a field, of which each line has one. Names have no case.
    pub fn values(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value)
    }
}

/// How a request is taken.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// The methods of the target, as they stand in Allow: OPTIONS among them, which kit answers.
    pub allow: &'static str,
    /// The longest body, in bytes, unless that of all requests is less.
    pub max_body: u64,
}

/// A request of an application.
#[derive(Debug)]
pub struct Request {
    /// One of those that the target takes.
    pub method: String,
    /// [`Head::path`].
    pub path: String,
    /// What follows the question mark, as it was sent.
    pub query: String,
    /// In the order of their lines.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Without its framing.
    pub body: Vec<u8>,
    /// The version is 1.0, and not 1.1.
    pub http_1_0: bool,
}

impl Request {
    pub(super) fn new(head: &Head<'_>) -> Self {
        let query = head.sent.split_once('?').map_or("", |(_, query)| query);
        let owned = |header: &Header<'_>| (header.name.to_owned(), header.value.to_owned());
        Self {
            method: head.method.to_owned(),
            path: head.path.to_owned(),
            query: query.to_owned(),
            headers: head.headers.iter().map(owned).collect(),
            body: Vec::new(),
            http_1_0: head.http_1_0,
        }
    }

    /// The values of a field: see [`Head::values`].
    pub fn values(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        let named = self.headers.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| &value[..])
    }
}

/// What becomes of a conversation after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The reply was written.
    Answered,
    /// HTTP ends here. What the peer has sent behind the request is dropped, and once the replies before it
    /// have left the application goes on with the socket.
    TakenOver,
}

/// Writes one reply.
pub struct Responder<'a> {
    pub(super) out: &'a mut WriteBuffer,
    pub(super) now: &'a LoopContext,
    pub(super) manner: Manner,
}

impl Responder<'_> {
    /// Writes it: `status` is the code and its reason phrase, and each of `fields` a line that ends in CR LF.
    pub fn send(self, status: &str, fields: &str, body: &[u8]) {
        let length = body.len() as u64;
        Reply::start_own(self.out, self.now, status, fields).length(length).end(self.manner);
        if !self.manner.head_only {
            self.out.extend(body);
        }
    }

    /// Writes a reply whose body is one line.
    pub fn say(self, status: &str, fields: &str, text: &str) {
        let fields = format!("Content-Type: text/plain; charset=utf-8\r\n{fields}");
        self.send(status, &fields, format!("{text}\n").as_bytes());
    }
}
