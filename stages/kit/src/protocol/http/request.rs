//! What a whole head asks for.

use super::fields::{Expect, Fields};
use super::framing::Framing;
use super::reply::Manner;
use super::route::{Method, Route};
use super::status::{Reject, Status};

/// What the head of a request says.
#[derive(Debug)]
pub(super) struct Request {
    /// How to reply.
    pub(super) manner: Manner,
    /// What to reply, once the body is there.
    pub(super) route: Route,
    /// How long the body is.
    pub(super) framing: Framing,
    /// The client waits for a 100 before it sends the body.
    pub(super) awaits_continue: bool,
}

impl Request {
    /// Reads a head whose fields have been read. `last`: the connection may have no more requests after this
    /// one. `find` finds the route.
    pub(super) fn read(
        head: &httparse::Request<'_, '_>,
        fields: Fields,
        max_body: u64,
        last: bool,
        find: impl FnOnce(Option<Method>) -> Result<Route, Reject>,
    ) -> Result<Self, Reject> {
        let http_1_0 = head.version == Some(0);
        let Fields { framing, expect, persistent } = fields;
        if matches!(framing, Framing::Length(length) if length > max_body) {
            return Err(Reject { status: Status::ContentTooLarge, why: "the body is over the limit" });
        }
        let method = Method::named(head.method.unwrap_or_default());
        let manner =
            Manner { head_only: method == Some(Method::Head), http_1_0, keep_alive: persistent && !last };
        let mut route = find(method)?;
        if expect == Expect::Other {
            let status = Status::ExpectationFailed;
            let why = "no expectation but 100-continue can be met";
            if framing != Framing::Empty {
                // The client may send the body now or leave it out: where its next request begins is unknown.
                return Err(Reject { status, why });
            }
            route = Route::Refuse(status, why);
        }
        let awaits_continue = expect == Expect::Continue && framing != Framing::Empty;
        Ok(Self { manner, route, framing, awaits_continue })
    }
}
