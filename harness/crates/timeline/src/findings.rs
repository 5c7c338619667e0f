//! Who waited for whom, in sentences that are computed from the run.

use crate::build::{Ask, Derived, State};
use crate::meaning::{Object, Waiting};
use crate::model::Kind;
use crate::queues::Queued;
use crate::strace::Call;
use lab_core::units::{count, time};
use std::collections::HashSet;

/// A client that waits longer, in µs, is spoken of. strace slows a server, but not by so much.
const LONG: i64 = 10_000;

/// Where a connection is that one thread was told of, and another one will take up.
const HAND_OFF: &str = "in the hand-off queue";

/// One sentence for each long wait; then what the run says about hand-offs, wake-ups and batches.
pub(crate) fn findings(derived: &Derived) -> Vec<String> {
    let long = |ask: &&Ask| ask.to.is_none_or(|to| to - ask.from > LONG);
    let mut said: Vec<String> = derived.asks.iter().filter(long).map(|ask| sentence(derived, ask)).collect();
    if said.is_empty() && !derived.asks.is_empty() {
        said.push(format!("No client waited longer than {} for a reply.", time(LONG as f64)));
        said.extend(hand_over(derived));
    }
    said.extend(herd(derived));
    said.extend(batches(derived));
    said
}

/// Who accepted a connection for another task: `main handed client A to loop-0 and client B to loop-1`.
fn hand_over(derived: &Derived) -> Option<String> {
    let accepted = |client: usize| {
        let mut calls = derived.trace.calls.iter();
        Some(calls.find(|call| derived.meaning.accepted(call) == Some(client))?.task)
    };
    let mut by = None;
    let mut handed: Vec<String> = Vec::new();
    for (client, log) in derived.clients.iter().enumerate() {
        let first = derived.between.iter().find(|item| item.client == client);
        if let (Some(from), Some(to)) = (accepted(client), first.and_then(|item| item.taker)) {
            by = by.or(derived.task(from));
            handed.extend(derived.task(to).map(|to| format!("{} to {}", log.name(), to.name)));
        }
    }
    Some(format!("{} handed {}.", capital(&by?.name), list(&handed)))
}

/// How often a task was woken for a connection that another one took; of several that accept.
fn herd(derived: &Derived) -> Option<String> {
    let calls = || {
        derived
            .trace
            .calls
            .iter()
            .enumerate()
            .filter(|(_, call)| call.start >= derived.start && call.start < derived.end)
    };
    let acceptors: HashSet<i32> =
        calls().filter(|(_, call)| call.name.starts_with("accept")).map(|(_, call)| call.task).collect();
    let in_vain = calls().filter(|(place, wait)| {
        let is_next = |call: &Call| {
            derived.meaning.waiting(call) == Some(Waiting::Events) || call.name.starts_with("accept")
        };
        let next = || calls().find(|(other, call)| other > place && call.task == wait.task && is_next(call));
        derived.reported.contains_key(place) && next().is_some_and(|(_, call)| call.error() == Some("EAGAIN"))
    });
    match (acceptors.len(), in_vain.count()) {
        (0, _) => None,
        // The kernel prefers who waits last.
        (1, _) => {
            let loops: HashSet<i32> = derived
                .states
                .iter()
                .filter(|state| state.waiting == Some(Waiting::Events))
                .filter_map(|state| derived.task(state.task).filter(|task| task.is_server))
                .map(|task| task.process)
                .collect();
            let task = acceptors.iter().find_map(|&task| derived.task(task))?;
            let could_be_others = loops.len() > 1 && derived.clients.len() > 1;
            could_be_others.then(|| {
                format!("{} accepted every connection; no other task tried to.", capital(&task.name))
            })
        }
        (_, 0) => Some("No task was woken for a connection that another one took.".to_owned()),
        (_, 1) => Some("Once a task was woken for a connection that another one took.".to_owned()),
        (_, count) => Some(format!("{count} times a task was woken for a connection that another one took.")),
    }
}

/// How many operations went into how many calls of io_uring_enter(2).
fn batches(derived: &Derived) -> Option<String> {
    let entered = derived.trace.calls.iter().filter(|call| {
        call.name == "io_uring_enter" && call.start >= derived.start && call.start < derived.end
    });
    let counts: Vec<u64> = entered.filter_map(|call| call.argument(1).parse().ok()).collect();
    let (operations, calls) = (counts.iter().sum::<u64>(), counts.len());
    let words = || format!("{} took {operations} operations to the kernel.", count(calls, "call"));
    (calls > 0).then(|| words().replacen("calls", "calls of io_uring_enter", 1))
}

/// Where a request or its connection is while its client waits.
struct Place {
    from: i64,
    to: i64,
    words: String,
    /// Who took it from there.
    taker: Option<i32>,
    is_served: bool,
}

fn sentence(derived: &Derived, ask: &Ask) -> String {
    let to = ask.to.unwrap_or(derived.end);
    let client = derived.clients[ask.client].name();
    let begun = match ask.to {
        // The server, or the client itself, has closed the connection.
        Some(_) if ask.replies.is_empty() => {
            format!(
                "{} got no reply until its connection ended, after {}",
                capital(&client),
                time((to - ask.from) as f64)
            )
        }
        Some(_) => format!("{} waited {}", capital(&client), time((to - ask.from) as f64)),
        None => format!("{} got no reply in {}", capital(&client), time((to - ask.from) as f64)),
    };
    if ask.requests.len() > 1 {
        let (asked, received) = (ask.requests.join(", then "), ask.replies.join("”, then “"));
        return format!("{begun}: it sent {asked}, and received “{received}”.");
    }
    let Some(place) = places(derived, ask, to).into_iter().max_by_key(|place| place.to - place.from) else {
        return format!("{begun}.");
    };
    match (place.taker, place.is_served) {
        (Some(task), true) => {
            let did = did(derived, task, &place).unwrap_or_default();
            // A handler that waits for events leaves its thread to others.
            let waits = state(derived, task, &place).is_some_and(|state| state.kind == Kind::Wait);
            if waits { format!("{begun}; meanwhile {did}.") } else { format!("{begun}: {did} for it.") }
        }
        _ => {
            let blockers = blockers(derived, &place);
            let idle = idle(derived, &place, &blockers);
            let names: Vec<String> =
                blockers.into_iter().filter_map(|task| did(derived, task, &place)).collect();
            let mut text = format!("{begun}, most of it {}", place.words);
            if !names.is_empty() {
                text += &format!(", while {}", list(&without_repetition(names)));
            }
            if !idle.is_empty() {
                text += &format!("; meanwhile {} had nothing to do", list(&idle));
            }
            text + "."
        }
    }
}

/// Where the request was, in the order of its way.
fn places(derived: &Derived, ask: &Ask, to: i64) -> Vec<Place> {
    let mut places = Vec::new();
    let mut add = |items: &[Queued], words: fn(&Queued) -> String| {
        for item in items.iter().filter(|item| item.client == ask.client) {
            let (from, until) = (item.from.max(ask.from), item.to.unwrap_or(derived.end).min(to));
            if until > from {
                let (words, taker) = (words(item), item.taker);
                places.push(Place { from, to: until, words, taker, is_served: false });
            }
        }
    };
    add(&derived.accept_queue, |_| "in the accept queue".to_owned());
    add(&derived.between, |_| HAND_OFF.to_owned());
    add(&derived.unread, |item| format!("with {} bytes unread in its socket", item.bytes));
    let reads = derived.trace.calls.iter().filter(|call| {
        derived.meaning.read(call).is_some_and(|(object, _)| object == Object::Client(ask.client))
            && call.end.is_some_and(|end| end >= ask.from && end <= to)
    });
    if let Some(read) = reads.max_by_key(|call| call.end)
        && ask.to.is_some()
    {
        let from = read.end.unwrap_or(to);
        places.push(Place { from, to, words: String::new(), taker: Some(read.task), is_served: true });
    }
    // A connection between two threads has its bytes unread as well: the former says more.
    let between = places.iter().any(|place| place.words == HAND_OFF);
    places.retain(|place| !(between && place.words.starts_with("with ")));
    places
}

/// Who did something else meanwhile: who took it in the end; if all were held by clients, all of them; if
/// nobody took it, all who could have.
fn blockers(derived: &Derived, place: &Place) -> Vec<i32> {
    let readers = readers(derived);
    let is_held = |&task: &i32| state(derived, task, place).is_some_and(|state| state.for_client);
    match place.taker {
        Some(taker) if !readers.iter().all(is_held) => vec![taker],
        _ => readers,
    }
}

/// The others that waited for work.
fn idle(derived: &Derived, place: &Place, blockers: &[i32]) -> Vec<String> {
    let is_free = |state: &State| {
        let for_work =
            matches!(state.waiting, Some(Waiting::Futex | Waiting::Events | Waiting::Read | Waiting::Accept));
        for_work && !state.for_client
    };
    let are_busy =
        blockers.iter().all(|&task| state(derived, task, place).is_some_and(|state| !is_free(state)));
    let others = readers(derived).into_iter().filter(|task| are_busy && !blockers.contains(task));
    let others = others.filter(|&task| state(derived, task, place).is_some_and(is_free));
    others.filter_map(|task| Some(derived.task(task)?.name.clone())).collect()
}

/// The tasks that serve clients: those that read from them, or wait to.
fn readers(derived: &Derived) -> Vec<i32> {
    let is_reader = |task: i32| {
        derived.trace.calls.iter().any(|call| {
            call.task == task
                && matches!(derived.meaning.about(call), Object::Client(_))
                && derived.meaning.waiting(call) == Some(Waiting::Read)
        })
    };
    derived.tasks.iter().map(|task| task.id).filter(|&task| is_reader(task)).collect()
}

/// What a task did for most of a time.
fn state<'a>(derived: &'a Derived, task: i32, place: &Place) -> Option<&'a State> {
    let overlap = |state: &&State| state.to.min(place.to) - state.from.max(place.from);
    let states = derived.states.iter().filter(|state| state.task == task && state.kind != Kind::Call);
    states.filter(|state| overlap(state) > 0).max_by_key(overlap)
}

/// `main waited for client A`.
fn did(derived: &Derived, task: i32, place: &Place) -> Option<String> {
    let (name, state) = (&derived.task(task)?.name, state(derived, task, place)?);
    let label = state.label.split(" (").next().unwrap_or_default();
    let did = match state.kind {
        Kind::Run => "ran".to_owned(),
        Kind::Sleep => "slept".to_owned(),
        _ => label.replacen("waits", "waited", 1),
    };
    Some(format!("{name} {did}"))
}

/// `worker 1 waited for client A`, `worker 2 for client B`: the verb is said once.
fn without_repetition(mut names: Vec<String>) -> Vec<String> {
    const VERB: &str = " waited for ";
    if names.iter().all(|name| name.contains(VERB)) {
        names.iter_mut().skip(1).for_each(|name| *name = name.replacen(VERB, " for ", 1));
    }
    names
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `a, b and c`.
fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}
