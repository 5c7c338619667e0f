//! What a chart says about its figures: where they are from, how many rounds, what is missing.

use super::source::Source;
use crate::records::Record;
use std::collections::{BTreeMap, BTreeSet};

/// Title, subtitle and notes of a chart.
#[derive(Clone, Debug, Default)]
pub(super) struct Caption {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    /// `5 rounds, medians`.
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
        let (few, many) = rounds(records);
        let cpus = |cpus: &[usize]| cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let how = if records.iter().all(|record| record.quick) {
            "Quick look: one short round, for orientation only".to_owned()
        } else if many <= 1 {
            "One round".to_owned()
        } else if few == many {
            format!("{many} rounds, medians")
        } else {
            format!("{few} to {many} rounds, medians")
        };
        let depth = if first.pipeline > 1 {
            format!(", {} requests pipelined", first.pipeline)
        } else {
            String::new()
        };
        let asked = format!(
            "{how}; GET {} ({} bytes{depth}), {} s per point; server on CPU {}, generator on CPU {}.",
            first.path,
            records.iter().map(|record| record.body_bytes).max().unwrap_or(0),
            first.duration_seconds,
            cpus(&first.server_cpus),
            cpus(&first.generator_cpus)
        );
        let mut machine = format!("{}; {}.", first.host.summary(), first.host.commit_name());
        let measured: Vec<_> = records.iter().filter_map(|record| record.figures.as_ref()).collect();
        let disturbed = measured.iter().filter(|figures| figures.is_disturbed()).count();
        if disturbed > 0 {
            machine += &format!(" Other programs were busy during {disturbed} of {} points.", measured.len());
        }
        let data = format!("Data: {}", source.line());
        let whiskers = match (few, many) {
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

/// How many rounds the points have, at least and at most.
fn rounds(records: &[&Record]) -> (usize, usize) {
    let mut points: BTreeMap<_, usize> = BTreeMap::new();
    for record in records.iter().filter(|record| record.figures.is_some() || record.idle.is_some()) {
        let share = record.open_loop.map(|open| (1000.0 * open.share_of_peak).round() as u64);
        let point = (&record.stage, &record.tool, record.keep_alive, record.concurrency, share);
        *points.entry(point).or_default() += 1;
    }
    (points.values().copied().min().unwrap_or(0), points.values().copied().max().unwrap_or(0))
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
