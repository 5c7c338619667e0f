//! How a server closes a connection whose client goes on sending.

use super::client::LIMIT;
use super::subject::Subject;
use super::verdict::{Fault, Kind, Outcome, Verdict};
use std::thread;
use std::time::{Duration, Instant};

/// No method, no version: whoever reads it as HTTP/1.1 must refuse it.
const GARBAGE: &[u8] = b"what is this\r\n\r\n";

/// A client that was refused, and that sends on for ever, a little at a time: a server that drops what comes,
/// so that the refusal arrives, must do that for a while only.
pub(super) fn lingering_close_ends(subject: &mut Subject<'_>) -> Verdict {
    /// Several times what a lingering close takes.
    const LATEST: Duration = Duration::from_secs(8);
    let mut client = subject.connect()?;
    client.send(GARBAGE)?;
    let status = client.reply()?.status;
    if status < 400 {
        return Err(Fault::not_applicable(format!("status {status} for garbage: see malformed")));
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
    let start = Instant::now();
    while start.elapsed() < LATEST {
        // A server that has closed answers with a reset, and the next write fails.
        if client.send(b"still here\r\n").is_err() {
            subject.remark = format!("closed {:.1} s after the refusal", start.elapsed().as_secs_f64());
            return Ok(());
        }
        thread::sleep(Duration::from_millis(40));
    }
    let detail = format!("it still takes what a refused client sends, {LATEST:?} after the refusal");
    let command = "{ printf 'what is this\\r\\n\\r\\n'; i=0; while [ $((i+=1)) -le 120 ] && printf x; do sleep 0.1; done; } \
                   | timeout 8 nc 127.0.0.1 $PORT >/dev/null; echo \"nc: $?\"";
    let fault = Fault::hang(detail).of(Kind::StillOpen);
    let right = "nc ends by itself within some 3 s: not 124";
    Err(fault.shows(right, "nc: 124 after 8 s: the connection is still open").shown_by(command))
}
