//! Who claims the numbers of the texts: each is computed from the lines of the files and from the points that
//! were computed from them. Here the front of the page, and the tables of the other one.

use super::captions::figure_texts;
use super::facts::{is_disturbed, is_measured, rounded};
use super::sentences::{between_runs, clients_of, designs_are_true, finding_is_true, then};
use super::states::States;
use super::words::Text;
use super::{Checked, Page, Sample, number};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Figures<'a> = BTreeMap<&'a str, Checked<'a>>;

pub(crate) const COSTS: &str = "what-each-idea-costs";

/// Every text of both pages.
pub(crate) fn check(page: &Page, figures: &Figures) {
    let names = names(page);
    let front = &page.data["front"];
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let designs: BTreeSet<&str> = page
        .files
        .values()
        .flatten()
        .filter_map(|line| line["name"].as_str().or_else(|| line["stage"].as_str()))
        .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()) && !name.contains('-'))
        .collect();
    let mut intro = Text::new(front["intro"].as_str().expect("an introduction"), &names);
    intro.claim(&format!("{} designs", designs.len()));
    intro.end();
    for finding in front["findings"].as_array().expect("findings") {
        let (text, id) = (finding["text"].as_str().expect("a sentence"), finding["figure"].as_str());
        finding_is_true(page, figures, id.expect("a figure"), text, &names);
        assert!(page.markdown.contains(text), "README.md says the same: {text}");
    }
    for line in texts(&front["alike"]) {
        let mut text = Text::new(&line, &names);
        text.claim_any(&between_runs(figures));
        text.claim_any(&clients_of(page, &figures[COSTS]));
        text.end();
    }
    if !front["designs"].is_null() {
        designs_are_true(page, figures, &names);
    }
    for line in texts(&front["machine"]) {
        let cpus = page.files.values().flatten().flat_map(|line| {
            ["server_cpus", "generator_cpus"].map(|cpus| line[cpus].as_array().cloned().unwrap_or_default())
        });
        let mut text = Text::new(&line, &names);
        text.claim_any(&cpus.flatten().filter_map(|cpu| cpu.as_f64()).collect::<Vec<_>>());
        text.end();
    }
    machine(page, &texts(&front["states"]), &names);
    if !front["then"].is_null() {
        then(page, figures, front["then"]["text"].as_str().expect("a text"), &names);
    }
    for row in front["files"].as_array().expect("files") {
        file_row(page, &texts(row), &names);
    }
    for checked in figures.values() {
        let own = figure_texts(page, checked, &names);
        markdown(page, checked, &own);
    }
}

/// Names of servers and files, commits, times, processors: they hold digits and are no measurement.
fn names(page: &Page) -> Vec<String> {
    let mut names = BTreeSet::new();
    for (file, lines) in &page.files {
        names.insert(file.rsplit('/').next().unwrap_or_default().to_owned());
        names.insert(file.rsplit('/').next().unwrap_or_default().trim_end_matches(".jsonl").to_owned());
        for line in lines {
            let host = &line["host"];
            let known = ["stage", "name", "title", "path", "skipped"].map(|field| &line[field]);
            let of_host = ["cpu", "kernel", "commit"].map(|field| &host[field]);
            names.extend(known.into_iter().chain(of_host).filter_map(Value::as_str).map(str::to_owned));
            // A figure of grades says when they were given; the beginnings of points are thousands.
            if line.get("probes").is_some() {
                names.extend(line["started_at"].as_str().map(str::to_owned));
            }
            names.extend(host["cores"].as_u64().map(|cores| format!("{cores} CPUs, Linux")));
            names.extend(line["mix"]["path"].as_str().map(str::to_owned));
        }
    }
    names.retain(|name| name.contains(|c: char| c.is_ascii_digit()));
    names.into_iter().collect()
}

/// The sample of a server in a panel, at a place along x where there is one.
pub(crate) fn sample<'a>(
    checked: &'a Checked,
    panel: usize,
    server: &str,
    mark: usize,
    x: Option<f64>,
) -> &'a Sample {
    let found = checked.samples.iter().find(|((at, name, of, place), _)| {
        let is_at = x.is_none_or(|x| x.to_bits() == *place);
        *at == panel && name == server && *of == mark && is_at
    });
    let id = &checked.figure["id"];
    found.unwrap_or_else(|| panic!("{id}: nothing of {server} in panel {panel}, mark {mark}")).1
}

fn machine(page: &Page, lines: &[String], names: &[String]) {
    for line in lines {
        let mut text = Text::new(line, names);
        for (file, records) in &page.files {
            let stem = file.rsplit('/').next().unwrap_or_default().trim_end_matches(".jsonl");
            if line.starts_with(stem) {
                let own: Vec<&Value> = records.iter().collect();
                let numbers = States::of(records.iter()).numbers(&own).expect("two states");
                text.claim_any(&numbers);
            }
        }
        text.end();
    }
}

fn file_row(page: &Page, row: &[String], names: &[String]) {
    let lines = &page.files[&row[0]];
    let counted: Vec<&Value> = lines.iter().filter(|l| is_measured(l) && l["dropped"] != true).collect();
    let timed: Vec<&Value> =
        counted.iter().filter(|line| number(line, "requests_per_second").is_some()).copied().collect();
    let points = if lines[0].get("probes").is_some() { lines.len() } else { counted.len() };
    assert_eq!(row[4].replace(',', ""), points.to_string(), "{row:?}");
    let mut seconds = Text::new(&row[5], names);
    seconds.claim_any(&timed.iter().filter_map(|l| number(l, "duration_seconds")).collect::<Vec<_>>());
    seconds.end();
    let mut disturbed = Text::new(&row[6], names);
    let own = timed.iter().filter(|line| is_disturbed(line)).count();
    if !row[6].is_empty() {
        disturbed.claim(&format!("{own} of {}", timed.len()));
    }
    disturbed.claim_any(&[lines.iter().filter(|line| line["dropped"] == true).count() as f64]);
    disturbed.end();
}

/// The tables of the other page.
fn markdown(page: &Page, checked: &Checked, own: &[f64]) {
    let title = checked.figure["title"].as_str().expect("a title");
    let section =
        page.markdown.split(&format!("\n## {title}\n")).nth(1).and_then(|rest| rest.split("\n## ").next());
    let section = section.unwrap_or_else(|| panic!("README.md has no {title}"));
    if checked.figure["plot"]["form"] != "points" {
        return;
    }
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("|---"));
    for row in rows.skip(1) {
        // The first cell is a name, the last holds notes that were looked at; a number is between.
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        for cell in cells.iter().skip(1).take(cells.len().saturating_sub(2)) {
            let mut text = Text::new(cell, &[]);
            text.claim_any(own);
            let near: Vec<f64> = own.iter().flat_map(|value| rounded(*value)).collect();
            text.claim_any(&near);
            text.end();
        }
    }
}
