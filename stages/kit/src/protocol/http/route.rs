//! What a request asks for.

use super::grammar::decimal;
use super::limits::Limits;
use super::own;
use super::serve::FileRequest;
use super::settings::Settings;
use super::status::{Reject, Status};
use super::target::{self, Fault, Target};
use httparse::Header;

/// The methods that this server knows, as far as it must distinguish them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Post,
    Options,
    Connect,
    /// Known, and taken by no route: PUT, DELETE, TRACE, PATCH.
    Other,
}

impl Method {
    /// The method of that name; names are case-sensitive (RFC 9110 §9.1).
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "OPTIONS" => Self::Options,
            "CONNECT" => Self::Connect,
            "PUT" | "DELETE" | "TRACE" | "PATCH" => Self::Other,
            _ => return None,
        })
    }
}

/// The methods of the server as a whole, for `OPTIONS *`.
const ALLOW_ALL: &str = "GET, HEAD, POST, OPTIONS";
/// The methods of everything that can be fetched.
const ALLOW_GET: &str = "GET, HEAD, OPTIONS";
/// The methods of `/echo`.
const ALLOW_POST: &str = "POST, OPTIONS";

/// The route of a method that nothing here knows.
const UNKNOWN: Route = Route::Refuse(Status::NotImplemented, "unknown method");

/// What a request asks for.
#[derive(Debug)]
pub(super) enum Route {
    /// `/`
    Hello,
    /// `/bytes/N`
    Bytes(u64),
    /// `/sleep/MS`
    Sleep(u64),
    /// `/spin/US`
    Spin(u64),
    /// `POST /echo`
    Echo,
    /// A file below `--root`.
    File(Box<FileRequest>),
    /// Something of an application's own.
    Own(Box<own::Request>),
    /// The methods that the target takes.
    Options(&'static str),
    /// The target exists and does not take the method; the methods that it takes.
    NotAllowed(&'static str),
    /// An error that concerns this request alone; the connection can stay.
    Refuse(Status, &'static str),
}

impl Route {
    /// Finds out what a request asks for.
    ///
    /// # Errors
    /// The target does not match the grammar, whatever the method is ([`target`]).
    pub(super) fn find(
        method: Option<Method>,
        target: &str,
        headers: &[Header<'_>],
        settings: &Settings,
    ) -> Result<Self, Reject> {
        let target = match target::parse(target) {
            Ok(target) => Ok(target),
            Err(Fault::NoSuchName(status, why)) => Err(Self::Refuse(status, why)),
            Err(Fault::Malformed(why)) => return Err(Reject::bad(why)),
        };
        let bad = |why| Ok(Self::Refuse(Status::BadRequest, why));
        let Some(method) = method else {
            return Ok(UNKNOWN);
        };
        let (sent, path) = match (target, method) {
            (Ok(Target::Authority), Method::Connect) => return Ok(Self::NotAllowed(ALLOW_ALL)),
            (Ok(_), Method::Connect) => return bad("CONNECT takes HOST:PORT"),
            (Ok(Target::Authority), _) => return bad("HOST:PORT is for CONNECT alone"),
            (Ok(Target::Asterisk), Method::Options) => return Ok(Self::Options(ALLOW_ALL)),
            (Ok(Target::Asterisk), _) => return bad("* is for OPTIONS alone"),
            (Ok(Target::Path { sent, path }), _) => (sent, path),
            (Err(refuse), _) => return Ok(refuse),
        };
        let route = match &*path {
            "/" => Self::Hello,
            "/echo" => Self::Echo,
            other => match Self::with_amount(other, &settings.limits) {
                Some(route) => route,
                None if settings.root.is_none() => {
                    return Ok(Self::Refuse(Status::NotFound, "no such path; files need --root"));
                }
                None => Self::File(Box::new(FileRequest::new(&other[1..], sent, headers))),
            },
        };
        let allow = if matches!(route, Self::Echo) { ALLOW_POST } else { ALLOW_GET };
        Ok(match method {
            _ if matches!(route, Self::Refuse(..)) => route,
            Method::Options => Self::Options(allow),
            Method::Post if allow == ALLOW_POST => route,
            Method::Get | Method::Head if allow == ALLOW_GET => route,
            _ => Self::NotAllowed(allow),
        })
    }

    /// The route of a request that an application takes by the methods of `allow`.
    pub(super) fn own(method: Option<Method>, allow: &'static str, head: &own::Head<'_>) -> Self {
        match method {
            None => UNKNOWN,
            Some(Method::Options) => Self::Options(allow),
            Some(_) if allow.split(", ").any(|name| name == head.method) => {
                Self::Own(Box::new(own::Request::new(head)))
            }
            Some(_) => Self::NotAllowed(allow),
        }
    }

    /// The routes that end in a number.
    fn with_amount(path: &str, limits: &Limits) -> Option<Self> {
        let (name, amount) = path[1..].split_once('/')?;
        let (max, route, why): (_, fn(u64) -> Self, _) = match name {
            "bytes" => (limits.max_bytes, Self::Bytes, "/bytes/N: N is a decimal, at most --max-bytes"),
            "sleep" => (limits.max_sleep, Self::Sleep, "/sleep/MS: MS is a decimal, at most --max-sleep"),
            "spin" => (limits.max_spin, Self::Spin, "/spin/US: US is a decimal, at most --max-spin"),
            _ => return None,
        };
        Some(match decimal(amount.as_bytes()) {
            Some(n) if n <= max => route(n),
            _ => Self::Refuse(Status::BadRequest, why),
        })
    }
}
