//! The rounds of one point of a summary, and what all summaries make of them.

use super::{Bottleneck, Figures, OpenLoop, Phase, Record, States};
use lab_core::stats::{Estimate, Percentiles, median};
use std::collections::BTreeMap;

/// The rounds of one point; never empty.
pub(crate) struct Rounds<'a>(Vec<&'a Record>);

impl<'a> Rounds<'a> {
    /// The records of a phase that count, by what tells one point from another; those without it are left
    /// out. Of each point those rounds are taken that ran in the clock state that most points share.
    pub(crate) fn by<K: Ord>(
        records: &'a [Record],
        phase: Phase,
        key: impl Fn(&'a Record) -> Option<K>,
    ) -> BTreeMap<K, Self> {
        Self::in_one_state(records, Self::of_any_state(records, phase, key))
    }

    /// The same for records of any phase.
    pub(crate) fn group<K: Ord>(
        records: &'a [Record],
        key: impl Fn(&'a Record) -> Option<K>,
    ) -> BTreeMap<K, Self> {
        Self::in_one_state(records, Self::grouped(records.iter(), key))
    }

    /// For what does not depend on the clock state, or holds its own reference.
    pub(crate) fn of_any_state<K: Ord>(
        records: &'a [Record],
        phase: Phase,
        key: impl Fn(&'a Record) -> Option<K>,
    ) -> BTreeMap<K, Self> {
        Self::grouped(records.iter().filter(|record| record.counts_in(phase)), key)
    }

    fn grouped<K: Ord>(
        records: impl Iterator<Item = &'a Record>,
        key: impl Fn(&'a Record) -> Option<K>,
    ) -> BTreeMap<K, Self> {
        let mut groups: BTreeMap<K, Self> = BTreeMap::new();
        for record in records {
            if let Some(key) = key(record) {
                groups.entry(key).or_insert(Self(Vec::new())).0.push(record);
            }
        }
        groups
    }

    /// Leaves out the rounds of another clock state than the one that most points share. A point that has no
    /// round in that state keeps all of its rounds: it cannot be compared, and is not lost.
    fn in_one_state<K: Ord>(records: &[Record], mut groups: BTreeMap<K, Self>) -> BTreeMap<K, Self> {
        let states = States::of(records);
        let Some(most) = states.most() else { return groups };
        for rounds in groups.values_mut() {
            let is_other = |record: &&Record| states.of_record(record).is_some_and(|state| state != most);
            if !rounds.0.iter().all(is_other) {
                rounds.0.retain(|record| !is_other(record));
            }
        }
        groups
    }

    /// The first of them.
    pub(crate) fn first(&self) -> &'a Record {
        self.0[0]
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a Record> + Clone {
        self.0.iter().copied()
    }

    /// Of those that have any.
    pub(crate) fn figures(&self) -> impl Iterator<Item = &'a Figures> + Clone {
        self.iter().filter_map(Record::figures)
    }

    /// Of those that have one.
    pub(crate) fn open_loops(&self) -> impl Iterator<Item = &'a OpenLoop> + Clone {
        self.iter().filter_map(Record::open_loop)
    }

    /// A figure over the rounds that have it.
    pub(crate) fn estimate(&self, figure: impl Fn(&'a Figures) -> Option<f64>) -> Option<Estimate> {
        Estimate::of(&self.figures().filter_map(figure).collect::<Vec<_>>())
    }

    /// A latency over the rounds, µs.
    pub(crate) fn wait(&self, percentile: fn(&Percentiles) -> u64) -> Option<Estimate> {
        let waits = self.open_loops().map(|open| percentile(&open.latency_us) as f64);
        Estimate::of(&waits.collect::<Vec<_>>())
    }

    /// Median of the requests per second that were to be sent.
    pub(crate) fn rate(&self) -> Option<f64> {
        median(&self.open_loops().map(|open| open.rate).collect::<Vec<_>>())
    }

    /// Median of the right answers per second, on every path, and whether the rate was reached in more than
    /// half of the rounds.
    pub(crate) fn answered(&self) -> Option<(f64, bool)> {
        let answered: Vec<f64> = self.iter().filter_map(Record::answered_per_second).collect();
        let reached = self.open_loops().zip(&answered).filter(|(open, answered)| open.is_reached(**answered));
        Some((median(&answered)?, 2 * reached.count() > self.len()))
    }

    /// Failed, short and refused requests on every path, in all rounds.
    pub(crate) fn errors(&self) -> u64 {
        let mixed = self.iter().filter_map(Record::mix).map(|mix| mix.errors).sum::<u64>();
        mixed + self.figures().map(|figures| figures.errors).sum::<u64>()
    }

    /// In the round with the fewest, the clients that were served.
    pub(crate) fn clients_served(&self) -> usize {
        self.iter().map(|record| record.served().clients).min().unwrap_or(0)
    }

    /// What kept the speed down in most rounds; of two that are equally frequent the one less in favour of
    /// the server.
    pub(crate) fn bottleneck(&self) -> Option<Bottleneck> {
        // max_by_key takes the last of equals.
        let order = [
            Bottleneck::Server,
            Bottleneck::Both,
            Bottleneck::Neither,
            Bottleneck::Generator,
            Bottleneck::Unreached,
            Bottleneck::Clients,
        ];
        let count = |kind| self.figures().filter(|figures| figures.limiter == kind).count();
        order.into_iter().max_by_key(|&kind| count(kind)).filter(|&kind| count(kind) > 0)
    }
}
