//! The body of a request, while it is being read.

use super::chunked::Chunked;
use super::framing::Framing;
use super::limits::Limits;
use super::reply::Manner;
use super::request::Request;
use super::route::Route;
use super::status::Reject;

/// A request whose body is being read. It is answered when the body is complete.
#[derive(Debug)]
pub(super) struct Upload {
    /// How to reply.
    pub(super) manner: Manner,
    /// What to reply.
    pub(super) route: Route,
    /// The body so far; nothing where the route does not want it.
    pub(super) kept: Vec<u8>,
    end: End,
}

/// How the end of the body is found.
#[derive(Debug)]
enum End {
    /// So many bytes are left.
    Length(u64),
    /// The last chunk says so.
    Chunked(Chunked),
}

impl Upload {
    /// Before the first byte of the body, which has at most `max_body` of them.
    pub(super) fn new(request: Request, max_body: u64, limits: &Limits) -> Self {
        let Request { manner, route, framing, .. } = request;
        let end = match framing {
            Framing::Empty => End::Length(0),
            Framing::Length(length) => End::Length(length),
            Framing::Chunked => End::Chunked(Chunked::new(max_body, limits.max_header_bytes)),
        };
        Self { manner, route, kept: Vec::new(), end }
    }

    /// Takes bytes from the front of `input`. Returns how many, and whether the body is complete.
    pub(super) fn take(&mut self, input: &[u8]) -> Result<(usize, bool), Reject> {
        let Self { route, kept, end, .. } = self;
        let wanted = matches!(route, Route::Echo | Route::Own(_));
        // The vector grows with what came, not with what was announced: an announcement costs nothing.
        let mut keep = |data: &[u8]| {
            if wanted {
                kept.extend_from_slice(data);
            }
        };
        match end {
            End::Length(left) => {
                let take = (*left).min(input.len() as u64) as usize;
                keep(&input[..take]);
                *left -= take as u64;
                Ok((take, *left == 0))
            }
            End::Chunked(chunked) => chunked.decode(input, keep),
        }
    }
}
