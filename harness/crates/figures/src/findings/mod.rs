//! The first screen of the pages: what was found, in sentences that are computed from the records; what
//! cannot be told apart; how this run compares with an earlier commit; and the machine.

mod claims;
mod rules;
mod then;

use crate::charts::Drawing;
use crate::figures::{Data, Source, caption, is_measured};
use crate::machine;
use lab_core::files::link;
use lab_core::units::{count, number};
use records::{Content, Phase, is_reference};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;

/// One sentence, and the figure that it follows from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Finding {
    /// The sentence. Its numbers are computed from the records.
    pub(crate) text: String,
    /// The figure that shows it.
    pub(crate) figure: &'static str,
    /// Where to look there: its picture has not every load that its table has.
    pub(crate) shown_in: Place,
}

/// What of a figure shows a finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    #[default]
    Figure,
    Table,
}

/// So many sentences can be read in a minute.
const MOST: usize = 6;

/// What the data support, the most telling first. The first screen has the first of them, a figure its own.
pub(crate) fn findings(data: &Data) -> Vec<Finding> {
    rules::ALL.iter().filter_map(|rule| rule(data)).collect()
}

/// Everything around the figures.
#[derive(Debug, Serialize)]
pub(crate) struct Front {
    /// What a stranger must know to read the sentences.
    pub(crate) intro: String,
    pub(crate) findings: Vec<Finding>,
    pub(crate) designs: Option<rules::Designs>,
    pub(crate) alike: Vec<String>,
    pub(crate) then: Option<then::Then>,
    /// The claims of the literature, where they were examined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) claims: Option<claims::Claims>,
    pub(crate) warnings: Vec<String>,
    /// What the run was measured on, and its clock states.
    pub(crate) machine: Vec<String>,
    /// The clock states of each file.
    pub(crate) states: Vec<String>,
    /// A row for each file: see [`COLUMNS`].
    pub(crate) files: Vec<[String; 7]>,
    pub(crate) columns: [&'static str; 7],
    /// The machines in detail, each with the file whose records name it first.
    pub(crate) machines: Vec<(String, Vec<(String, String)>)>,
    /// What the references ran with.
    pub(crate) configurations: Vec<(String, String)>,
    /// The command that writes the pages again.
    pub(crate) again: String,
    /// Those that measure again.
    pub(crate) measure: BTreeSet<String>,
}

const COLUMNS: [&str; 7] = ["file", "command", "commit", "begun", "points", "seconds each", "disturbed"];

impl Front {
    pub(crate) fn of(drawing: &Drawing) -> Self {
        let (sources, out) = (&drawing.sources, &drawing.out);
        let data = Data::new(sources, out);
        let records = || sources.iter().flat_map(|source| &source.records);
        let found = findings(&data);
        let none = found.is_empty().then(|| {
            "The records support no finding: fewer than three rounds tell nothing apart.".to_owned()
        });
        let quick = records().any(|record| record.context.quick).then(|| {
            "A quick look: short points, for orientation only. No difference between servers can be claimed \
             from it."
                .to_owned()
        });
        let mut machines: Vec<(&Source, &records::Record)> = Vec::new();
        for (source, record) in
            sources.iter().flat_map(|source| source.records.iter().map(move |r| (source, r)))
        {
            if !machines.iter().any(|(_, other)| other.context.host == record.context.host) {
                machines.push((source, record));
            }
        }
        let paths: Vec<String> = sources.iter().map(|source| source.path.display().to_string()).collect();
        Self {
            intro: intro(sources),
            findings: found.into_iter().take(MOST).collect(),
            designs: rules::designs(&data),
            alike: rules::alike(&data),
            then: then::compare(&data, sources),
            claims: claims::read(out),
            warnings: quick.into_iter().chain(none).collect(),
            machine: summary(sources),
            states: states(sources),
            files: sources.iter().map(|source| row(source, out)).collect(),
            columns: COLUMNS,
            machines: machines
                .iter()
                .map(|(source, record)| (link(out, &source.path), machine::rows(record)))
                .collect(),
            configurations: records()
                .filter_map(|record| Some((record.key.server.clone(), record.context.configuration.clone()?)))
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            again: format!("./lab report --data {} --out {}", paths.join(" "), out.display()),
            measure: records().map(machine::measure_again).collect(),
        }
    }
}

/// How many designs there are, and what the words and the brackets of the sentences mean.
fn intro(sources: &[Source]) -> String {
    let records = sources.iter().flat_map(|source| &source.records).map(|record| record.key.server.as_str());
    let grades = sources.iter().flat_map(|source| &source.grades).map(|grade| grade.name.as_str());
    let is_design = |name: &&str| !name.is_empty() && !is_reference(name);
    // A twin is another way to do a step; one that was only graded was not measured beside the floor.
    let is_twin = |name: &&str| name.contains('-');
    let twins: BTreeSet<&str> = records.clone().filter(is_design).filter(is_twin).collect();
    let designs: BTreeSet<&str> = records.chain(grades).filter(is_design).filter(|n| !is_twin(n)).collect();
    let twins: Vec<&str> = twins.into_iter().collect();
    let twins = match twins.as_slice() {
        [] => String::new(),
        [one] => format!(" (and its twin {one})"),
        [others @ .., last] => format!(" (and the twins {} and {last})", others.join(", ")),
    };
    format!(
        "{} of one small web server, the stages of this lab{twins}, each measured beside the floor: a bare \
         server that reads a request, parses nothing, and writes one constant reply. What the floor costs is the \
         kernel's work, with a system call to read and one to write; a design that makes fewer can cost less. \
         Numbers in brackets are 95 % intervals, or with fewer than six rounds the smallest and the largest.",
        count(designs.len(), "design")
    )
}

/// The machine of the run, or of the first file, and why its clock states do no harm.
fn summary(sources: &[Source]) -> Vec<String> {
    let is_run = |source: &&Source| Content::of(&source.path) == Some(Content::Run);
    let with_records = || sources.iter().filter(|source| !source.records.is_empty());
    let Some(source) = with_records().find(is_run).or_else(|| with_records().next()) else {
        return Vec::new();
    };
    let host =
        format!("{}; {}.", source.records[0].context.host.summary(), machine::places(&source.records[0]));
    let is_paired = source.records.iter().any(|record| record.key.phase == Phase::Paired);
    let state = records::States::of(&source.records).summary().filter(|_| is_paired).map(|_| {
        "It has two clock states, and changes between them: in the slow one every request costs more, also one of \
         the floor (how much is said below). Server and floor take turns of some milliseconds, so that their ratio is the \
         same in both."
            .to_owned()
    });
    [Some(host), state].into_iter().flatten().collect()
}

/// The clock states of each file.
fn states(sources: &[Source]) -> Vec<String> {
    let states = sources.iter().filter_map(|source| {
        let summary = records::States::of(&source.records).summary()?;
        Some(format!("{}: {summary}", source.path.file_stem()?.to_string_lossy()))
    });
    states.collect()
}

/// What one file holds; nothing is said over several of them.
fn row(source: &Source, out: &Path) -> [String; 7] {
    let counted: Vec<_> =
        source.records.iter().filter(|record| is_measured(record) && !record.context.dropped).collect();
    let again = source.records.iter().filter(|record| record.context.dropped).count();
    let figures = || counted.iter().filter_map(|record| record.figures());
    let disturbed = figures().filter(|figures| figures.is_disturbed()).count();
    let again = if again > 0 { format!("; {} measured again", count(again, "point")) } else { String::new() };
    let first = source.records.first().map(|record| &record.context);
    let grade = source.grades.first();
    let host = first.map(|first| &first.host).or_else(|| grade.map(|grade| &grade.host));
    let begun = first.map(|first| &first.started_at).or_else(|| grade.map(|grade| &grade.started_at));
    let commit = host.map(|host| host.commit_name()).unwrap_or_default();
    let points = if source.grades.is_empty() { counted.len() } else { source.grades.len() };
    [
        link(out, &source.path),
        first.map_or("grade all --record".into(), |first| first.command.clone()),
        commit.strip_prefix("commit ").unwrap_or(&commit).to_owned(),
        begun.cloned().unwrap_or_default(),
        number(points as f64),
        caption::seconds(counted.iter().copied()).unwrap_or_default(),
        first.map_or(String::new(), |_| format!("{disturbed} of {}{again}", figures().count())),
    ]
}
