//! Waiting for events instead of asking for them again and again.

use super::client::get;
use super::footprint::Footprint;
use super::narrow::{STALL, connect_narrow};
use super::resources::must_rest;
use super::subject::Subject;
use super::verdict::{Fault, Outcome, Verdict};
use nix::sys::signal::Signal;
use std::thread;
use std::time::{Duration, Instant};

/// A server that asks every 10 ms uses hardly any CPU time, so it is not that which is counted: each time
/// that a thread begins to wait, it has been awake.
pub(super) fn idle_wake_ups(subject: &mut Subject<'_>) -> Verdict {
    const SPAN: Duration = Duration::from_secs(2);
    /// A scan of the deadlines once a second in each of several loops is a tenth of this.
    const PER_SECOND: f64 = 60.0;
    let mut first = subject.connect()?;
    first.ask(&get("/"))?.must_be_hello()?;
    let _silent = subject.connect_many(4)?;
    thread::sleep(Duration::from_millis(300));
    let pid = subject.process()?.pid();
    let (before, start) = (Footprint::of(pid).waits, Instant::now());
    thread::sleep(SPAN);
    let count = Footprint::of(pid).waits.saturating_sub(before);
    let each = count as f64 / start.elapsed().as_secs_f64();
    subject.remark = format!("{each:.0} wake-ups a second");
    if each > PER_SECOND { Err(Fault::new(Outcome::Spin, &subject.remark)) } else { Ok(()) }
}

/// A request is in flight for as long as its reply has not left, so the server drains and has nothing to do.
pub(super) fn drain_spin(subject: &mut Subject<'_>) -> Verdict {
    let mut client = connect_narrow(subject)?;
    client.send(&get("/bytes/4000000"))?;
    thread::sleep(STALL * 2);
    subject.ending_process()?.signal(Signal::SIGTERM);
    thread::sleep(STALL * 2);
    // The drain lasts for two seconds, and all spans must fit into it: a server that has ended rests.
    must_rest(subject, Duration::from_millis(400))
}
