//! What a user reads on the terminal.

use crate::experiment::Experiment;
use crate::format;
use crate::ledger::CLAIMS;
use crate::report::Report;
use crate::store::Record;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use lab_core::units::minutes;
use std::collections::BTreeMap;

/// What is examined, before it is.
pub(crate) fn announce(experiment: &Experiment, seconds: f64) {
    let claim = experiment.claim();
    println!("\n{}", claim.id);
    println!("  claim   {}", claim.text);
    println!("  source  {}", claim.source);
    println!("  method  {}", experiment.method);
    println!("  takes   about {}", minutes(seconds.max(1.0)));
}

/// What was found.
pub(crate) fn show(report: &Report) {
    let mut table = table();
    for figure in &report.figures.0 {
        let n = if figure.n > 1 { format!("n = {}", figure.n) } else { String::new() };
        table.add_row([figure.name.clone(), format::with_unit(figure), format::interval(figure), n]);
    }
    right(&mut table, 1);
    println!("{}", indented(&table));
    let mut kinds: Vec<&str> = Vec::new();
    for figure in report.figures.0.iter().filter(|figure| figure.interval.is_some()) {
        if !kinds.contains(&figure.interval_is.as_str()) {
            kinds.push(&figure.interval_is);
        }
    }
    if !kinds.is_empty() {
        println!("  in brackets: {}", kinds.join("; "));
    }
    let judgement = &report.judgement;
    println!("  verdict   {}: {}", judgement.verdict.word().to_uppercase(), judgement.because);
    if let Some(measured) = &judgement.what_was_measured {
        println!("  source    what it really measured: {measured}");
    }
    println!("  remember  {}", judgement.lesson);
}

/// Every claim, with its last verdict.
pub(crate) fn list(newest: &BTreeMap<String, Record>) {
    let mut table = table();
    table.set_header(["id", "claim", "last verdict"]);
    for claim in &CLAIMS {
        let verdict = newest.get(claim.id).map(|record| record.report.judgement.verdict.word());
        let verdict = verdict.unwrap_or("not measured yet");
        table.add_row([claim.id, claim.text, verdict]);
    }
    println!("{table}");
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn right(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn indented(table: &Table) -> String {
    table.lines().map(|line| format!(" {}", line.trim_end())).collect::<Vec<_>>().join("\n")
}
