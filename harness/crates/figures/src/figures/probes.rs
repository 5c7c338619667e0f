//! Stages × probes: what each server can do.

use super::data::Data;
use crate::model::{Cell, Figure, Matrix, Outcome, Plot};
use anyhow::Result;
use records::{Grade, Probed};

/// The newest grade of each stage and twin; the variants are in the file only.
pub(super) fn build(data: &Data) -> Result<Vec<Figure>> {
    let mut columns: Vec<&Grade> = Vec::new();
    for grade in data.grades.iter().rev().filter(|grade| !grade.name.is_empty() && grade.options.is_empty()) {
        if columns.iter().all(|column| column.name != grade.name) {
            columns.push(grade);
        }
    }
    columns.sort_by(|one, other| one.name.cmp(&other.name));
    // Probes in their own order: that of the longest record, which may hold some that others were not asked.
    let Some(longest) = columns.iter().max_by_key(|grade| grade.probes.len()) else { return Ok(Vec::new()) };
    let mut probes: Vec<&str> = longest.probes.iter().map(|probed| probed.probe.as_str()).collect();
    for probed in columns.iter().flat_map(|grade| &grade.probes) {
        if !probes.contains(&probed.probe.as_str()) {
            probes.push(&probed.probe);
        }
    }
    let mut figure = data.figure("probes", format!("What each stage can do: {} probes", probes.len()), &[]);
    let first = columns[0];
    let (machine, commit) = (first.host.summary(), first.host.commit_name());
    figure.subtitle =
        vec![format!("Graded {}; {machine}; {commit}.", first.started_at), format!("Data: {}", data.name())];
    let names: Vec<String> = columns.iter().map(|grade| format!("{} {}", grade.name, grade.title)).collect();
    figure.notes = vec![
        format!("{}.", names.join("; ")),
        "Starved: no answer while the cause lasts, a right one after it. Broken: a crash, a hang, a leak or \
         a spin. A flaw that a stage declares is part of its lesson, and a pass in its place is a surprise \
         too. What each probe asks: ./lab grade --list; what was seen: in the data."
            .to_owned(),
    ];
    let of = |probe: &str, grade: &Grade| grade.probes.iter().find(|probed| probed.probe == probe).map(cell);
    figure.plot = Plot::Matrix(Matrix {
        columns: columns.iter().map(|grade| (grade.name.clone(), grade.title.clone())).collect(),
        rows: probes.iter().map(ToString::to_string).collect(),
        cells: probes.iter().map(|probe| columns.iter().map(|grade| of(probe, grade)).collect()).collect(),
    });
    Ok(vec![figure])
}

fn cell(probed: &Probed) -> Cell {
    Cell {
        outcome: Outcome::of(&probed.outcome),
        words: probed.outcome.clone(),
        surprise: probed.surprise,
        detail: probed.detail.clone(),
    }
}
