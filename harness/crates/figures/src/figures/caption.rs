//! What a figure says of how its data were made: how often, for how long, on what, and the data's name.

use crate::machine::places;
use records::{Key, Phase, Record};
use std::collections::BTreeMap;

/// The lines under a title.
pub(super) struct Caption {
    /// `Medians of 5 rounds`.
    pub(super) how: String,
    asked: String,
    machine: String,
    data: String,
}

impl Caption {
    /// Of a figure that is built from these records.
    pub(super) fn new(records: &[&Record], data_name: &str) -> Self {
        let how = match !records.is_empty() && records.iter().all(|record| record.context.quick) {
            true => "Quick look: one short round, for orientation only".to_owned(),
            false => Rounds::of(records).in_words(),
        };
        let data = format!("Data: {data_name}");
        let Some(first) = records.first() else {
            return Self { how, asked: String::new(), machine: String::new(), data };
        };
        let depth = if first.key.pipeline > 1 {
            format!(", {} requests pipelined", first.key.pipeline)
        } else {
            String::new()
        };
        let asked = format!(
            "{how}; GET {} ({} bytes{depth}), {} s per point; {}.",
            first.key.path,
            records.iter().map(|record| record.served().body_bytes).max().unwrap_or(0),
            seconds(records),
            places(first)
        );
        let mut machine = format!("{}; {}.", first.context.host.summary(), first.context.host.commit_name());
        let measured: Vec<_> = records.iter().filter_map(|record| record.figures()).collect();
        let disturbed = measured.iter().filter(|figures| figures.is_disturbed()).count();
        if disturbed > 0 {
            machine +=
                &format!(" {disturbed} of {} points remain disturbed by other programs.", measured.len());
        }
        Self { how, asked, machine, data }
    }

    /// With other words for what was asked.
    pub(super) fn asking(self, asked: String) -> Self {
        Self { asked, ..self }
    }

    /// As the figure has them.
    pub(super) fn lines(self) -> Vec<String> {
        [self.asked, self.machine, self.data].into_iter().filter(|line| !line.is_empty()).collect()
    }
}

/// `1`, or `0.6 to 1`: the phases and the tools may differ.
fn seconds(records: &[&Record]) -> String {
    let durations = || records.iter().map(|record| record.context.duration_seconds);
    let (least, most) = (durations().fold(f64::MAX, f64::min), durations().fold(0.0, f64::max));
    if least < most { format!("{least} to {most}") } else { most.to_string() }
}

/// How many rounds the points have.
struct Rounds {
    few: usize,
    many: usize,
    /// The points that were measured between two runs of the floor too are those that have the most.
    paired_have_more: bool,
}

impl Rounds {
    fn of(records: &[&Record]) -> Self {
        let mut points: BTreeMap<_, (usize, bool)> = BTreeMap::new();
        for record in records.iter().filter(|record| is_measured(record)) {
            let (rounds, paired) = points.entry(point_of(record)).or_default();
            *rounds += 1;
            *paired |= record.key.phase == Phase::Paired;
        }
        let few = points.values().map(|(rounds, _)| *rounds).min().unwrap_or(0);
        let many = points.values().map(|(rounds, _)| *rounds).max().unwrap_or(0);
        let paired_have_more =
            points.values().all(|&(rounds, paired)| rounds == if paired { many } else { few });
        Self { few, many, paired_have_more }
    }

    fn in_words(&self) -> String {
        let Self { few, many, .. } = self;
        match (few, many) {
            (_, 0 | 1) => "One round".to_owned(),
            _ if few == many => format!("Medians of {many} rounds"),
            _ if self.paired_have_more => {
                let few = if *few == 1 { "1 round".to_owned() } else { format!("{few} rounds") };
                format!("Medians of {few}; of {many} where a point was also measured in pairs with the floor")
            }
            _ => format!("Medians of {few} to {many} rounds (some points were not measured in every round)"),
        }
    }
}

/// What a point is known by. The rows of source 002's table differ in their titles only, the points of an
/// open loop in their share of the peak, in thousandths.
pub(super) type PointOf<'a> = ([&'a str; 3], bool, usize, Option<usize>, Option<u64>);

pub(super) fn point_of(record: &Record) -> PointOf<'_> {
    let share = record.open_loop().and_then(|open| open.share_of_peak);
    let share = share.map(|share| (1000.0 * share).round() as u64);
    let Key { server, title, tool, keep_alive, concurrency, workers, .. } = &record.key;
    ([server, title, tool], *keep_alive, *concurrency, *workers, share)
}

/// A point of idle connections has no speed.
pub(super) fn is_measured(record: &Record) -> bool {
    record.figures().is_some() || record.idle().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::sample::record;

    #[test]
    fn points_that_differ_in_nothing_but_the_title_are_not_counted_together() {
        let mut records = Vec::new();
        for (title, round) in [("1 process", 1), ("1 process", 2), ("2 processes", 1), ("2 processes", 2)] {
            let mut record = record("09", "webbench", 5, false, 1.0);
            (record.key.phase, record.key.title, record.context.round) = (Phase::Table, title.into(), round);
            records.push(record);
        }
        let rounds = Rounds::of(&records.iter().collect::<Vec<_>>());
        assert_eq!(rounds.in_words(), "Medians of 2 rounds");
    }
}
