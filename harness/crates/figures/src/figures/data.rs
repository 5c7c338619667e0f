//! The records that figures are built from, and how records become points.

use super::caption;
use crate::model::{Figure, Marker, Plot, Point, Points, Series};
use crate::sample::Sample;
use lab_core::files::link;
use records::{Bottleneck, Content, Grade, Phase, Record, States, grades, order, read};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// How many clients a figure for one number of clients shows; the nearest that was measured.
const CLIENTS: usize = 64;
/// So many letters of a reason stand on a figure: a server's last words may be a page long.
const REASON: usize = 260;

/// Of a point that was measured and has no such value.
const UNKNOWN: &str = "not known";

/// A file, read.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// Its lines, unless it is of grades.
    pub records: Vec<Record>,
    /// Its lines, if it is of grades.
    pub grades: Vec<Grade>,
}

impl Source {
    /// Reads a file of records or of grades, whatever its name.
    ///
    /// # Errors
    ///
    /// It is neither.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let source = Self { path: path.to_owned(), ..Self::default() };
        match read(path) {
            Ok(records) => Ok(Self { records, ..source }),
            Err(error) => grades(path).map(|grades| Self { grades, ..source }).map_err(|_| error),
        }
    }

    /// Its name; what is missing in it, if it was interrupted, with it.
    pub(crate) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let gaps = caption::incomplete(self).map(|gaps| format!(" (INCOMPLETE: {gaps})"));
        name.into_owned() + gaps.as_deref().unwrap_or_default()
    }
}

/// A record with its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// The index of its file.
    pub(crate) file: usize,
    /// Its line in it, from 0.
    pub(crate) line: usize,
    pub(crate) record: &'a Record,
}

/// Where a record's value stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Place {
    pub(super) panel: usize,
    pub(super) mark: usize,
    pub(super) x: f64,
}

impl Place {
    pub(super) fn panel(panel: usize) -> Self {
        Self { panel, ..Self::default() }
    }
}

/// The data of all figures.
pub struct Data<'a> {
    sources: &'a [Source],
    out: &'a Path,
    /// Those that count, in the order of the files.
    lines: Vec<Line<'a>>,
    /// Of each file; the runs, which are put together, have theirs in common.
    states: Vec<Rc<States>>,
}

impl<'a> Data<'a> {
    /// Of these files; figures link them from `out`.
    pub fn new(sources: &'a [Source], out: &'a Path) -> Self {
        let of = |(file, source): (usize, &'a Source)| {
            let lines = source.records.iter().enumerate();
            lines.map(move |(line, record)| Line { file, line, record })
        };
        let all = || sources.iter().enumerate().flat_map(of);
        // Pipelined requests are another unit; they are on a figure only if there is nothing else.
        let depth = all().filter(|line| is_measured(line.record)).map(|line| line.record.key.pipeline).min();
        let counts =
            |line: &Line| !line.record.context.dropped && line.record.key.pipeline == depth.unwrap_or(1);
        Self { sources, out, lines: all().filter(counts).collect(), states: states(sources) }
    }

    /// The records of these phases that count.
    pub(crate) fn of(&self, phases: &[Phase]) -> Vec<Line<'a>> {
        let is_here = |line: &&Line| phases.contains(&line.record.key.phase);
        self.lines.iter().filter(is_here).copied().collect()
    }

    /// The records that speeds are from; a paired point carries the load of the survey and is one of them.
    pub(super) fn survey(&self) -> Vec<Line<'a>> {
        self.of(&[Phase::Survey, Phase::Paired])
    }

    /// Those rounds that ran in the clock state that most points of their files share: what is not a ratio to
    /// something beside it is compared in one state only. A point without a round in that state keeps its
    /// rounds, and is not lost.
    pub(crate) fn in_one_state(&self, lines: Vec<Line<'a>>) -> Vec<Line<'a>> {
        let is_of_most = |line: &Line| {
            let states = &self.states[line.file];
            let most = states.most();
            most.is_none() || states.of_record(line.record).is_none_or(|state| Some(state) == most)
        };
        let key = |line: &Line<'a>| (&line.record.key, caption::rate(line.record));
        let has: BTreeSet<_> = lines.iter().filter(|line| is_of_most(line)).map(key).collect();
        lines.into_iter().filter(|line| is_of_most(line) || !has.contains(&key(line))).collect()
    }

    /// Everything that was graded.
    pub(crate) fn grades(&self) -> (Vec<&'a Grade>, Vec<usize>) {
        let files: Vec<usize> =
            (0..self.sources.len()).filter(|&file| !self.sources[file].grades.is_empty()).collect();
        (files.iter().flat_map(|&file| &self.sources[file].grades).collect(), files)
    }

    /// The files of these records, each once.
    fn files(&self, lines: &[Line]) -> Vec<usize> {
        lines.iter().map(|line| line.file).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// A figure that says how these records were made and where they are.
    pub(super) fn figure(&self, id: &str, title: &str, lines: &[Line<'a>], points: Points) -> Figure {
        let files = self.files(lines);
        let names: Vec<String> = files.iter().map(|&file| self.sources[file].name()).collect();
        let place = |file: usize| files.iter().position(|&other| other == file).unwrap_or(0);
        let mut plot = points;
        for record in plot.points.iter_mut().flat_map(|point| &mut point.records) {
            record.0 = place(record.0);
        }
        Figure {
            subtitle: caption::lines(lines, &names.join(", ")),
            plot: Plot::Points(plot),
            ..self.empty(id, title, &files)
        }
    }

    /// The same of files of grades.
    pub(super) fn empty(&self, id: &str, title: &str, files: &[usize]) -> Figure {
        let paths: Vec<&Path> = files.iter().map(|&file| self.sources[file].path.as_path()).collect();
        let words: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        Figure {
            id: id.into(),
            title: title.into(),
            data: paths.iter().map(|path| link(self.out, path)).collect(),
            command: format!("./lab chart --data {} --out {}", words.join(" "), self.out.display()),
            ..Figure::default()
        }
    }

    /// The names of these files.
    pub(super) fn names(&self, files: &[usize]) -> String {
        files.iter().map(|&file| self.sources[file].name()).collect::<Vec<_>>().join(", ")
    }
}

/// Two runs may have spent most of their time in different states: what is put together has one scale, and one
/// state that most points share.
fn states(sources: &[Source]) -> Vec<Rc<States>> {
    let is_run = |source: &Source| Content::of(&source.path) == Some(Content::Run);
    let runs: Vec<Record> = sources.iter().filter(|s| is_run(s)).flat_map(|s| s.records.clone()).collect();
    let of_runs = Rc::new(States::of(&runs));
    let of =
        |source: &Source| if is_run(source) { of_runs.clone() } else { Rc::new(States::of(&source.records)) };
    sources.iter().map(of).collect()
}

/// Whether a point was measured. One of idle connections has no speed.
pub(crate) fn is_measured(record: &Record) -> bool {
    record.figures().is_some() || record.idle().is_some()
}

/// The servers of these records in the order of every figure, each once: the floor, the stages, the other
/// references.
pub(super) fn servers(lines: &[Line]) -> Vec<Series> {
    let keys: BTreeMap<_, _> =
        lines.iter().map(|line| &line.record.key).map(|key| (order(&key.server), &key.title)).collect();
    keys.into_iter().map(|((_, name), title)| Series::server(name, title)).collect()
}

impl Points {
    /// Puts records together: those of one server at one place are a point. Its value is the median of
    /// theirs, and its marker says what was the limit, where `limits` asks for that. Where every round was
    /// skipped, there is a point without a value that says why.
    pub(super) fn add(
        &mut self,
        lines: &[Line],
        limits: bool,
        place: impl Fn(&Record) -> Option<Place>,
        value: impl Fn(&Record) -> Option<f64>,
    ) {
        type Group<'a> = (Place, Vec<Line<'a>>);
        let mut groups: BTreeMap<(usize, usize, usize, u64), Group> = BTreeMap::new();
        for line in lines {
            let Some(place) = place(line.record) else { continue };
            let Some(series) = self.series_of(line.record) else { continue };
            let key = (series, place.panel, place.mark, place.x.to_bits());
            groups.entry(key).or_insert((place, Vec::new())).1.push(*line);
        }
        for ((series, ..), (place, lines)) in groups {
            self.points.push(point(series, place, &lines, limits, &value));
        }
    }

    /// Which of the series a record belongs to. A series that is no server has a name of its own.
    fn series_of(&self, record: &Record) -> Option<usize> {
        let named = self.series.iter().position(|series| series.label == record.key.title);
        named.or_else(|| self.series.iter().position(|series| series.server == record.key.server))
    }

    /// Says why a point that was measured has no such value.
    pub(super) fn explain(&mut self, why: &str) {
        let is_unknown = |point: &&mut Point| point.note.as_deref() == Some(UNKNOWN);
        self.points.iter_mut().filter(is_unknown).for_each(|point| point.note = Some(why.into()));
    }

    /// `12.9`, with its interval: beside each row.
    pub(super) fn write_values(&mut self) {
        for point in &mut self.points {
            let unit = self.panels[point.panel].axis.unit;
            let value = unit.text(point.value);
            let value = match self.marks.get(point.mark) {
                Some(mark) => format!("{} {value}", mark.name),
                None => value,
            };
            let text = point.text.take().map_or(value.clone(), |text| format!("{value}, {text}"));
            point.text = Some(text);
        }
    }
}

/// Rounds put together.
pub(super) fn point(
    series: usize,
    place: Place,
    lines: &[Line],
    limits: bool,
    value: impl Fn(&Record) -> Option<f64>,
) -> Point {
    let mut sample = Sample::default();
    let mut records = Vec::new();
    let why = lines.iter().find_map(|line| line.record.skipped()).map(|reason| cut(without_figures(reason)));
    let lines: Vec<Line> = lines.iter().filter(|line| is_measured(line.record)).copied().collect();
    for line in &lines {
        let Some(value) = value(line.record).filter(|value| value.is_finite()) else { continue };
        sample.push(line.file, value);
        records.push((line.file, line.line, value));
    }
    let (marker, note) = limit(&lines, limits);
    let runs = sample.by_run();
    let runs = (!runs.is_empty()).then(|| format!("medians of the runs: {}", texts(&runs)));
    let note: Vec<String> = [note, runs.unwrap_or_default()].into_iter().filter(|n| !n.is_empty()).collect();
    let note = (!note.is_empty()).then(|| note.join("; "));
    let (marker, note) = match sample.median() {
        Some(_) => (marker, note),
        None if lines.is_empty() => (Marker::Missed, why),
        None => (Marker::Missed, Some(UNKNOWN.into())),
    };
    Point {
        series,
        panel: place.panel,
        mark: place.mark,
        x: place.x,
        value: sample.median().unwrap_or(f64::NAN),
        interval: sample.interval(),
        marker,
        note,
        text: None,
        records,
    }
}

fn texts(values: &[f64]) -> String {
    values.iter().map(|value| crate::model::Unit::Short.text(*value)).collect::<Vec<_>>().join(", ")
}

/// What was the limit in most rounds, as a marker and in words; of two that are equally frequent the one less
/// in favour of the server.
fn limit(lines: &[Line], limits: bool) -> (Marker, String) {
    let clients = lines.iter().map(|line| line.record.key.concurrency).max().unwrap_or(0);
    let served = lines.iter().map(|line| line.record.served().clients).min().unwrap_or(0);
    let errors = lines.iter().filter_map(|line| line.record.figures()).map(|figures| figures.errors);
    let errors = errors.sum::<u64>();
    let errors = if errors > 0 { format!("; {errors} errors in all rounds") } else { String::new() };
    if served < clients {
        return (Marker::Cross, format!("{served} of {clients} clients served{errors}"));
    }
    let count = |kind: &Bottleneck| {
        let figures = lines.iter().filter_map(|line| line.record.figures());
        figures.filter(|figures| figures.limiter == *kind).count()
    };
    // max_by_key takes the last of equals.
    let order = [
        (Bottleneck::Server, Marker::Filled, "limit: the server"),
        (Bottleneck::Both, Marker::Hollow, "limit: both"),
        (Bottleneck::Neither, Marker::Hollow, "limit: neither"),
        (Bottleneck::Generator, Marker::Hollow, "limit: the generator"),
        (Bottleneck::Unreached, Marker::Hollow, "the rate was not reached"),
        (Bottleneck::Clients, Marker::Cross, "some clients were not served in most rounds"),
    ];
    match order.into_iter().max_by_key(|(kind, ..)| count(kind)) {
        Some((_, marker, words)) if limits => (marker, format!("{words}{errors}")),
        _ => (Marker::Filled, errors.trim_start_matches("; ").to_owned()),
    }
}

/// `Not measured: 01 (it serves one client at a time).`: the servers whose every record was skipped.
pub(super) fn skipped(lines: &[Line]) -> String {
    let mut reasons: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for line in lines {
        let server = line.record.key.server.as_str();
        let is_there =
            || lines.iter().any(|other| other.record.key.server == server && is_measured(other.record));
        let Some(reason) = line.record.skipped().filter(|_| !is_there()) else { continue };
        reasons.entry(cut(without_figures(reason))).or_default().insert(server);
    }
    let names = |servers: BTreeSet<&str>| servers.into_iter().collect::<Vec<_>>().join(", ");
    let words =
        reasons.into_iter().map(|(reason, servers)| format!("Not measured: {} ({reason}).", names(servers)));
    words.collect::<Vec<_>>().join(" ")
}

/// What the markers that are among these points mean, in one paragraph.
pub(super) fn legend(points: &Points, hollow: &str) -> String {
    let drawn = points.drawn();
    let shown = || points.points.iter().filter(|point| drawn.contains(&point.panel) && point.is_drawn());
    let count = |marker| shown().filter(|point| point.marker == marker).count();
    let mut words = Vec::new();
    if count(Marker::Hollow) > 0 && !hollow.is_empty() {
        let limits = ["generator", "both", "neither"].map(|word| {
            let has = |note: &String| {
                note.contains(&format!("limit: {word}")) || note.contains(&format!("limit: the {word}"))
            };
            (word, shown().filter(|point| point.note.as_ref().is_some_and(has)).count())
        });
        let counts = limits.iter().filter(|(_, count)| *count > 0);
        let counts: Vec<String> = counts.map(|(word, count)| format!("{word}: {count}")).collect();
        words.push(format!(
            "Filled ({} of {}): the server was the limit. Hollow: it was not ({}). {hollow}",
            count(Marker::Filled),
            shown().count(),
            counts.join(", "),
        ));
    }
    if count(Marker::Cross) > 0 {
        words.push("Cross: some of the clients got no answer at all.".into());
    }
    words.join(" ")
}

/// The tools, the one whose figures stand for a server first.
pub(super) fn tools<'a>(lines: &[Line<'a>]) -> Vec<&'a str> {
    let rank = |tool: &str| ["builtin", "wrk"].iter().position(|&first| first == tool).unwrap_or(2);
    let tools: BTreeSet<&str> = lines.iter().map(|line| line.record.key.tool.as_str()).collect();
    let mut tools: Vec<&str> = tools.into_iter().collect();
    tools.sort_by_key(|tool| rank(tool));
    tools
}

/// The number of clients that a figure of one load shows.
pub(super) fn nearest(lines: &[Line]) -> Option<usize> {
    lines.iter().map(|line| line.record.key.concurrency).min_by_key(|clients| clients.abs_diff(CLIENTS))
}

/// The different values of these records, ascending.
pub(super) fn distinct<'a, T: Ord>(lines: &[Line<'a>], of: impl Fn(&'a Record) -> T) -> Vec<T> {
    lines.iter().map(|line| of(line.record)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Those for which something holds.
pub(super) fn only<'a>(lines: &[Line<'a>], holds: impl Fn(&'a Record) -> bool) -> Vec<Line<'a>> {
    lines.iter().filter(|line| holds(line.record)).copied().collect()
}

/// CPU time per request of the server, µs.
pub(super) fn cost(record: &Record) -> Option<f64> {
    record.figures()?.cpu_us_per_request
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Axis, Panel, marks};
    use lab_core::units::count;
    use records::sample::{record, skipped};

    fn failed(stage: &str, workers: Option<usize>, clients: usize, reason: &str) -> Record {
        let mut record = skipped(record(stage, "builtin", clients, true, 1.0), reason);
        record.key.workers = workers;
        record
    }

    fn missing(records: &[Record]) -> Vec<String> {
        let lines = records.iter().enumerate().map(|(line, record)| Line { file: 0, line, record });
        let lines: Vec<Line> = lines.collect();
        let workers = distinct(&lines, |record| record.key.workers);
        let named = workers.iter().flatten();
        let mut points = Points {
            x: Some(Axis { label: "clients at once".into(), ..Axis::default() }),
            panels: vec![Panel::default()],
            marks: marks(named.map(|workers| (workers.to_string(), count(*workers, "worker")))),
            series: servers(&lines),
            ..Points::default()
        };
        let place = |record: &Record| {
            let mark = workers.iter().position(|workers| *workers == record.key.workers)?;
            Some(Place { panel: 0, mark, x: record.key.concurrency as f64 })
        };
        points.add(&lines, true, place, |record| Some(record.figures()?.requests_per_second));
        points.missing()
    }

    /// Protects a point that is drawn from being called missing, and one that is missing from being called by
    /// less than its name.
    #[test]
    fn what_is_missing_is_named_with_its_workers_and_only_that() {
        let mut drawn = record("06", "builtin", 64, true, 1.0);
        drawn.key.workers = Some(1);
        let lines = missing(&[
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
                "Missing: 03 (refused: no such luck)",
                "Missing: 06 with 2 workers, 64 clients; 4 workers, 64 clients (refused: no such luck)",
            ]
        );
    }

    #[test]
    fn figures_of_one_point_are_left_out_of_a_reason_and_a_cause_is_not() {
        let would = "ab would hang with keep-alive: 1 of 64 clients are served";
        let others = "ab would hang with keep-alive: 4 of 64 clients are served";
        let named = missing(&[failed("01", None, 64, would), failed("03", None, 64, others)]);
        assert_eq!(named, ["Missing: 01, 03 (ab would hang with keep-alive)"]);
        for whole in ["refused: the server ended early: exit status: 1", "refused: 127.0.0.1 of nobody"] {
            assert_eq!(without_figures(whole), whole);
        }
        let endless = missing(&[failed("01", None, 1, &"word ".repeat(1000))]).remove(0);
        assert!(endless.len() < 400 && endless.ends_with("…)"), "{endless}");
    }

    #[test]
    fn equally_many_rounds_are_decided_against_the_server() {
        let mut records = [record("05", "wrk", 64, true, 1.0), record("05", "wrk", 64, true, 1.0)];
        records[1].figures_mut().expect("measured").limiter = Bottleneck::Generator;
        let lines = [0, 1].map(|line| Line { file: 0, line, record: &records[line] });
        assert_eq!(limit(&lines, true), (Marker::Hollow, "limit: the generator".into()));
        assert_eq!(limit(&[lines[1], lines[0]], true).0, Marker::Hollow);
        assert_eq!(limit(&lines, false).0, Marker::Filled);
    }

    #[test]
    fn a_figure_links_its_data_and_says_how_to_draw_it_again() {
        let one = |path: &str| Source {
            path: path.into(),
            records: vec![record("04", "wrk", 1, true, 1.0)],
            ..Source::default()
        };
        let sources = [one("results/data/a.jsonl"), one("elsewhere/b.jsonl")];
        let data = Data::new(&sources, Path::new("results"));
        let figure = data.figure("x", "X", &data.survey(), Points::default());
        assert_eq!(figure.data, ["data/a.jsonl", "../elsewhere/b.jsonl"]);
        assert_eq!(figure.command, "./lab chart --data results/data/a.jsonl elsewhere/b.jsonl --out results");
    }
}
