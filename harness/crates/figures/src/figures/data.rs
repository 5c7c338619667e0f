//! The records that figures are built from.

use super::caption;
use crate::model::{Figure, Plot, Points, Series};
use lab_core::files::link;
use records::{Content, Grade, Phase, Record, States, grades, order, read};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// How many clients a figure for one number of clients shows; the nearest that was measured.
const CLIENTS: usize = 64;

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

/// The data of all figures.
pub struct Data<'a> {
    sources: &'a [Source],
    out: &'a Path,
    /// Those that count, in the order of the files.
    lines: Vec<Line<'a>>,
    /// The same of the scenario `concurrency`: they are of the phases of a run, and a run has other servers.
    concurrency: Vec<Line<'a>>,
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
        let is_concurrency =
            |line: &Line| Content::of(&sources[line.file].path) == Some(Content::Concurrency);
        let (concurrency, lines) = all().filter(counts).partition(is_concurrency);
        Self { sources, out, lines, concurrency, states: states(sources) }
    }

    /// The records of these phases that count.
    pub(crate) fn of(&self, phases: &[Phase]) -> Vec<Line<'a>> {
        let is_here = |line: &&Line| phases.contains(&line.record.key.phase);
        self.lines.iter().filter(is_here).copied().collect()
    }

    /// The same of the scenario `concurrency`.
    pub(super) fn of_concurrency(&self, phase: Phase) -> Vec<Line<'a>> {
        self.concurrency.iter().filter(|line| line.record.key.phase == phase).copied().collect()
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
            whiskers: plot.whiskers(),
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

/// Two runs may have spent most of their time in different states: what is put together has one scale, and
/// one state that most points share.
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

#[cfg(test)]
mod tests {
    use super::*;
    use records::sample::record;

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
