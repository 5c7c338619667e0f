//! Answering a request that is complete: at once, or after work that may block.

use super::reply::{self, Manner, Reply};
use super::route::Route;
use super::serve;
use super::settings::Settings;
use super::status::Status;
use super::ticket::{Asked, Waiting};
use crate::clock::LoopContext;
use crate::protocol::work::{Job, Outcome, Work};
use crate::write_buffer::WriteBuffer;
use std::time::Duration;

/// Appends the reply to `/`.
#[inline]
pub(super) fn hello(manner: Manner, out: &mut WriteBuffer, now: &LoopContext) {
    const HELLO: &[u8] = b"Hello, World!";
    let bytes = reply::content(out, now, manner, reply::TEXT, HELLO.len() as u64);
    if !manner.head_only {
        bytes.extend_from_slice(HELLO);
    }
}

/// Appends the reply, or returns the work that must come first.
pub(super) fn at_once(
    route: Route,
    manner: Manner,
    body: &[u8],
    settings: &Settings,
    out: &mut WriteBuffer,
    now: &LoopContext,
) -> Option<Box<Work>> {
    let (job, asked) = match route {
        Route::Sleep(ms) => (Job::Sleep(Duration::from_millis(ms)), Asked::Sleep(ms)),
        Route::Spin(us) => (Job::Spin(Duration::from_micros(us)), Asked::Spin(us)),
        Route::File(mut request) => {
            let root = settings.root.clone().expect("a file has a route only where there is a root");
            (Job::Open { root, path: request.take_path() }, Asked::File(request))
        }
        Route::Own(_) => unreachable!("the application answers it"),
        Route::Hello => {
            hello(manner, out, now);
            return None;
        }
        Route::Bytes(length) => {
            reply::content(out, now, manner, reply::TEXT, length);
            if !manner.head_only {
                out.pattern(length);
            }
            return None;
        }
        Route::Echo => {
            reply::content(out, now, manner, reply::BYTES, body.len() as u64);
            out.extend(body);
            return None;
        }
        Route::Options(allow) => {
            Reply::start(out, now, Status::NoContent).field("Allow: ", allow.as_bytes()).end(manner);
            return None;
        }
        Route::NotAllowed(allow) => {
            let field = Some(("Allow: ", allow.as_bytes()));
            let why = "Allow names the methods that are taken here";
            reply::plain(out, now, Status::MethodNotAllowed, manner, field, why);
            return None;
        }
        Route::Refuse(status, why) => {
            reply::plain(out, now, status, manner, None, why);
            return None;
        }
    };
    Some(Box::new(Work { job, ticket: Waiting { manner, asked }.into() }))
}

/// Appends the reply to a request whose work is done.
pub(super) fn after_work(waiting: Waiting, outcome: Outcome, out: &mut WriteBuffer, now: &LoopContext) {
    let Waiting { manner, asked } = waiting;
    let mut digits = [0; 20];
    match (asked, outcome) {
        (_, Outcome::Refused) => {
            let field = Some(("Retry-After: ", b"1".as_slice()));
            let why = "the server has too much to do";
            reply::plain(out, now, Status::ServiceUnavailable, manner, field, why);
        }
        (Asked::Sleep(ms), _) => {
            reply::text(out, now, manner, [b"slept ", reply::decimal(ms, &mut digits), b" ms\n"]);
        }
        (Asked::Spin(us), _) => {
            reply::text(out, now, manner, [b"spun ", reply::decimal(us, &mut digits), b" us\n"]);
        }
        (Asked::File(request), Outcome::Opened(opened)) => serve::reply(&request, opened, manner, out, now),
        (Asked::File(_), Outcome::Waited) => unreachable!("a file is opened, not waited for"),
    }
}
