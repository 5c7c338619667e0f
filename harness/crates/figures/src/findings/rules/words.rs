//! The words of the sentences.

use crate::sample::Change;

/// What a step adds, in words.
const IDEAS: [(&str, &str); 13] = [
    ("01", "a blocking loop"),
    ("02", "a process per connection"),
    ("02-threads", "a thread per connection"),
    ("03", "a pool of threads"),
    ("04", "an event loop"),
    ("05", "edge-triggered events"),
    ("05-mio", "mio"),
    ("06", "handing requests to workers"),
    ("07", "a ring per worker"),
    ("08", "one loop per thread"),
    ("09", "processes with a loop each"),
    ("10", "a listener per thread"),
    ("11", "io_uring"),
];

pub(super) fn idea(server: &str) -> &str {
    IDEAS.iter().find(|(name, _)| *name == server).map_or(server, |(_, idea)| idea)
}

/// `2.2 times [2.1 to 2.3]`.
pub(super) fn times(change: Change) -> String {
    format!("{:.2} times [{:.2} to {:.2}]", change.ratio, change.low, change.high)
}

/// As a sentence begins; a name of the kernel keeps its letters.
pub(super) fn capital(text: &str) -> String {
    if text.contains('_') {
        return text.to_owned();
    }
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
