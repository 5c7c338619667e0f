//! The listener: connections that come at once, and descriptors that run out.

use super::client::get_and_close;
use super::narrow::begin_connecting;
use super::subject::{Subject, few_descriptors};
use super::verdict::{Outcome, Verdict};
use nix::sys::signal::Signal;
use std::thread;
use std::time::Duration;

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
    let mut holders = subject.connect_many(2 * few_descriptors())?;
    thread::sleep(Duration::from_millis(100));
    let mut waiting = subject.connect_many(WAITING)?;
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
    drop(waiting);
    subject.remark = format!("{WAITING} waited, {shed} of them shed");
    subject.must_serve()
}
