//! Clients that say nothing, or only half of something.

use super::client::{LIMIT, get};
use super::subject::Subject;
use super::verdict::{Fault, Verdict};
use std::time::{Duration, Instant};

/// The timeouts are set to one second. A server that counts in whole seconds may be a moment early, and one
/// that looks once a second is up to two late; a busy machine adds to that.
const EARLIEST: Duration = Duration::from_millis(900);

/// Whether `what`, seen now, came at the right time after `since`.
fn must_be_timely(subject: &mut Subject<'_>, since: Instant, what: &str) -> Verdict {
    let after = since.elapsed();
    subject.remark = format!("{what} after {:.1} s", after.as_secs_f64());
    match after < EARLIEST {
        true => Err(Fault::wrong(format!("{}, before the 1 s was over", subject.remark))),
        false => Ok(()),
    }
}

pub(super) fn idle_timeout(subject: &mut Subject<'_>) -> Verdict {
    let mut client = subject.connect()?;
    client.send(&get("/"))?;
    let since = Instant::now();
    client.reply()?.must_be_hello()?;
    client.end_within(LIMIT)?;
    must_be_timely(subject, since, "closed")
}

pub(super) fn header_timeout_408(subject: &mut Subject<'_>) -> Verdict {
    let mut client = subject.connect()?;
    let since = Instant::now();
    client.ask(b"GET / HTTP/1.1\r\nHost: probe\r\n")?.must_have_status(408)?;
    must_be_timely(subject, since, "408")?;
    client.finish_sending();
    client.end_within(LIMIT)
}
