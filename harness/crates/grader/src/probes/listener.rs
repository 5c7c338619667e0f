//! The listener: connections that come at once, and descriptors that run out.

use super::client::get_and_close;
use super::narrow::begin_connecting;
use super::subject::{Subject, few_descriptors};
use super::verdict::{Fault, Kind, Outcome, Verdict};
use nix::sys::signal::Signal;
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to answer a client whose connection waits, when nothing is in its way.
const SERVED: Duration = Duration::from_secs(8);

/// Connections that come while the server is stopped: when it goes on, one event says that some wait. An
/// edge-triggered listener must then accept until `EAGAIN`, since no further event comes for those left
/// behind.
pub(super) fn accept_burst(subject: &mut Subject<'_>) -> Verdict {
    const BURST: usize = 200;
    // The event for the connection that the start was waited with is over.
    subject.must_serve()?;
    subject.process()?.signal_group(Signal::SIGSTOP);
    let beginning = begin_connecting(subject, BURST)?;
    // With a shorter backlog some are not among them.
    let clients = beginning.connected_within(Duration::from_millis(300));
    subject.process()?.signal_group(Signal::SIGCONT);
    let mut clients = clients?;
    for client in &mut clients {
        client.send(&get_and_close("/"))?;
    }
    let count = clients.len();
    for (i, client) in clients.iter_mut().enumerate() {
        let verdict = client.reply_within(SERVED).and_then(|reply| reply.must_be_hello());
        verdict.map_err(|fault| fault.at(format!("connection {} of {count} that came at once", i + 1)))?;
    }
    subject.remark = format!("{count} at once");
    Ok(())
}

/// Connections that wait in the backlog when descriptors run out, and behind which none comes: when
/// descriptors are free again, nothing but the server's own timer or the closing of a connection can remind
/// it of them.
pub(super) fn queued_at_emfile(subject: &mut Subject<'_>) -> Verdict {
    const WAITING: usize = 8;
    let mut holders = subject.connect_until_full(2 * few_descriptors());
    thread::sleep(Duration::from_millis(100));
    let mut waiting = subject.connect_some(WAITING);
    if waiting.is_empty() {
        // The backlog is full of those that came last, for which there are no descriptors.
        waiting = holders.split_off(holders.len() - WAITING.min(holders.len() / 8));
    }
    for client in &mut waiting {
        // One that was shed may be gone already.
        let _ = client.send(&get_and_close("/"));
    }
    thread::sleep(Duration::from_millis(200));
    holders.clear();
    let mut shed = 0;
    for client in &mut waiting {
        match client.reply_within(SERVED) {
            Ok(reply) => reply.must_be_hello()?,
            // To close one that cannot be served is allowed: its client knows.
            Err(fault) if fault.outcome == Outcome::Wrong => shed += 1,
            Err(fault) => {
                return Err(fault.at("waiting when descriptors ran out, after all others had left"));
            }
        }
    }
    subject.remark = format!("{} waited, {shed} of them shed", waiting.len());
    drop(waiting);
    subject.must_serve_again()
}

/// Clients that have sent their request when the server turns them away, since it has no descriptor for them:
/// a close with that request unread is a reset, which looks like a broken network.
pub(super) fn shed_in_order(subject: &mut Subject<'_>) -> Verdict {
    const WAITING: usize = 8;
    /// Longer than a server waits for descriptors before it gives up.
    const SHED: Duration = Duration::from_secs(2);
    let holders = subject.connect_until_full(2 * few_descriptors());
    thread::sleep(Duration::from_millis(100));
    // While it is stopped it cannot turn a client away before the request is there: what it does with the
    // request is asked, and not which of the two is faster.
    subject.process()?.signal_group(Signal::SIGSTOP);
    let mut waiting = subject.connect_some(WAITING);
    for client in &mut waiting {
        // One that was shed all the same may be gone already.
        let _ = client.send(&get_and_close("/"));
    }
    subject.process()?.signal_group(Signal::SIGCONT);
    let deadline = Instant::now() + SHED;
    let (mut shed, mut reset) = (0, 0);
    for client in &mut waiting {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match client.reply_within(left) {
            // Served after all, or refused by a reply.
            Ok(_) => {}
            // To let them wait is another way.
            Err(fault) if fault.outcome == Outcome::Hang => {}
            Err(fault) => {
                shed += 1;
                reset += usize::from(fault.kind == Kind::Reset);
            }
        }
    }
    subject.remark = format!("{shed} of {} shed", waiting.len());
    drop((holders, waiting));
    if reset > 0 {
        if subject.target.is_foreign() {
            return Err(Fault::not_applicable("it sheds by a reset, which tells its client as well"));
        }
        let fault =
            Fault::wrong(format!("{reset} of {WAITING} clients were shed by a reset")).of(Kind::Reset);
        let command = "for i in $(seq 60); do sleep 6 | nc -q0 127.0.0.1 $PORT & done; sleep 1\n\
                       for i in 1 2 3 4; do curl -s -m 4 http://127.0.0.1:$PORT/; echo \"curl: $?\"; done";
        let fault = fault.shows("curl: 52 (an end) or 28 (it waits)", "curl: 56 (a reset)");
        return Err(fault.shown_by(command));
    }
    // Whether it serves again is for the other two; but one that dies of those that have left has done so
    // then.
    let _ = subject.must_serve();
    Ok(())
}
