//! What a chart says about its figures: where they are from, how many rounds, what is missing.

use super::source::Source;
use super::text::{self, SMALL};
use lab_core::units::count;
use records::{Phase, Record};
use std::collections::{BTreeMap, BTreeSet};

/// So much of a reason stands on a chart: a server's last words may be a page long.
const REASON: i32 = 2000;

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

    /// Breaks lines that are too long for a picture of this width, as long as there are at most so many: what is left over
    /// is cut.
    pub(super) fn wrap(&mut self, width: i32, most: usize) {
        let mut spare = most.saturating_sub(self.lines.len());
        let mut lines = Vec::new();
        for line in &self.lines {
            let mut parts = text::wrap(line, SMALL, width - 2 * text::MARGIN);
            let rest = parts.split_off(parts.len().min(1 + spare));
            spare -= parts.len().saturating_sub(1);
            if let (Some(last), false) = (parts.last_mut(), rest.is_empty()) {
                *last = format!("{last} {}", rest.join(" "));
            }
            lines.extend(parts);
        }
        self.lines = lines;
    }
}

/// `server on CPU 0`, `server on CPUs 0-7,9`; a server elsewhere has no CPUs that are known.
pub(super) fn place(who: &str, cpus: &[usize]) -> String {
    let follows = |one: &usize, next: &usize| *next == one + 1;
    let runs = cpus.chunk_by(follows).map(|run| match run {
        [first, .., last] if run.len() > 2 => format!("{first}-{last}"),
        _ => listed(run, ","),
    });
    let runs: Vec<String> = runs.collect();
    match cpus.len() {
        0 => format!("{who} elsewhere"),
        1 => format!("{who} on CPU {}", cpus[0]),
        _ => format!("{who} on CPUs {}", runs.join(",")),
    }
}

fn listed(numbers: &[usize], between: &str) -> String {
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(between)
}

/// `1 client`, `16, 64 clients`.
pub(super) fn counts(numbers: &[usize], noun: &str) -> String {
    match numbers {
        [one] => count(*one, noun),
        _ => format!("{} {noun}s", listed(numbers, ", ")),
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
        for record in records.iter().filter(|record| is_measured(record)) {
            let (rounds, paired) = points.entry(point_of(record)).or_default();
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

/// What a point of a chart is known by. The rows of seed 002's table differ in their titles only, the points of an open loop
/// in their share of the peak, in thousandths.
type PointOf<'a> = ([&'a str; 3], bool, usize, Option<usize>, Option<u64>);

fn point_of(record: &Record) -> PointOf<'_> {
    let share = record.open_loop.and_then(|open| open.share_of_peak);
    let share = share.map(|share| (1000.0 * share).round() as u64);
    let Record { stage, title, tool, keep_alive, concurrency, workers, .. } = record;
    ([stage, title, tool], *keep_alive, *concurrency, *workers, share)
}

fn is_measured(record: &Record) -> bool {
    record.figures.is_some() || record.idle.is_some()
}

/// Workers and clients.
type Loads = BTreeSet<(Option<usize>, usize)>;

/// `01, 03 with 64 clients (ab would hang …)`: what a reader would look for and not find. What another round has measured is
/// not among it; of several reasons the first is told.
pub(super) fn not_measured(records: &[&Record]) -> Vec<String> {
    let measured: BTreeSet<PointOf> =
        records.iter().filter(|record| is_measured(record)).map(|record| point_of(record)).collect();
    let mut points: BTreeMap<PointOf, &str> = BTreeMap::new();
    let mut missing: BTreeMap<&str, BTreeMap<&str, Loads>> = BTreeMap::new();
    for record in records {
        let Some(reason) = record.skipped.as_deref() else { continue };
        if measured.contains(&point_of(record)) {
            continue;
        }
        let reason = *points.entry(point_of(record)).or_insert(without_figures(reason));
        // What a row of the table is called is its title.
        let name = if record.phase == Phase::Table { &record.title } else { &record.stage };
        let servers = missing.entry(reason).or_default();
        servers.entry(name).or_default().insert((record.workers, record.concurrency));
    }
    let mut lines = Vec::new();
    for (reason, servers) in missing {
        let mut alike: BTreeMap<Loads, Vec<&str>> = BTreeMap::new();
        for (name, loads) in servers {
            alike.entry(loads).or_default().push(name);
        }
        let reason = text::fit(reason, SMALL, REASON);
        lines.extend(
            alike.iter().map(|(loads, names)| {
                format!("Not measured: {} {} ({reason})", names.join(", "), with(loads))
            }),
        );
    }
    lines
}

/// `with 64 clients and 2, 4 workers`.
fn with(loads: &Loads) -> String {
    let mut by_clients: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &(workers, clients) in loads {
        by_clients.entry(clients).or_default().extend(workers);
    }
    let mut by_workers: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    for (clients, workers) in by_clients {
        by_workers.entry(workers).or_default().push(clients);
    }
    let words = by_workers.iter().map(|(workers, clients)| {
        let workers =
            if workers.is_empty() { String::new() } else { format!(" and {}", counts(workers, "worker")) };
        format!("with {}{workers}", counts(clients, "client"))
    });
    words.collect::<Vec<_>>().join(", ")
}

/// A reason may end with figures of the one point, `…: 1 of 64 clients are served`, which would set points apart that lack
/// the same. Anything else behind a colon is the cause, and stays.
fn without_figures(reason: &str) -> &str {
    let is_count = |text: &str| {
        let mut words = text.split(' ');
        let mut number = || words.next().is_some_and(|word| word.parse::<u64>().is_ok());
        number() && words.next() == Some("of")
    };
    match reason.rsplit_once(": ") {
        Some((what, figures)) if is_count(figures) => what,
        _ => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::sample::record;

    fn failed(stage: &str, workers: Option<usize>, clients: usize, reason: &str) -> Record {
        let mut record = record(stage, "builtin", clients, true, 1.0);
        (record.workers, record.figures, record.skipped) = (workers, None, Some(reason.into()));
        record
    }

    fn lines(records: &[Record]) -> Vec<String> {
        not_measured(&records.iter().collect::<Vec<_>>())
    }

    /// Protects a point that is drawn from being called missing, and one that is missing from being called by less than its
    /// name.
    #[test]
    fn what_is_missing_is_named_with_its_workers_and_only_that() {
        let mut drawn = record("06", "builtin", 64, true, 1.0);
        drawn.workers = Some(1);
        let lines = lines(&[
            failed("06", Some(1), 64, "a round that broke"),
            drawn,
            failed("06", Some(2), 64, "refused: no such luck"),
            failed("06", Some(2), 64, "refused: another reason in another round"),
            failed("06", Some(4), 64, "refused: no such luck"),
            failed("03", Some(2), 2, "refused: no such luck"),
            failed("03", Some(4), 4, "refused: no such luck"),
        ]);
        assert_eq!(
            lines,
            [
                "Not measured: 03 with 2 clients and 2 workers, with 4 clients and 4 workers (refused: no such luck)",
                "Not measured: 06 with 64 clients and 2, 4 workers (refused: no such luck)",
            ]
        );
    }

    #[test]
    fn figures_of_one_point_are_left_out_of_a_reason_and_a_cause_is_not() {
        let would = "ab would hang with keep-alive: 1 of 64 clients are served";
        let others = "ab would hang with keep-alive: 4 of 64 clients are served";
        let lines = lines(&[failed("01", None, 64, would), failed("03", None, 64, others)]);
        assert_eq!(lines, ["Not measured: 01, 03 with 64 clients (ab would hang with keep-alive)"]);
        for whole in ["refused: the server ended early: exit status: 1", "refused: 127.0.0.1 of nobody"] {
            assert_eq!(without_figures(whole), whole);
        }
        let endless = lines_of_one(&"word ".repeat(1000));
        assert!(endless.len() < 400 && endless.ends_with("…)"), "{endless}");
    }

    fn lines_of_one(reason: &str) -> String {
        lines(&[failed("01", None, 1, reason)]).remove(0)
    }

    #[test]
    fn points_that_differ_in_nothing_but_the_title_are_not_counted_together() {
        let mut records = Vec::new();
        for (title, round) in [("1 process", 1), ("1 process", 2), ("2 processes", 1), ("2 processes", 2)] {
            let mut record = record("09", "webbench", 5, false, 1.0);
            (record.phase, record.title, record.round) = (Phase::Table, title.into(), round);
            records.push(record);
        }
        let rounds = Rounds::of(&records.iter().collect::<Vec<_>>());
        assert_eq!(rounds.in_words(), "Medians of 2 rounds");
    }

    #[test]
    fn cpus_in_a_row_are_a_range() {
        let places = [&[][..], &[3], &[0, 1], &[0, 1, 2, 3, 8, 10, 11]].map(|cpus| place("server", cpus));
        assert_eq!(
            places,
            ["server elsewhere", "server on CPU 3", "server on CPUs 0,1", "server on CPUs 0-3,8,10,11"]
        );
    }

    #[test]
    fn a_long_line_is_broken_where_there_is_room_and_loses_nothing() {
        let long = "word ".repeat(50).trim().to_owned();
        let mut caption =
            Caption { lines: vec![long.clone(), "short".into(), long.clone()], ..Caption::default() };
        caption.wrap(1240, 4);
        assert_eq!(caption.lines.len(), 4);
        assert_eq!(caption.lines[..2].join(" "), long);
        assert_eq!(caption.lines[2..], ["short".to_owned(), long]);
    }
}
