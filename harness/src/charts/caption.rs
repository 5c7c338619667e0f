//! What a chart says about its figures: where they are from, how many rounds, what is missing.

use super::source::Source;
use crate::records::{Phase, Record};
use std::collections::{BTreeMap, BTreeSet};

/// Title, subtitle and notes of a chart.
#[derive(Clone, Debug, Default)]
pub(super) struct Caption {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    /// `Medians of 5 rounds`.
    pub(super) how: String,
    /// What the whiskers are, if there are any.
    pub(super) whiskers: Option<&'static str>,
    /// What was left out, with the reason.
    pub(super) not_measured: Vec<String>,
}

impl Caption {
    /// The caption of a chart drawn from these records, which are from that source.
    pub(super) fn new(title: String, records: &[&Record], source: &Source) -> Self {
        let Some(first) = records.first() else { return Self { title, ..Self::default() } };
        let rounds = Rounds::of(records);
        let how = match records.iter().all(|record| record.quick) {
            true => "Quick look: one short round, for orientation only".to_owned(),
            false => rounds.in_words(),
        };
        let depth = if first.pipeline > 1 {
            format!(", {} requests pipelined", first.pipeline)
        } else {
            String::new()
        };
        let asked = format!(
            "{how}; GET {} ({} bytes{depth}), {} s per point; {}, {}.",
            first.path,
            records.iter().map(|record| record.body_bytes).max().unwrap_or(0),
            seconds(records),
            place("server", &first.server_cpus),
            place("generator", &first.generator_cpus)
        );
        let mut machine = format!("{}; {}.", first.host.summary(), first.host.commit_name());
        let measured: Vec<_> = records.iter().filter_map(|record| record.figures.as_ref()).collect();
        let disturbed = measured.iter().filter(|figures| figures.is_disturbed()).count();
        if disturbed > 0 {
            machine +=
                &format!(" {disturbed} of {} points remain disturbed by other programs.", measured.len());
        }
        let data = format!("Data: {}", source.line());
        let whiskers = match (rounds.few, rounds.many) {
            (_, 0 | 1) => None,
            (_, 2..=4) => Some("Whiskers: the smallest and the largest round."),
            (5.., _) => Some("Whiskers: 95 % bootstrap interval of the median."),
            _ => Some(
                "Whiskers: 95 % bootstrap interval of the median; with fewer than five rounds the smallest and the largest.",
            ),
        };
        Self { title, lines: vec![asked, machine, data], how, whiskers, not_measured: not_measured(records) }
    }
}

/// `server on CPU 0`; a server elsewhere has no CPUs that are known.
pub(super) fn place(who: &str, cpus: &[usize]) -> String {
    let cpus: Vec<String> = cpus.iter().map(usize::to_string).collect();
    match cpus.len() {
        0 => format!("{who} elsewhere"),
        1 => format!("{who} on CPU {}", cpus[0]),
        _ => format!("{who} on CPUs {}", cpus.join(",")),
    }
}

/// `1`, or `0.6 to 1`: the phases and the tools may differ.
fn seconds(records: &[&Record]) -> String {
    let durations = || records.iter().map(|record| record.duration_seconds);
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
        for record in records.iter().filter(|record| record.figures.is_some() || record.idle.is_some()) {
            let share = record.open_loop.and_then(|open| open.share_of_peak);
            let share = share.map(|share| (1000.0 * share).round() as u64);
            let Record { stage, tool, keep_alive, concurrency, workers, .. } = record;
            let point = (stage, tool, keep_alive, concurrency, workers, share);
            let (rounds, paired) = points.entry(point).or_default();
            *rounds += 1;
            *paired |= record.phase == Phase::Paired;
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

/// `01, 03 with 64 clients (ab would hang …)`: what a reader would look for and not find.
fn not_measured(records: &[&Record]) -> Vec<String> {
    let mut missing: BTreeMap<&str, BTreeSet<(&str, usize)>> = BTreeMap::new();
    for record in records {
        let Some(reason) = record.skipped.as_deref() else { continue };
        // The reason begins with what matters and ends with figures of the one point.
        let reason = reason.split(':').next().unwrap_or(reason);
        missing.entry(reason).or_default().insert((&record.stage, record.concurrency));
    }
    let line = |(reason, points): (&str, BTreeSet<(&str, usize)>)| {
        let stages: BTreeSet<&str> = points.iter().map(|(stage, _)| *stage).collect();
        let clients: BTreeSet<usize> = points.iter().map(|(_, clients)| *clients).collect();
        let clients: Vec<String> = clients.iter().map(usize::to_string).collect();
        let stages: Vec<&str> = stages.into_iter().collect();
        format!("Not measured: {} with {} clients ({reason})", stages.join(", "), clients.join(", "))
    };
    missing.into_iter().map(line).collect()
}
