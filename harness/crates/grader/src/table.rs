//! What a reader sees of a grade.

use crate::probes::{Evidence, Finding, Outcome, Probe, current};
use crate::task::{Expectations, Task, expected_of};
use anyhow::{Context, Result};
use comfy_table::{Cell, Color, ContentArrangement, LineStyle, Table, presets};
use lab_core::units::count;
use std::io::{Write, stderr, stdout};

/// The width where there is no terminal to ask.
const PIPE_WIDTH: u16 = 120;
/// The width of a terminal that does not know its own, as one of 0 columns.
const USUAL_WIDTH: u16 = 80;
/// In fewer columns than these a detail would be a column of single words.
const LEAST_WIDTH: u16 = 60;

/// The width of a table, from that of the terminal, if there is one.
fn width(terminal: Option<u16>) -> u16 {
    match terminal {
        None => PIPE_WIDTH,
        Some(0) => USUAL_WIDTH,
        Some(columns) => columns.max(LEAST_WIDTH),
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()))
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.iter().copied());
    table.set_width(width(table.width()));
    table
}

/// Each probe with its sentence, and why it is not asked, if the profile leaves it out.
///
/// # Errors
/// That stdout cannot be written.
pub fn print_list(chosen: &[&'static Probe]) -> Result<()> {
    let mut table = table(&["group", "probe", "a server that passes"]);
    for probe in chosen {
        let suffix = if probe.only_on_request { " (With --all.)" } else { "" };
        let outside =
            current().leaves_out(probe).map_or_else(String::new, |why| format!(" (Not asked: {why}.)"));
        let sentence = format!("{}{suffix}{outside}", probe.sentence);
        table.add_row([probe.group().to_owned(), probe.name.to_owned(), sentence]);
    }
    say(&format!("{table}\n"))
}

/// Writes to stdout; `println!` would panic on a full disk.
///
/// # Errors
/// That stdout cannot be written.
pub fn say(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.context("cannot write to the standard output")
}

/// Which probes a table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// All of them.
    All,
    /// Those that surprise.
    Surprises,
}

/// Prints the runs as one table, with the evidence of each surprise below it, and returns how many probes
/// were surprising in any of them. With `shows_evidence` that of a flaw that was expected is printed as well.
///
/// # Errors
/// That stdout cannot be written.
pub fn print(
    task: &Task,
    runs: &[Vec<Finding>],
    rows: Rows,
    shows_evidence: bool,
    to_stderr: bool,
) -> Result<usize> {
    let mut table = table(&["probe", "outcome", "expected", "seconds", "detail"]);
    let number = runs.first().map_or(0, Vec::len);
    let summary = |index: usize| Summary::of(runs.iter().map(|run| &run[index]).collect(), &task.expect);
    let summaries: Vec<Summary> = (0..number).map(summary).collect();
    let surprises = summaries.iter().filter(|summary| summary.surprising > 0).count();
    let passed = summaries.iter().filter(|summary| summary.colour() == Color::Green).count();
    for summary in summaries.iter().filter(|summary| rows == Rows::All || summary.surprising > 0) {
        let Finding { probe, outcome, seconds, .. } = summary.shown;
        table.add_row([
            Cell::new(probe),
            Cell::new(outcome).fg(summary.colour()),
            Cell::new(expected_of(&task.expect, probe)),
            Cell::new(format!("{seconds:.1}")),
            Cell::new(summary.detail(runs.len())),
        ]);
    }
    let runs = if runs.len() > 1 { format!(", {} runs", runs.len()) } else { String::new() };
    let is_not_applicable =
        |summary: &&Summary| summary.surprising == 0 && summary.shown.outcome == Outcome::NotApplicable;
    let not_applicable = summaries.iter().filter(is_not_applicable).count();
    let is_outside = |summary: &&Summary| summary.shown.is_outside_profile();
    let outside = summaries.iter().filter(is_outside).count();
    let verdict = match surprises {
        // Neither good nor bad: no probe has said anything about the server.
        0 if not_applicable == number => "nothing could be asked".to_owned(),
        0 => "no surprise".to_owned(),
        _ => count(surprises, "surprise"),
    };
    let declared = number - passed - surprises - not_applicable;
    let probes = count(number, "probe");
    let mut tally = format!("{passed} pass");
    let parts = [
        (declared, "not, as expected"),
        (not_applicable - outside, "not applicable"),
        (outside, "outside the profile"),
    ];
    for (number, words) in parts {
        if number > 0 {
            tally.push_str(&format!(", {number} {words}"));
        }
    }
    let verdict = format!("{}: {probes}{runs}: {tally}; {verdict}", task.title);
    let is_shown = |summary: &&Summary| summary.surprising > 0 || shows_evidence;
    let blocks: String = summaries.iter().filter(is_shown).filter_map(Summary::evidence).collect();
    let text = match (table.is_empty(), rows) {
        (true, _) => format!("{blocks}{verdict}"),
        (false, Rows::Surprises) => format!("{table}\n{blocks}{verdict}"),
        (false, Rows::All) => format!("{table}\n{blocks}{verdict}\nWhat each probe asks: ./lab grade --list"),
    };
    // stdout is the record's where it was asked for there.
    if to_stderr {
        // Where stderr is full as well there is nowhere left to say so.
        let _ = writeln!(stderr(), "{text}");
    } else {
        say(&format!("{text}\n"))?;
    }
    Ok(surprises)
}

/// All runs of one probe as one row.
struct Summary<'a> {
    /// The first surprising run, or the last one.
    shown: &'a Finding,
    surprising: usize,
}

impl<'a> Summary<'a> {
    fn of(findings: Vec<&'a Finding>, expect: &Expectations) -> Self {
        let is_surprise = |finding: &&&Finding| !expected_of(expect, finding.probe).allows(finding.outcome);
        let surprising = findings.iter().filter(is_surprise).count();
        let shown = findings.iter().find(is_surprise).or(findings.last()).copied();
        Self { shown: shown.expect("every probe has a finding in every run"), surprising }
    }

    fn colour(&self) -> Color {
        match (self.surprising, self.shown.outcome) {
            (0, Outcome::Pass) => Color::Green,
            (0, _) => Color::Yellow,
            _ => Color::Red,
        }
    }

    fn detail(&self, runs: usize) -> String {
        let mut parts = Vec::new();
        if self.surprising > 0 && runs > 1 {
            parts.push(format!("surprising in {} of {runs} runs:", self.surprising));
        }
        if !self.shown.detail.is_empty() {
            parts.push(self.shown.detail.clone());
        }
        if self.surprising > 0 {
            // A flaw that is gone needs no hint but a new declaration.
            let hint = match self.shown.outcome {
                Outcome::Pass => "Declared as a flaw, but it is none.",
                _ => self.shown.hint,
            };
            parts.push(format!("\nHint: {hint}"));
        }
        parts.join(" ")
    }
}

impl Summary<'_> {
    /// What shows the outcome, below the table.
    fn evidence(&self) -> Option<String> {
        let evidence = self.shown.evidence.as_ref()?;
        Some(evidence_block(self.shown.probe, evidence))
    }
}

/// The evidence of one probe as it is printed below the table; empty if there is none.
pub fn evidence_block(probe: &str, evidence: &Evidence) -> String {
    let mut lines = Vec::new();
    if !evidence.transcript.is_empty() {
        lines.push(format!("{probe}: ms since its first connection, > sent, < received"));
        lines.extend(evidence.transcript.iter().cloned());
    }
    match &evidence.replay {
        Some(replay) if lines.is_empty() => lines.push(format!("{probe} {}", replay.lines().join("\n  "))),
        Some(replay) => lines.extend(replay.lines().into_iter().map(|line| format!("  {line}"))),
        None => {}
    }
    if lines.is_empty() { String::new() } else { format!("\n{}\n\n", lines.join("\n")) }
}

#[cfg(test)]
mod unit {
    use super::*;

    /// Protects the reader on a terminal that reports 0 columns, as some do over a serial line or in a
    /// container: one letter a line.
    #[test]
    fn a_table_is_never_narrower_than_its_words() {
        let rows =
            [(None, 120), (Some(0), 80), (Some(1), 60), (Some(59), 60), (Some(60), 60), (Some(200), 200)];
        for (terminal, expected) in rows {
            assert_eq!(width(terminal), expected, "{terminal:?}");
        }
        let mut narrow = table(&["probe", "detail"]);
        narrow.set_width(width(Some(0))).add_row(["keep-alive", &"word ".repeat(40)]);
        assert!(narrow.lines().count() < 10, "{narrow}");
    }
}
