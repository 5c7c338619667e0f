//! How a server closes a connection whose client goes on sending.

use super::client::{LIMIT, get};
use super::subject::Subject;
use super::verdict::{Fault, Kind, Outcome, Verdict};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

/// No method, no version: whoever reads it as HTTP/1.1 must refuse it.
const GARBAGE: &[u8] = b"what is this\r\n\r\n";

/// How long a connection may last behind its refusal: several times what a lingering close takes.
const LATEST: Duration = Duration::from_secs(8);

/// A client that was refused, and that sends on for ever: a server that drops what comes, so that the refusal
/// arrives, must do that for a while only. Another client keeps the server busy, so that there is something
/// to read whenever it looks: one that takes only silence for the end of its patience never finds any.
pub(super) fn lingering_close_ends(subject: &mut Subject<'_>) -> Verdict {
    let mut client = subject.connect()?;
    client.send(GARBAGE)?;
    match client.reply() {
        Ok(reply) if reply.status >= 400 => {}
        Ok(reply) => {
            return Err(Fault::not_applicable(format!("status {} for garbage: see malformed", reply.status)));
        }
        Err(_) if subject.target.is_foreign() => {
            return Err(Fault::not_applicable("no reply to garbage: see malformed"));
        }
        Err(fault) => return Err(fault),
    }
    match client.end_within(LIMIT) {
        Ok(()) => {}
        // It may read the next request.
        Err(fault) if subject.target.is_foreign() => {
            return Err(Fault::not_applicable(format!(
                "it does not close after a refusal: {}",
                fault.detail
            )));
        }
        // A reset ends it as well, and `body-413` is about that.
        Err(fault) if fault.outcome == Outcome::Wrong && fault.kind == Kind::Reset => return Ok(()),
        Err(fault) => return Err(fault),
    }
    let stream = client.stream()?;
    stream.set_nonblocking(true)?;
    let busy = subject.connect()?;
    let asker = busy.stream()?;
    let lasted = thread::scope(|scope| {
        scope.spawn(move || keep_busy(asker));
        let lasted = send_on(stream);
        // Whatever came of it, the other one must end.
        let _ = busy.stream().map(|stream| stream.shutdown(Shutdown::Both));
        lasted
    });
    match lasted {
        Some(time) => {
            subject.remark = format!("closed {:.1} s after the refusal", time.as_secs_f64());
            Ok(())
        }
        None if subject.target.is_foreign() => Err(Fault::not_applicable(format!(
            "it takes what comes for more than {LATEST:?}, as some servers do"
        ))),
        None => {
            let detail = format!("it still takes what a refused client sends, {LATEST:?} after the refusal");
            let command = "while curl -s -m 5 -o /dev/null http://127.0.0.1:$PORT/sleep/40; do :; done & BUSY=$!\n\
                           { printf 'what is this\\r\\n\\r\\n'; timeout 9 cat /dev/zero; } | timeout 8 nc 127.0.0.1 $PORT \
                           >/dev/null; echo \"nc: $?\"; kill $BUSY";
            let fault = Fault::hang(detail).of(Kind::StillOpen);
            let right = "nc ends by itself within some 3 s: not 124";
            Err(fault.shows(right, "nc: 124 after 8 s: the connection is still open").shown_by(command))
        }
    }
}

/// One slow request after the other, until the connection ends.
fn keep_busy(mut stream: impl Read + Write) {
    let request = get("/sleep/40");
    let mut buffer = [0; 4096];
    while stream.write_all(&request).is_ok() && stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
}

/// Sends whatever is taken; returns when the connection was closed, which a write learns from the reset that
/// answers the one before it.
fn send_on(mut stream: impl Write) -> Option<Duration> {
    let (start, piece) = (Instant::now(), [b'x'; 16 * 1024]);
    while start.elapsed() < LATEST {
        match stream.write(&piece) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Some(start.elapsed()),
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
    None
}
