//! The reply to a request for a file.

use super::condition::{Conditions, Validators, Verdict};
use super::media::media_type;
use super::range::Part;
use super::reply::{self, Manner, Reply, hexadecimal};
use super::status::Status;
use crate::clock::LoopContext;
use crate::protocol::file::{Content, Found, Opened};
use crate::write_buffer::WriteBuffer;
use httparse::Header;
use nix::errno::Errno;
use std::time::{Duration, UNIX_EPOCH};

/// The longest entity tag: three numbers of 64 bits, and four marks.
const MAX_ETAG: usize = 3 * 16 + 4;

/// A request for a file.
#[derive(Debug)]
pub(super) struct FileRequest {
    /// The path below the root, decoded. Moves on with the job.
    path: String,
    /// Path and query as they were sent, for a redirect.
    sent: String,
    /// The preconditions, and the range.
    conditions: Conditions,
    /// Of the file, if there is one.
    media_type: &'static str,
    /// The path ended in a slash, so what is asked for is the index of a directory.
    index: bool,
}

impl FileRequest {
    /// A request for `path`, decoded and without its first slash, which was sent as `sent`.
    pub(super) fn new(path: &str, sent: &str, headers: &[Header<'_>]) -> Self {
        let index = path.is_empty() || path.ends_with('/');
        let path = if index { format!("{path}index.html") } else { path.to_owned() };
        let (media_type, sent) = (media_type(&path), sent.to_owned());
        Self { path, sent, conditions: Conditions::read(headers), media_type, index }
    }

    /// The path to open. It can be taken once: it moves on with the job.
    pub(super) fn take_path(&mut self) -> String {
        std::mem::take(&mut self.path)
    }

    /// The location of a directory that was requested without its final slash: the same path with one, and
    /// the same query.
    ///
    /// It is safe in a field because it is what the client sent, which [`target`](super::target) lets through
    /// only as visible ASCII: no CR or LF, and what was `%0D` stays encoded. And it names this server: it
    /// begins with exactly one slash, since a path with an empty first segment or a backslash was refused (a
    /// browser takes `//host/` and `/\host/` for another server).
    fn location(&self) -> String {
        match self.sent.split_once('?') {
            Some((path, query)) => format!("{path}/?{query}"),
            None => format!("{}/", self.sent),
        }
    }
}

/// Appends the reply. `manner` is that of a GET or a HEAD.
pub(super) fn reply(
    request: &FileRequest,
    opened: Result<Opened, Errno>,
    manner: Manner,
    out: &mut WriteBuffer,
    now: &LoopContext,
) {
    match opened.map(|opened| opened.found) {
        Err(errno) => not_opened(errno, manner, out, now),
        // A directory named `index.html` is no index.
        Ok(Found::Directory) if request.index => not_opened(Errno::ENOENT, manner, out, now),
        Ok(Found::Directory) => {
            let location = request.location();
            let field = Some(("Location: ", location.as_bytes()));
            reply::plain(out, now, Status::MovedPermanently, manner, field, "a directory ends in a slash");
        }
        Ok(Found::File { content, size, modified }) => {
            let validators = validators(size, modified, now);
            match request.conditions.evaluate(&validators) {
                Verdict::Failed => {
                    reply::plain(
                        out,
                        now,
                        Status::PreconditionFailed,
                        manner,
                        None,
                        "the file is another version",
                    );
                }
                Verdict::NotModified => {
                    with_validators(Reply::start(out, now, Status::NotModified), &validators).end(manner);
                }
                Verdict::Proceed => {
                    // A range is defined for GET alone (RFC 9110 §14.2).
                    let part = if manner.head_only {
                        Part::Whole
                    } else {
                        request.conditions.part(&validators, size)
                    };
                    send(&content, size, part, request.media_type, &validators, manner, out, now);
                }
            }
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one reply, in the order in which they are used")]
fn send(
    content: &Content,
    size: u64,
    part: Part,
    media_type: &str,
    validators: &Validators,
    manner: Manner,
    out: &mut WriteBuffer,
    now: &LoopContext,
) {
    let (start, length) = match part {
        Part::Whole => (0, size),
        Part::Bytes { start, length } => (start, length),
        Part::Unsatisfiable => {
            let size = format!("bytes */{size}");
            let field = Some(("Content-Range: ", size.as_bytes()));
            return reply::plain(out, now, Status::RangeNotSatisfiable, manner, field, "the file is shorter");
        }
    };
    let status = if part == Part::Whole { Status::Ok } else { Status::PartialContent };
    let mut reply =
        Reply::start(out, now, status).field("Content-Type: ", media_type.as_bytes()).length(length);
    if status == Status::PartialContent {
        let range = format!("bytes {start}-{}/{size}", start + length - 1);
        reply = reply.field("Content-Range: ", range.as_bytes());
    }
    with_validators(reply, validators).field("Accept-Ranges: ", b"bytes").end(manner);
    if manner.head_only {
        return;
    }
    match content {
        Content::Read(bytes) => out.extend(&bytes[start as usize..(start + length) as usize]),
        Content::OnDisk(file) => out.file(file.clone(), start, length),
    }
}

fn with_validators<'a>(reply: Reply<'a>, validators: &Validators) -> Reply<'a> {
    reply.field("ETag: ", &validators.etag).time("Last-Modified: ", validators.modified)
}

/// The entity tag is strong: nanoseconds and size change with each write that the clock can distinguish.
fn validators(size: u64, (seconds, nanoseconds): (i64, i64), now: &LoopContext) -> Validators {
    let mut etag = Vec::with_capacity(MAX_ETAG);
    for (before, number) in [(b'"', seconds as u64), (b'.', nanoseconds as u64), (b'-', size)] {
        etag.push(before);
        etag.extend_from_slice(hexadecimal(number, &mut [0; 20]));
    }
    etag.push(b'"');
    // RFC 9110 §8.8.2.1: no Last-Modified later than the Date beside it.
    let modified = UNIX_EPOCH + Duration::from_secs(seconds.min(now.second).max(0) as u64);
    Validators { etag, modified }
}

fn not_opened(errno: Errno, manner: Manner, out: &mut WriteBuffer, now: &LoopContext) {
    let (status, why) = status_of(errno);
    reply::plain(out, now, status, manner, None, why);
}

/// The status for a failure to open, and the reason for the client.
fn status_of(errno: Errno) -> (Status, &'static str) {
    match errno {
        // EXDEV: a step out of the root. ENXIO: a socket.
        Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::EXDEV | Errno::ENAMETOOLONG | Errno::ENXIO => {
            (Status::NotFound, "no such file")
        }
        Errno::EACCES | Errno::EPERM => (Status::Forbidden, "this server may not read the file"),
        Errno::EMFILE | Errno::ENFILE => (Status::ServiceUnavailable, "out of file descriptors"),
        Errno::EAGAIN => (Status::ServiceUnavailable, "the directory is changing"),
        _ => (Status::InternalServerError, "the file cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Root can read every file, so the mapping is tested here and not by an unreadable file.
    #[test]
    fn each_errno_of_an_open_has_its_status() {
        for (errno, status) in [
            (Errno::ENOENT, Status::NotFound),
            (Errno::ENOTDIR, Status::NotFound),
            (Errno::ELOOP, Status::NotFound),
            (Errno::EXDEV, Status::NotFound),
            (Errno::ENAMETOOLONG, Status::NotFound),
            (Errno::EACCES, Status::Forbidden),
            (Errno::EPERM, Status::Forbidden),
            (Errno::EMFILE, Status::ServiceUnavailable),
            (Errno::ENFILE, Status::ServiceUnavailable),
            (Errno::EIO, Status::InternalServerError),
        ] {
            assert_eq!(status_of(errno).0, status, "{errno}");
        }
    }
}
