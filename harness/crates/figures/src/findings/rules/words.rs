//! The words of the sentences.

use crate::sample::Change;

/// What a step adds, in words.
const IDEAS: [(&str, &str); 17] = [
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
    ("12", "async/await"),
    ("12-fibers", "fibers"),
    ("12-tokio", "tokio"),
    ("13", "a framework of callbacks"),
];

pub(super) fn idea(server: &str) -> &str {
    IDEAS.iter().find(|(name, _)| *name == server).map_or(server, |(_, idea)| idea)
}

/// `2.20 times [2.10 to 2.30]`, `33.0 times [29.0 to 39.4]`.
pub(super) fn times(change: Change) -> String {
    let digits = if change.ratio < 10.0 { 2 } else { 1 };
    format!("{:.digits$} times [{:.digits$} to {:.digits$}]", change.ratio, change.low, change.high)
}
