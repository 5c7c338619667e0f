//! The records that a figure is built from, and what several figures ask of them.

use super::caption::{self, Caption};
use crate::model::{Choice, Figure, Gap, Look, Points, Series, Show};
use anyhow::{Context, Result};
use lab_core::files::link;
use records::{Bottleneck, Cell, Figures, Grade, Phase, Record, order};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How many clients a figure for one number of clients shows; the nearest that was measured.
const CLIENTS: usize = 64;
/// So many letters of a reason stand on a figure: a server's last words may be a page long.
const REASON: usize = 260;

/// Data of one kind.
pub struct Data<'a> {
    /// As they stand in the file, a line each.
    lines: &'a [Record],
    /// Those that can be compared.
    pub(super) records: Cow<'a, [Record]>,
    pub(super) grades: &'a [Grade],
    files: &'a [PathBuf],
    out: &'a Path,
    /// What is missing in a run that was interrupted or in which a server failed.
    incomplete: Option<String>,
}

impl<'a> Data<'a> {
    /// Records of the table or of a scenario, from these files; figures link them from `out`.
    pub fn new(lines: &'a [Record], files: &'a [PathBuf], out: &'a Path) -> Self {
        let incomplete = incomplete(lines);
        Self { lines, records: Cow::Borrowed(lines), grades: &[], files, out, incomplete }
    }

    /// Records of a run.
    ///
    /// # Errors
    ///
    /// Every point was skipped.
    pub fn of_run(lines: &'a [Record], files: &'a [PathBuf], out: &'a Path) -> Result<Self> {
        let data = Self::new(lines, files, out);
        // Pipelined requests are another unit; they are on a figure only if there is nothing else.
        let measured = lines.iter().filter(|record| caption::is_measured(record));
        let depth = measured.map(|record| record.key.pipeline).min().with_context(|| {
            format!("no figures in {}: every point was skipped; name another file with --data", data.name())
        })?;
        let comparable = lines.iter().filter(|record| record.key.pipeline == depth);
        Ok(Self { records: Cow::Owned(comparable.cloned().collect()), ..data })
    }

    /// Grades.
    pub fn of_grades(grades: &'a [Grade], files: &'a [PathBuf], out: &'a Path) -> Self {
        let planned = grades.iter().map(|grade| grade.planned).max().unwrap_or(0);
        let graded: BTreeSet<&str> = grades.iter().map(|grade| grade.stage.as_str()).collect();
        let incomplete = (graded.len() < planned).then(|| format!("{} of {planned} servers", graded.len()));
        Self { grades, incomplete, ..Self::new(&[], files, out) }
    }

    /// The data as a figure names it.
    pub(super) fn name(&self) -> String {
        let names = self.files.iter().filter_map(|file| file.file_name());
        let names = names.map(|name| name.to_string_lossy()).collect::<Vec<_>>().join(", ");
        match &self.incomplete {
            Some(gaps) => format!("{names} (INCOMPLETE: {gaps})"),
            None => names,
        }
    }

    /// A figure that says how these records were made and where they are, and nothing else yet.
    pub(super) fn figure(&self, id: impl Into<String>, title: String, records: &[&Record]) -> Figure {
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        Figure {
            id: id.into(),
            title,
            subtitle: Caption::new(records, &self.name()).lines(),
            data: self.files.iter().map(|file| link(self.out, file)).collect(),
            command: format!("./lab chart --data {} --out {}", files.join(" "), self.out.display()),
            ..Figure::default()
        }
    }

    /// The records of a phase that count.
    pub(super) fn of_phase(&self, phase: Phase) -> Vec<&Record> {
        self.records.iter().filter(|record| record.key.phase == phase && !record.context.dropped).collect()
    }

    /// The records that speeds are from; a paired point carries the load of the survey and is one of them.
    pub(super) fn survey(&self) -> impl Iterator<Item = &Record> {
        let is_survey = |record: &&Record| matches!(record.key.phase, Phase::Survey | Phase::Paired);
        self.records.iter().filter(is_survey).filter(|record| !record.context.dropped)
    }

    /// The rounds of a point: the records that have such a figure, each as its line in the file.
    pub(super) fn rounds(&self, figure: impl Fn(&Record) -> Option<f64>) -> Vec<(usize, f64)> {
        let counting = self.lines.iter().enumerate().filter(|(_, record)| !record.context.dropped);
        counting.filter_map(|(at, record)| Some((at, figure(record)?))).collect()
    }

    /// The same of a figure of those records that belong to the point.
    pub(super) fn rounds_of(
        &self,
        is_of_point: impl Fn(&Record) -> bool,
        figure: impl Fn(&Figures) -> Option<f64>,
    ) -> Vec<(usize, f64)> {
        self.rounds(|record| record.figures().filter(|_| is_of_point(record)).and_then(&figure))
    }

    /// What a reader would look for among these records and not find, with the option of each. What another
    /// round has measured is not among it; of several reasons the first is told.
    pub(super) fn gaps(
        &self,
        records: &[&Record],
        options: impl Fn(&Record) -> Option<Vec<usize>>,
    ) -> Vec<Gap> {
        let measured: BTreeSet<caption::PointOf> = records
            .iter()
            .filter(|record| caption::is_measured(record))
            .map(|r| caption::point_of(r))
            .collect();
        let mut gaps: BTreeMap<caption::PointOf, Gap> = BTreeMap::new();
        for record in records {
            let Some(reason) = record.skipped() else { continue };
            let Some(options) = options(record) else { continue };
            let point = caption::point_of(record);
            if measured.contains(&point) {
                continue;
            }
            // What a row of the table is called is its title.
            let name = if record.key.phase == Phase::Table { &record.key.title } else { &record.key.server };
            gaps.entry(point).or_insert_with(|| Gap {
                server: record.key.server.clone(),
                name: name.clone(),
                options,
                clients: record.key.concurrency,
                workers: record.key.workers,
                reason: cut(without_figures(reason)),
            });
        }
        gaps.into_values().collect::<BTreeSet<Gap>>().into_iter().collect()
    }
}

fn cut(reason: &str) -> String {
    match reason.char_indices().nth(REASON) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.to_owned(),
    }
}

/// A reason may end with figures of the one point, `…: 1 of 64 clients are served`, which would set points
/// apart that lack the same. Anything else behind a colon is the cause, and stays.
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

fn incomplete(records: &[Record]) -> Option<String> {
    let mut runs: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    for record in records {
        let (planned, measured) = runs.entry(record.context.seed).or_default();
        *planned = record.context.points_planned;
        *measured += usize::from(caption::is_measured(record) && !record.context.dropped);
    }
    let (planned, measured) = runs.values().fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
    (measured < planned).then(|| format!("{measured} of {planned} points"))
}

/// The servers in the order of every figure, each once.
pub(super) fn servers<'a>(names: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Series> {
    let mut names: Vec<(&str, &str)> = names.collect();
    names.sort_by_key(|(name, _)| order(name));
    names.dedup_by_key(|(name, _)| *name);
    names.into_iter().map(|(name, title)| Series::server(name, title)).collect()
}

/// The same of cells.
pub(super) fn servers_of<'a>(cells: impl Iterator<Item = &'a Cell>) -> Vec<Series> {
    servers(cells.map(|cell| (cell.shape.stage.as_str(), cell.title.as_str())))
}

/// The same of records.
pub(super) fn servers_in(records: &[&Record]) -> Vec<Series> {
    servers(records.iter().map(|record| (record.key.server.as_str(), record.key.title.as_str())))
}

/// The tools, the one whose figures stand for a server first: wrk, or the built-in generator, or whatever was
/// there.
pub(super) fn tools<'a>(tools: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let rank = |tool: &str| ["wrk", "builtin"].iter().position(|&first| first == tool).unwrap_or(2);
    let mut tools: Vec<&str> = tools.collect::<BTreeSet<_>>().into_iter().collect();
    tools.sort_by_key(|tool| rank(tool));
    tools
}

/// The number of clients that a figure of one load shows.
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

/// What was the limit, as a mark and in words.
pub(super) fn limit(limiter: Bottleneck, clients_served: usize, clients: usize) -> (Look, String) {
    if clients_served < clients {
        return (Look::Cross, format!("{clients_served} of {clients} clients served"));
    }
    let (look, words) = match limiter {
        Bottleneck::Generator => (Look::Hollow, "limit: the generator"),
        Bottleneck::Server => (Look::Filled, "limit: the server"),
        Bottleneck::Both => (Look::Hollow, "limit: both the server and the generator"),
        Bottleneck::Clients => (Look::Filled, "in most rounds some clients were not served"),
        Bottleneck::Neither => (Look::Filled, "limit: neither"),
        Bottleneck::Unreached => (Look::Filled, "the rate was not reached"),
    };
    (look, words.to_owned())
}

/// What the looks that are among these points mean, in one paragraph.
pub(super) fn signs(points: &Points, meanings: &[(Look, &str)]) -> String {
    let shown = points.shown();
    let is_there = |look: Look| shown.iter().any(|point| point.look == look);
    let meanings = meanings.iter().filter(|(look, _)| is_there(*look)).map(|(_, meaning)| *meaning);
    meanings.collect::<Vec<_>>().join(" ")
}

/// Between the kinds of connections.
pub(super) fn connections(show: Show) -> Choice {
    Choice {
        id: "connections".into(),
        label: "Connections".into(),
        options: ["kept", "one per request"].map(String::from).into(),
        says: ["Connections kept (keep-alive)", "A connection per request"].map(String::from).into(),
        show,
    }
}

/// What a hollow point says nearly everywhere.
pub(super) const HOLLOW: (Look, &str) =
    (Look::Hollow, "Hollow: the generator was the limit, the server could do more.");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::gap_lines;
    use records::sample::{record, skipped};

    fn failed(stage: &str, workers: Option<usize>, clients: usize, reason: &str) -> Record {
        let mut record = skipped(record(stage, "builtin", clients, true, 1.0), reason);
        record.key.workers = workers;
        record
    }

    fn lines(records: &[Record]) -> Vec<String> {
        let data = Data::new(records, &[], Path::new("."));
        gap_lines(&data.gaps(&records.iter().collect::<Vec<_>>(), |_| Some(Vec::new())))
    }

    /// Protects a point that is drawn from being called missing, and one that is missing from being called by
    /// less than its name.
    #[test]
    fn what_is_missing_is_named_with_its_workers_and_only_that() {
        let mut drawn = record("06", "builtin", 64, true, 1.0);
        drawn.key.workers = Some(1);
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
                "Not measured: 03 with 2 clients and 2 workers, with 4 clients and 4 workers (refused: no \
                 such luck)",
                "Not measured: 06 with 64 clients and 2, 4 workers (refused: no such luck)",
            ]
        );
    }

    #[test]
    fn figures_of_one_point_are_left_out_of_a_reason_and_a_cause_is_not() {
        let would = "ab would hang with keep-alive: 1 of 64 clients are served";
        let others = "ab would hang with keep-alive: 4 of 64 clients are served";
        let named = lines(&[failed("01", None, 64, would), failed("03", None, 64, others)]);
        assert_eq!(named, ["Not measured: 01, 03 with 64 clients (ab would hang with keep-alive)"]);
        for whole in ["refused: the server ended early: exit status: 1", "refused: 127.0.0.1 of nobody"] {
            assert_eq!(without_figures(whole), whole);
        }
        let endless = lines(&[failed("01", None, 1, &"word ".repeat(1000))]).remove(0);
        assert!(endless.len() < 400 && endless.ends_with("…)"), "{endless}");
    }

    #[test]
    fn a_figure_links_its_data_and_says_how_to_draw_it_again() {
        let files = [PathBuf::from("results/data/a.jsonl"), PathBuf::from("elsewhere/b.jsonl")];
        let figure = Data::new(&[], &files, Path::new("results")).figure("x", "X".into(), &[]);
        assert_eq!(figure.data, ["data/a.jsonl", "../elsewhere/b.jsonl"]);
        assert_eq!(figure.command, "./lab chart --data results/data/a.jsonl elsewhere/b.jsonl --out results");
    }
}
