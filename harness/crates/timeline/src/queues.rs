//! Queues that no call shows, derived from the calls around them: connections that nobody has accepted, bytes
//! that nobody has read, connections on their way from one task to another.

use crate::clients::{ClientLog, What};
use crate::meaning::{Meaning, Object};
use crate::strace::Trace;
use std::collections::{HashMap, HashSet};

/// Something of a client's in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queued {
    pub(crate) client: usize,
    /// µs since 1970.
    pub(crate) from: i64,
    /// `None` as long as it is there.
    pub(crate) to: Option<i64>,
    /// Who took it out.
    pub(crate) taker: Option<i32>,
    /// How many bytes, where the queue is one of bytes.
    pub(crate) bytes: u64,
}

/// Connections from their client's point of view complete, and not yet accepted. Nothing where no call
/// accepts: an io_uring does so unseen.
pub(crate) fn accept_queue(trace: &Trace, meaning: &Meaning, clients: &[ClientLog]) -> Vec<Queued> {
    let accepts: HashMap<usize, (i64, i32)> = trace
        .calls
        .iter()
        .filter_map(|call| Some((meaning.accepted(call)?, (call.end?, call.task))))
        .collect();
    if accepts.is_empty() {
        return Vec::new();
    }
    let queued = clients.iter().enumerate().filter_map(|(client, log)| {
        let from = log.moments.iter().find(|moment| moment.what == What::Connected)?.at;
        let (to, taker) = accepts.get(&client).copied().unzip();
        // The server may have it before connect(2) returns.
        Some(Queued { client, from: to.map_or(from, |to| from.min(to)), to, taker, bytes: 0 })
    });
    queued.collect()
}

/// Bytes that a client has sent and no call has read, from the time when its connection was accepted.
pub(crate) fn unread(trace: &Trace, meaning: &Meaning, clients: &[ClientLog]) -> Vec<Queued> {
    let mut all = Vec::new();
    for (client, log) in clients.iter().enumerate() {
        // Times at which bytes come (positive) and go (negative).
        let mut changes: Vec<(i64, i64, Option<i32>)> = Vec::new();
        for moment in &log.moments {
            if let What::Sends { bytes, .. } = moment.what {
                changes.push((moment.at, bytes as i64, None));
            }
        }
        for call in &trace.calls {
            if let (Some((object, count)), Some(end)) = (meaning.read(call), call.end)
                && object == Object::Client(client)
            {
                changes.push((end, -(count as i64), Some(call.task)));
            }
        }
        let accepted = trace.calls.iter().find(|call| meaning.accepted(call) == Some(client));
        let Some(accepted) = accepted.and_then(|call| call.end) else { continue };
        changes.sort_by_key(|&(at, count, _)| (at, -count));
        let (mut held, mut since) = (0_i64, 0);
        for (at, change, task) in changes {
            let before = held;
            held += change;
            if before > 0 {
                all.push(Queued { client, from: since, to: Some(at), taker: task, bytes: before as u64 });
            }
            since = at.max(accepted);
        }
        if held > 0 {
            all.push(Queued { client, from: since, to: None, taker: None, bytes: held as u64 });
        }
    }
    all.retain(|item| item.to.is_none_or(|to| to > item.from));
    all
}

/// Connections of which one task was told, by accept(2) or epoll_wait(2), and which another one took up.
pub(crate) fn between_tasks(
    trace: &Trace,
    meaning: &Meaning,
    events: &HashMap<usize, Vec<Object>>,
) -> Vec<Queued> {
    let readers: HashSet<i32> = trace
        .calls
        .iter()
        .filter(|call| meaning.read(call).is_some_and(|(object, _)| is_client(&object)))
        .map(|call| call.task)
        .collect();
    let mut all = Vec::new();
    for (place, call) in trace.calls.iter().enumerate() {
        let Some(told) = call.end else { continue };
        let accepted = meaning.accepted(call).into_iter();
        let reported = events.get(&place).into_iter().flatten().filter_map(|object| match object {
            Object::Client(client) => Some(*client),
            _ => None,
        });
        for client in accepted.chain(reported) {
            let touches = trace
                .calls
                .iter()
                .filter(|other| other.start >= told && meaning.about(other) == Object::Client(client));
            match touches.min_by_key(|other| other.start) {
                Some(touch) if touch.task != call.task => all.push(Queued {
                    client,
                    from: told,
                    to: Some(touch.start),
                    taker: Some(touch.task),
                    bytes: 0,
                }),
                // It hands every connection on, and this one nobody has taken.
                None if !readers.contains(&call.task) && !readers.is_empty() => {
                    all.push(Queued { client, from: told, to: None, taker: None, bytes: 0 });
                }
                _ => {}
            }
        }
    }
    all
}

fn is_client(object: &Object) -> bool {
    matches!(object, Object::Client(_))
}
