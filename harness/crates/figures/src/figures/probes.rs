//! Stages × probes: what each server can do.

use super::data::Data;
use crate::model::{Cell, Figure, Matrix, Outcome, Plot};
use records::{Grade, Probed};

/// The newest grade of each stage and twin; the variants are in the file only. Probes that differ stand
/// first.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let (grades, files) = data.grades();
    let mut columns: Vec<&Grade> = Vec::new();
    for grade in grades.into_iter().rev().filter(|grade| !grade.name.is_empty() && grade.options.is_empty()) {
        if columns.iter().all(|column| column.name != grade.name) {
            columns.push(grade);
        }
    }
    columns.sort_by(|one, other| one.name.cmp(&other.name));
    // Probes in their own order: that of the longest record, which may hold some that others were not asked.
    let Some(longest) = columns.iter().max_by_key(|grade| grade.probes.len()) else { return Vec::new() };
    let mut probes: Vec<&str> = longest.probes.iter().map(|probed| probed.probe.as_str()).collect();
    for probed in columns.iter().flat_map(|grade| &grade.probes) {
        if !probes.contains(&probed.probe.as_str()) {
            probes.push(&probed.probe);
        }
    }
    let of = |probe: &str, grade: &Grade| grade.probes.iter().find(|probed| probed.probe == probe).map(cell);
    let row = |probe: &&str| columns.iter().map(|grade| of(probe, grade)).collect::<Vec<_>>();
    let rows = probes.iter().map(|probe| (*probe, row(probe)));
    let (differing, alike): (Vec<_>, Vec<_>) = rows.partition(|(_, cells)| {
        cells.iter().flatten().any(|cell| cell.outcome != Outcome::Pass || cell.surprise)
    });
    let first = columns[0];
    let (machine, commit) = (first.host.summary(), first.host.commit_name());
    let names: Vec<String> = columns.iter().map(|grade| format!("{} {}", grade.name, grade.title)).collect();
    let title = format!("What can each stage do, and what not? {} probes", probes.len());
    let mut figure = data.empty("probes", &title, &files);
    figure.subtitle = vec![
        format!("Graded {}; {machine}; {commit}.", first.started_at),
        format!("Data: {}", data.names(&files)),
    ];
    figure.notes = vec![
        format!("{}.", names.join("; ")),
        "Starved: no answer while the cause lasts, a right one after it. Broken: a crash, a hang, a leak or \
         a spin. A flaw that a stage declares is part of its lesson, and a pass in its place is a surprise \
         too. What each probe asks: ./lab grade --list; what was seen: in the data."
            .to_owned(),
    ];
    figure.plot = Plot::Matrix(Matrix {
        columns: columns.iter().map(|grade| (grade.name.clone(), grade.title.clone())).collect(),
        differing: differing.len(),
        rows: differing.iter().chain(&alike).map(|(probe, _)| (*probe).to_owned()).collect(),
        cells: differing.into_iter().chain(alike).map(|(_, cells)| cells).collect(),
    });
    vec![figure]
}

fn cell(probed: &Probed) -> Cell {
    Cell {
        outcome: Outcome::of(&probed.outcome),
        words: probed.outcome.clone(),
        surprise: probed.surprise,
        detail: probed.detail.clone(),
    }
}
