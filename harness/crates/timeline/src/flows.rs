//! What goes from one lane to another: connections and bytes between clients and tasks, wake-ups between
//! tasks.

use crate::clients::{ClientLog, What};
use crate::meaning::{Meaning, Object};
use crate::strace::{Call, Trace};
use std::collections::{HashMap, HashSet};

/// The calls that woke a task, each with the call in which it was woken: places in the trace.
pub(crate) fn wakes(
    trace: &Trace,
    meaning: &Meaning,
    events: &HashMap<usize, Vec<Object>>,
    process: impl Fn(i32) -> i32,
) -> Vec<(usize, usize)> {
    let mut found = futex_wakes(trace, process);
    for (cause, call) in trace.calls.iter().enumerate() {
        let Some((Object::Link(link), _)) = meaning.written(call) else { continue };
        let target = Object::Link(meaning.other_end(&link));
        let takes = |(place, other): &(usize, &Call)| {
            let is_later = other.task != call.task && other.end.is_some_and(|end| end >= call.start);
            let is_read = || meaning.read(other).is_some_and(|(object, _)| object == target);
            is_later && (is_read() || events.get(place).is_some_and(|events| events.contains(&target)))
        };
        let first = trace.calls.iter().enumerate().filter(takes).min_by_key(|(_, other)| other.end);
        found.extend(first.map(|(effect, _)| (cause, effect)));
    }
    found.sort_unstable();
    found
}

/// futex(2): who waits at an address is woken by somebody of the same process at the same address.
fn futex_wakes(trace: &Trace, process: impl Fn(i32) -> i32) -> Vec<(usize, usize)> {
    let operation = |call: &Call, name: &str| call.name == "futex" && call.argument(1).starts_with(name);
    let (mut found, mut used) = (Vec::new(), HashSet::new());
    for (cause, wake) in trace.calls.iter().enumerate() {
        if !operation(wake, "FUTEX_WAKE") {
            continue;
        }
        for _ in 0..wake.value().unwrap_or(0).max(0) {
            let is_woken = |(place, wait): &(usize, &Call)| {
                operation(wait, "FUTEX_WAIT")
                    && wait.argument(0) == wake.argument(0)
                    && process(wait.task) == process(wake.task)
                    && wait.start <= wake.end.unwrap_or(i64::MAX)
                    && wait.end.is_some_and(|end| end >= wake.start)
                    && wait.value() == Some(0)
                    && !used.contains(place)
            };
            let first = trace.calls.iter().enumerate().filter(is_woken).min_by_key(|(_, wait)| wait.end);
            let Some((effect, _)) = first else { break };
            used.insert(effect);
            found.push((cause, effect));
        }
    }
    found
}

/// Bytes on their way, by the calls and moments at both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// From a moment of a client (its place in the log) to a call.
    In { client: usize, moment: usize, call: usize },
    /// From a call to a moment of a client.
    Out { call: usize, client: usize, moment: usize },
}

/// Which bytes that a client sent were read by which call, and which that a call wrote were received when.
pub(crate) fn passages(trace: &Trace, meaning: &Meaning, clients: &[ClientLog]) -> Vec<Passage> {
    let mut found = Vec::new();
    for (client, log) in clients.iter().enumerate() {
        let moments = log.moments.iter().enumerate();
        let sent = moments.clone().filter_map(|(moment, at)| match at.what {
            What::Sends { bytes, .. } => Some((moment, bytes)),
            _ => None,
        });
        let received = moments.filter_map(|(moment, at)| match at.what {
            What::Receives { bytes, .. } => Some((moment, bytes)),
            _ => None,
        });
        let of_client = |found: Option<(Object, u64)>| {
            found.filter(|(object, _)| *object == Object::Client(client)).map(|(_, count)| count)
        };
        let calls = trace.calls.iter().enumerate();
        let read: Vec<_> =
            calls.clone().filter_map(|(call, it)| Some((call, of_client(meaning.read(it))?))).collect();
        let written: Vec<_> =
            calls.filter_map(|(call, it)| Some((call, of_client(meaning.written(it))?))).collect();
        let (sent, received): (Vec<_>, Vec<_>) = (sent.collect(), received.collect());
        let (into, out) = (pair(&sent, &read), pair(&written, &received));
        found.extend(into.into_iter().map(|(moment, call)| Passage::In { client, moment, call }));
        found.extend(out.into_iter().map(|(call, moment)| Passage::Out { call, client, moment }));
    }
    found
}

/// For each end of a stream of bytes the beginning from which its first byte came.
fn pair(from: &[(usize, u64)], to: &[(usize, u64)]) -> Vec<(usize, usize)> {
    let (mut pairs, mut first) = (Vec::new(), 0);
    for &(end, count) in to {
        let mut passed = 0;
        let source = from.iter().find(|(_, count)| {
            passed += count;
            passed > first
        });
        pairs.extend(source.map(|&(begin, _)| (begin, end)));
        first += count;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strace::parse;

    #[test]
    fn a_byte_comes_from_the_call_that_wrote_it() {
        let pairs = pair(&[(1, 10), (2, 20)], &[(5, 4), (6, 6), (7, 20), (8, 9)]);
        assert_eq!(pairs, [(1, 5), (1, 6), (2, 7)], "nothing that was written reached the last one");
    }

    /// Protects the arrows: a wake-up leads to the one that waited at this address, and to each at most once.
    #[test]
    fn a_futex_wakes_who_waits_at_its_address() {
        let text = "71 1.0 futex(0xa0, FUTEX_WAIT_PRIVATE, 1, NULL) = 0 <0.5>\n\
                    72 1.1 futex(0xb0, FUTEX_WAIT_PRIVATE, 1, NULL) = 0 <0.9>\n\
                    73 1.2 futex(0xb0, FUTEX_WAIT_PRIVATE, 1, NULL) = -1 EAGAIN (Resource temporarily unavailable) <0.1>\n\
                    70 1.4 futex(0xa0, FUTEX_WAKE_PRIVATE, 1) = 1 <0.1>\n\
                    70 1.6 futex(0xa0, FUTEX_WAKE_PRIVATE, 1) = 0 <0.1>\n\
                    70 1.9 futex(0xb0, FUTEX_WAKE_PRIVATE, 2147483647) = 1 <0.1>\n";
        assert_eq!(futex_wakes(&parse(text.as_bytes()), |_| 70), [(3, 0), (5, 1)]);
        let apart = futex_wakes(&parse(text.as_bytes()), |task| task);
        assert_eq!(apart, [], "an address means nothing in another process");
    }
}
