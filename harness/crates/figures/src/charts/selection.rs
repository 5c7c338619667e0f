//! Which of the loads a chart shows that has room for one, and which records it is drawn from.

use records::{Phase, Record};

/// How many clients a chart for one number of clients shows; the nearest that was measured.
const CLIENTS: usize = 64;

/// The tool whose figures stand for a server: wrk, or the built-in generator, or whatever was there.
pub(super) fn leading<'a>(tools: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let rank = |tool: &str| ["wrk", "builtin"].iter().position(|&first| first == tool).unwrap_or(2);
    tools.min_by_key(|tool| (rank(tool), *tool))
}

/// The number of clients that a chart of one load shows.
pub(super) fn nearest(clients: impl Iterator<Item = usize>) -> Option<usize> {
    clients.min_by_key(|clients| clients.abs_diff(CLIENTS))
}

/// `64 clients that keep their connections`.
pub(super) fn clients_in_words(clients: usize) -> String {
    match clients {
        1 => "1 client that keeps its connection".into(),
        _ => format!("{clients} clients that keep their connections"),
    }
}

/// The records that speeds are drawn from; a paired point carries the load of the survey and is one of them.
pub(super) fn survey(records: &[Record]) -> impl Iterator<Item = &Record> {
    records.iter().filter(|record| matches!(record.phase, Phase::Survey | Phase::Paired) && !record.dropped)
}
