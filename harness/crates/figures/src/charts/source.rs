//! A chart, and what it was drawn from.

use lab_core::files::link;
use lab_core::units::xml_characters;
use records::{Grade, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A drawn chart, with what it takes to doubt it: its data, and the command that draws it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// Its file's name, in the directory of the charts.
    pub file: String,
    /// What it shows.
    pub title: String,
    /// The files of records that it was drawn from, as a link from the directory of the charts.
    pub data: Vec<String>,
    /// The command that draws it again.
    pub command: String,
    /// The picture.
    pub svg: String,
}

/// The files behind a chart.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    files: &'a [PathBuf],
    out: &'a Path,
    /// What is missing in them.
    gaps: Option<String>,
}

impl<'a> Source<'a> {
    /// These files, drawn into this directory.
    pub(super) fn new(files: &'a [PathBuf], out: &'a Path) -> Self {
        Self { files, out, gaps: None }
    }

    /// The same, with what is missing in a run that was interrupted or in which a server failed.
    pub(super) fn with_gaps_of(self, records: &[Record]) -> Self {
        Self { gaps: gaps(records), ..self }
    }

    /// The same, with what is missing of servers that were to be graded.
    pub(super) fn with_gaps_in(self, grades: &[Grade]) -> Self {
        let planned = grades.iter().map(|grade| grade.planned).max().unwrap_or(0);
        let graded: BTreeSet<&str> = grades.iter().map(|grade| grade.stage.as_str()).collect();
        let gaps = (graded.len() < planned).then(|| format!("{} of {planned} servers", graded.len()));
        Self { gaps, ..self }
    }

    /// The data as a chart names it.
    pub(super) fn line(&self) -> String {
        let names: Vec<_> = self
            .files
            .iter()
            .filter_map(|file| file.file_name())
            .map(|name| name.to_string_lossy())
            .collect();
        let names = names.join(", ");
        match &self.gaps {
            Some(gaps) => format!("{names} (INCOMPLETE: {gaps})"),
            None => names,
        }
    }

    /// The chart that was drawn from it.
    pub(super) fn chart(&self, file: impl Into<String>, title: impl Into<String>, svg: String) -> Chart {
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        let data = self.files.iter().map(|file| link(self.out, file));
        let command = format!("./lab chart --data {} --out {}", files.join(" "), self.out.display());
        // plotters escapes markup and lets through what no XML may hold.
        let svg = xml_characters(&svg);
        Chart { file: file.into(), title: title.into(), data: data.collect(), command, svg }
    }
}

fn gaps(records: &[Record]) -> Option<String> {
    let mut runs: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    for record in records {
        let (planned, measured) = runs.entry(record.context.seed).or_default();
        *planned = record.context.points_planned;
        // A point of the idle phase has no speed.
        let has_figures = record.figures().is_some() || record.idle().is_some();
        *measured += usize::from(has_figures && !record.context.dropped);
    }
    let (planned, measured) = runs.values().fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
    (measured < planned).then(|| format!("{measured} of {planned} points"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_links_its_data_and_says_how_to_draw_it_again() {
        let files = [PathBuf::from("results/data/a.jsonl"), PathBuf::from("elsewhere/b.jsonl")];
        let chart = Source::new(&files, Path::new("results")).chart("x.svg", "X", String::new());
        assert_eq!(chart.data, ["data/a.jsonl", "../elsewhere/b.jsonl"]);
        assert_eq!(chart.command, "./lab chart --data results/data/a.jsonl elsewhere/b.jsonl --out results");
    }
}
