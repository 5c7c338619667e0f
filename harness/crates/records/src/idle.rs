//! What a connection that says nothing costs each server, over all rounds.

use super::rounds::Rounds;
use super::{Idle, Kind, Phase, Record};
use lab_core::stats::Estimate;

/// The memory per connection of one server. The kernel's own is not in it.
#[derive(Clone, Debug, PartialEq)]
pub struct IdleCost {
    /// The server.
    pub stage: String,
    /// Its title.
    pub title: String,
    /// What it is to the lab.
    pub kind: Kind,
    /// How many connections it was divided by.
    pub connections: usize,
    /// Bytes per connection that has asked for nothing yet.
    pub silent_bytes: Estimate,
    /// Bytes per connection that was served once and is kept.
    pub served_bytes: Estimate,
    /// How many rounds.
    pub rounds: usize,
}

/// Puts the records of the idle phase together, in the order of the servers' names. Skipped and dropped ones
/// are left out.
pub fn idle(records: &[Record]) -> Vec<IdleCost> {
    let servers =
        Rounds::of_any_state(records, Phase::Idle, |record| record.idle().map(|_| &record.key.server));
    let cost = |rounds: Rounds| {
        let first = rounds.first();
        let estimate = |bytes: fn(Idle) -> f64| {
            Estimate::of(&rounds.iter().filter_map(Record::idle).map(bytes).collect::<Vec<_>>())
        };
        Some(IdleCost {
            stage: first.key.server.clone(),
            title: first.key.title.clone(),
            kind: first.context.kind,
            connections: first.idle()?.connections,
            silent_bytes: estimate(|idle| idle.silent_bytes)?,
            served_bytes: estimate(|idle| idle.served_bytes)?,
            rounds: rounds.len(),
        })
    };
    servers.into_values().filter_map(cost).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, record, skipped};

    #[test]
    fn the_rounds_of_a_server_become_its_median_cost() {
        let mut records = Vec::new();
        for (stage, silent) in [("05", 170.0), ("02", 150_000.0), ("05", 190.0), ("05", 180.0)] {
            let idle = Idle { connections: 1000, silent_bytes: silent, served_bytes: 2.0 * silent };
            records.push(sample::idle(record(stage, "connections", 1000, true, 1.0), idle));
        }
        records.push(skipped(records[0].clone(), "it serves one client at a time"));
        let costs = idle(&records);
        let rounds: Vec<_> = costs.iter().map(|cost| (cost.stage.as_str(), cost.rounds)).collect();
        assert_eq!(rounds, [("02", 1), ("05", 3)]);
        assert_eq!(costs[0].silent_bytes.interval, None, "one round has no spread");
        assert_eq!((costs[1].silent_bytes.median, costs[1].served_bytes.median), (180.0, 360.0));
        assert_eq!(costs[1].silent_bytes.interval, Some((170.0, 190.0)));
    }
}
