//! What a connection takes while it waits, by what holds it.

use super::{Finding, finding};
use crate::figures::{Data, concurrency};
use lab_core::units::bytes;

/// With fewer rounds nothing is said.
const LEAST: usize = 3;

/// The memory of a connection that has asked for nothing, in the order of the figure: a list, which claims no
/// difference between neighbours.
pub(super) fn memory(data: &Data) -> Option<Finding> {
    let held = concurrency::silent(data).into_iter().filter(|held| held.sample.len() >= LEAST);
    let word = |held: concurrency::Silent| {
        Some(format!("{} as a {} ({})", bytes(held.sample.median()?), held.what, held.server))
    };
    let words: Vec<String> = held.filter_map(word).collect();
    let (last, others) = words.split_last().filter(|(_, others)| !others.is_empty())?;
    let text = format!("The memory of a connection that waits: {}, and {last}.", others.join(", "));
    finding("concurrency", text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Source;
    use records::sample::{idle, record};
    use records::{Idle, Record};
    use std::path::Path;

    fn silent(server: &str, bytes: f64, rounds: usize) -> Vec<Record> {
        let idle_of = Idle { connections: 9, silent_bytes: bytes, served_bytes: bytes, task_bytes: None };
        (0..rounds).map(|_| idle(record(server, "connections", 9, true, 1.0), idle_of)).collect()
    }

    #[test]
    fn what_holds_a_connection_is_told_from_the_process_to_the_state_machine() {
        let says = |path: &str, records: &[Vec<Record>]| {
            let sources = [Source { path: path.into(), records: records.concat(), ..Source::default() }];
            memory(&Data::new(&sources, Path::new("."))).map(|finding| finding.text)
        };
        let records = [silent("10", 400.0, 3), silent("12", 1200.0, 3), silent("02", 99_000.0, 3)];
        assert_eq!(
            says("1-a-concurrency.jsonl", &records).as_deref(),
            Some(
                "The memory of a connection that waits: 99 kB as a process (02), 1.2 kB as a future (12), and 400 B as a \
                 state machine (10)."
            )
        );
        assert_eq!(says("1-a-standard.jsonl", &records), None, "of a run each server has its own figure");
        assert_eq!(says("1-a-concurrency.jsonl", &records[..1]), None, "one alone");
        assert_eq!(says("1-a-concurrency.jsonl", &[silent("10", 400.0, 2), silent("12", 1.0, 2)]), None);
    }
}
