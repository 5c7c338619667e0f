//! The status codes that this server uses (RFC 9110 §15).

const VERSION: &str = "HTTP/1.1 ";
/// The length of what follows the status line in [`Status::head`].
const BEHIND_LINE: usize = "\r\nServer: c10k-lab\r\nDate: ".len();

/// In one piece, so that it is copied with a few moves.
macro_rules! head {
    ($line:literal) => {
        concat!("HTTP/1.1 ", $line, "\r\nServer: c10k-lab\r\nDate: ")
    };
}

/// A status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Continue,
    Ok,
    NoContent,
    PartialContent,
    MovedPermanently,
    NotModified,
    BadRequest,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    PreconditionFailed,
    ContentTooLarge,
    UriTooLong,
    RangeNotSatisfiable,
    ExpectationFailed,
    HeaderFieldsTooLarge,
    InternalServerError,
    NotImplemented,
    ServiceUnavailable,
    VersionNotSupported,
}

impl Status {
    /// The beginning of a reply's head: the status line, Server, and the name of Date.
    #[inline(always)]
    pub(super) fn head(self) -> &'static str {
        match self {
            Self::Continue => head!("100 Continue"),
            Self::Ok => head!("200 OK"),
            Self::NoContent => head!("204 No Content"),
            Self::PartialContent => head!("206 Partial Content"),
            Self::MovedPermanently => head!("301 Moved Permanently"),
            Self::NotModified => head!("304 Not Modified"),
            Self::BadRequest => head!("400 Bad Request"),
            Self::Forbidden => head!("403 Forbidden"),
            Self::NotFound => head!("404 Not Found"),
            Self::MethodNotAllowed => head!("405 Method Not Allowed"),
            Self::RequestTimeout => head!("408 Request Timeout"),
            Self::PreconditionFailed => head!("412 Precondition Failed"),
            Self::ContentTooLarge => head!("413 Content Too Large"),
            Self::UriTooLong => head!("414 URI Too Long"),
            Self::RangeNotSatisfiable => head!("416 Range Not Satisfiable"),
            Self::ExpectationFailed => head!("417 Expectation Failed"),
            Self::HeaderFieldsTooLarge => head!("431 Request Header Fields Too Large"),
            Self::InternalServerError => head!("500 Internal Server Error"),
            Self::NotImplemented => head!("501 Not Implemented"),
            Self::ServiceUnavailable => head!("503 Service Unavailable"),
            Self::VersionNotSupported => head!("505 HTTP Version Not Supported"),
        }
    }

    /// The code and its reason phrase, as they stand in the status line.
    #[inline]
    pub(super) fn line(self) -> &'static str {
        let head = self.head();
        &head[VERSION.len()..head.len() - BEHIND_LINE]
    }
}

/// Why a request cannot be answered at all: where the next one begins is unknown or not to be trusted, so
/// the connection closes behind the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reject {
    /// The status of the reply.
    pub(super) status: Status,
    /// What was wrong, for the body of the reply.
    pub(super) why: &'static str,
}

impl Reject {
    /// 400, the usual case.
    pub(super) const fn bad(why: &'static str) -> Self {
        Self { status: Status::BadRequest, why }
    }
}
