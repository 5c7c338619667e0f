//! What a right reply is, and why what came is none.

use crate::probes::payload::Payload;
use crate::probes::profile;
use crate::probes::routes::Route;
use crate::probes::shell::escaped;
use crate::probes::verdict::{Fault, Kind, Verdict};
use lab_core::units::{count, number};
use lab_core::wire::{self, Framing};

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The reply to `GET /`.
    pub(crate) fn must_be_hello(&self) -> Verdict {
        self.must_have_status(profile::current().status(Route::Hello))?;
        profile::current().hello().map_or(Ok(()), |body| self.must_have_body(body.as_bytes()))
    }

    /// The reply to `POST /echo`, or to a request for a file, with this body.
    pub(crate) fn must_be(&self, body: &[u8]) -> Verdict {
        self.must_have_status(profile::current().status(Route::Echo))?;
        self.must_have_body(body)
    }

    /// The reply to the request of a program, if the profile has one.
    pub(crate) fn must_be_of_a_program(&self) -> Verdict {
        self.must_have_status(profile::current().status(Route::Program))?;
        let Some(text) = profile::current().program() else { return Ok(()) };
        match String::from_utf8_lossy(&self.body).contains(text) {
            true => Ok(()),
            false => {
                let fault = Fault::wrong(format!("a body without `{text}`")).of(Kind::Body);
                Err(fault.shows(format!("a body with `{text}`"), Payload::of(&self.body).shown(40)))
            }
        }
    }

    fn must_have_body(&self, body: &[u8]) -> Verdict {
        if self.body == body {
            return Ok(());
        }
        let differs = self.body.iter().zip(body).position(|(a, b)| a != b);
        let at = differs.unwrap_or(self.body.len().min(body.len()));
        let detail = format!(
            "a body of {} bytes, not the {} expected; they differ at byte {at}: {} came instead of {}",
            self.body.len(),
            body.len(),
            around(&self.body, at),
            around(body, at)
        );
        let seen = format!("a body of {} bytes, which differs at byte {at}", number(self.body.len() as f64));
        Err(Fault::wrong(detail).of(Kind::Body).shows(body_of(body), seen))
    }

    /// The reply to `GET /bytes/LENGTH`. The filler is the server's own choice, but it repeats every 64
    /// bytes, so that a byte that is lost or sent twice shows.
    pub(crate) fn must_be_filler(&self, length: usize) -> Verdict {
        self.must_have_status(profile::current().status(Route::Bytes))?;
        if self.body.len() != length {
            let fault = Fault::wrong(format!("{} bytes instead of {length}", self.body.len())).of(Kind::Body);
            let bytes = |length: usize| format!("a body of {}", count(length, "byte"));
            return Err(fault.shows(bytes(length), bytes(self.body.len())));
        }
        let later = self.body.get(64..).unwrap_or_default();
        let earlier = &self.body[..later.len()];
        // As blocks first: a body may have 64 MiB.
        if earlier == later {
            return Ok(());
        }
        match earlier.iter().zip(later).position(|(a, b)| a != b) {
            Some(at) => {
                let (came, due) = (around(&self.body, at + 64), around(&self.body, at));
                let detail =
                    format!("byte {} of the body is not the filler's: {came} instead of {due}", at + 64);
                let right = "a body that repeats every 64 bytes";
                let seen = format!("one that does not at byte {}", at + 64);
                Err(Fault::wrong(detail).of(Kind::Body).shows(right, seen))
            }
            None => Ok(()),
        }
    }

    /// The reply to `GET /sleep/MS`.
    pub(crate) fn must_be_ok(&self) -> Verdict {
        self.must_have_status(profile::current().status(Route::Sleep))
    }

    pub(crate) fn must_have_status(&self, expected: u16) -> Verdict {
        match self.status == expected {
            true => Ok(()),
            false => {
                let fault = Fault::wrong(format!("status {} instead of {expected}", self.status));
                let (right, seen) =
                    (format!("a reply of status {expected}"), format!("status {}", self.status));
                Err(fault.of(Kind::Status).shows(right, seen))
            }
        }
    }
}

/// Some bytes at a place, as a reader sees them.
fn around(body: &[u8], at: usize) -> String {
    match body.get(at..) {
        None | Some([]) => "the end".to_owned(),
        Some(rest) => format!("\"{}\"", escaped(&rest[..rest.len().min(16)])),
    }
}

/// A body, in words.
fn body_of(body: &[u8]) -> String {
    match body.len() {
        ..=40 => format!("the body \"{}\"", escaped(body)),
        length => format!("a body of {} bytes: {}", number(length as f64), Payload::of(body).shown(40)),
    }
}

/// A reply as the probes see it. What HTTP allows and the contract of the lab does not is wrong for a stage.
pub(super) fn judged(reply: wire::Reply, may_be_chunked: bool) -> Result<Reply, Fault> {
    match reply.framing {
        Framing::Chunked if !may_be_chunked => {
            let fault = Fault::wrong("chunked, where the contract of the lab wants a Content-Length");
            Err(fault.of(Kind::Chunked).shows("a Content-Length", "Transfer-Encoding: chunked"))
        }
        _ => Ok(Reply { status: reply.status, body: reply.body }),
    }
}

/// What `what` is for a reader who sees all replies of a connection.
pub(super) fn due(what: &str) -> &str {
    if what == "a reply" { "a reply to every request" } else { what }
}

/// The connection has ended after so many bytes of `what`.
pub(super) fn closed(count: u64, what: &str) -> Fault {
    let fault = Fault::wrong(match count {
        0 => format!("closed instead of {what}"),
        _ => format!("closed in the middle: {count} bytes came of {what}"),
    });
    let seen = match count {
        0 => "the connection ends without it".to_owned(),
        _ => format!("the connection ends after {} bytes of it", number(count as f64)),
    };
    fault.of(Kind::Closed).shows(due(what), seen)
}

/// Why bytes are no reply.
pub(super) fn no_reply(error: anyhow::Error) -> Fault {
    let is_endless = error.is::<wire::TooLong>();
    let fault = Fault::wrong(&error).of(if is_endless { Kind::Endless } else { Kind::NotHttp });
    match is_endless {
        true => fault.shows("a body of the length that was asked for", error),
        false => fault.shows("a reply of HTTP/1.1", "something else"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects descriptor-churn and slow-reader: a body shifted by one byte is not the filler.
    #[test]
    fn a_lost_byte_shows_in_the_filler() {
        let mut body: Vec<u8> = (0..500).map(|i| b'0' + (i % 64) as u8).collect();
        let reply = |body: &Vec<u8>| Reply { status: 200, body: body.clone() };
        assert!(reply(&body).must_be_filler(500).is_ok());
        body.remove(200);
        assert!(reply(&body).must_be_filler(499).is_err());
    }
}
